"""What viewers had, as ``/v1/quality`` and ``oca quality`` show it. Pure: sums in, means and lines out."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Literal, get_args

from oca.common.messages import Message
from oca.common.quality import Quality
from oca.common.units import format_duration

By = Literal["prefix", "asset", "both"]
BYS: tuple[By, ...] = get_args(By)
ROWS_SHOWN = 20
ROWS_SHOWN_MAX = 10_000


class QualityRow(Message, frozen=True):
    """Viewers of an asset from a client prefix; means over the requests that told, 0 where none did.

    ``asset`` or ``prefix`` is empty in a sum over all of them.
    """

    asset: str
    prefix: str
    requests: int
    starved: int
    throughput_kbits_per_s: int
    bitrate_kbits_per_s: int
    buffer_ms: int


class QualityPage(Message, frozen=True):
    """The last ``window_s``: all viewers together, then the rows in which most was starved; ``left_out`` are more."""

    is_on: bool
    window_s: float
    all: QualityRow
    rows: list[QualityRow]
    left_out: int


def quality_page(sums: Iterable[Quality], *, is_on: bool, window_s: float, by: By, limit: int) -> QualityPage:
    """The page from the window's sums."""
    together = Quality("", "")
    grouped: dict[tuple[str, str], Quality] = {}
    for one in sums:
        key = ("" if by == "prefix" else one.asset, "" if by == "asset" else one.prefix)
        group = grouped.get(key)
        if group is None:
            group = grouped[key] = Quality(*key)
        group.add(one)
        together.add(one)
    worst_first = sorted(grouped.values(), key=lambda one: (-one.starved, -one.requests, one.prefix, one.asset))
    return QualityPage(
        is_on=is_on,
        window_s=window_s,
        all=_shown(together),
        rows=[_shown(one) for one in worst_first[:limit]],
        left_out=max(0, len(worst_first) - limit),
    )


def quality_lines(page: QualityPage) -> Iterator[str]:
    """The page for a terminal."""
    if not page.is_on:
        yield "off: set [delivery.cmcd] quality = true, and let players send CMCD"
        return
    yield f"viewers of the last {format_duration(page.window_s)}: {_line(page.all)}"
    for row in page.rows:
        yield f"  {' '.join(filter(None, (row.prefix, row.asset))) or '(others)'}: {_line(row)}"
    if page.left_out:
        yield f"  and {page.left_out} more; --limit shows them"


def _line(row: QualityRow) -> str:
    share = f" ({row.starved / row.requests:.1%})" if row.requests else ""
    return (
        f"{row.starved} starved of {row.requests} requests{share}, bitrate {_mbits(row.bitrate_kbits_per_s)}, "
        f"throughput {_mbits(row.throughput_kbits_per_s)}, buffer {row.buffer_ms / 1000:.1f} s"
    )


def _mbits(kbits: int) -> str:
    return f"{kbits / 1000:.1f} Mbit/s"


def _shown(sums: Quality) -> QualityRow:
    return QualityRow(
        asset=sums.asset,
        prefix=sums.prefix,
        requests=sums.requests,
        starved=sums.starved,
        throughput_kbits_per_s=_mean(sums.throughput_kbits_per_s, sums.throughput_told),
        bitrate_kbits_per_s=_mean(sums.bitrate_kbits_per_s, sums.bitrate_told),
        buffer_ms=_mean(sums.buffer_ms, sums.buffer_told),
    )


def _mean(total: int, count: int) -> int:
    return round(total / count) if count else 0
