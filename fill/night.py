"""The morning's report: what a night's fills brought, from where, what was refused, and what came of it. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from msgspec import Struct
from msgspec.structs import replace

from fill.diff import Skipped
from oca.common.messages import FillProgress, SourceKind

LISTED_MAX = 100
NIGHTS_MAX = 60
SERVED_SPAN_NS = 24 * 3600 * 10**9
"""So long after a night what is served is held against what it filled."""


class Night(Struct, frozen=True, kw_only=True):
    """One night on one appliance: its fills from the opening of a window to its end, or those of a day.

    Attributes:
        night: Local date on which it began.
        fills: How many fills ran.
        filling_s: How long they ran, all together.
        assets_in, bytes_in: Committed, by the plan's sizes.
        bytes_by_source: What came over the network, refetched bytes included.
        assets_out, bytes_out: Evicted.
        refused: Assets that could not be had, with why; the first hundred of the last fill.
        left_out: Assets not worth fetching, with their numbers; the first hundred of the last fill.
        state, reason: How the last fill ended.
        served_bytes: What viewers got from the box since, over 24 hours at most.
        served_until_ns: Up to when that is known; 0: not yet.
        served_counter: The daemon's counter then, to count on from.
    """

    night: str
    started_at_ns: int
    ended_at_ns: int
    fills: int = 0
    filling_s: float = 0.0
    assets_in: int = 0
    bytes_in: int = 0
    bytes_by_source: dict[SourceKind, int] = {}
    assets_out: int = 0
    bytes_out: int = 0
    refused: tuple[Skipped, ...] = ()
    refused_total: int = 0
    left_out: tuple[Skipped, ...] = ()
    left_out_total: int = 0
    state: str = "running"
    reason: str = ""
    served_bytes: int = 0
    served_until_ns: int = 0
    served_counter: int = -1

    @property
    def fetched_bytes(self) -> int:
        """What came over the network."""
        return sum(self.bytes_by_source.values())

    @property
    def efficiency(self) -> float | None:
        """Bytes served ÷ bytes filled so far; None before anything is known of it."""
        return self.served_bytes / self.bytes_in if self.served_until_ns and self.bytes_in else None

    @property
    def efficiency_is_final(self) -> bool:
        """Whether the day after is over."""
        return self.served_until_ns >= self.ended_at_ns + SERVED_SPAN_NS


def with_fill(
    before: Night | None,
    night: str,
    progress: FillProgress,
    *,
    bytes_in: int,
    refused: Iterable[Skipped],
    left_out: Sequence[Skipped],
) -> Night:
    """The night with a fill added that stands as ``progress`` tells."""
    so_far = before or Night(night=night, started_at_ns=progress.started_at_ns, ended_at_ns=progress.updated_at_ns)
    sources = dict(so_far.bytes_by_source)
    for kind, count in progress.bytes_by_source.items():
        sources[kind] = sources.get(kind, 0) + count
    listed = tuple(entry for entry, _ in zip(refused, range(LISTED_MAX), strict=False))
    return replace(
        so_far,
        ended_at_ns=progress.updated_at_ns,
        fills=so_far.fills + 1,
        filling_s=so_far.filling_s + max(0, progress.updated_at_ns - progress.started_at_ns) / 1e9,
        assets_in=so_far.assets_in + progress.assets_done,
        bytes_in=so_far.bytes_in + bytes_in,
        bytes_by_source=sources,
        assets_out=so_far.assets_out + progress.assets_evicted,
        bytes_out=so_far.bytes_out + progress.bytes_evicted,
        refused=listed,
        refused_total=progress.assets_failed,
        left_out=tuple(left_out[:LISTED_MAX]),
        left_out_total=len(left_out),
        state=progress.state,
        reason=progress.reason,
    )


def with_served(nights: Sequence[Night], counter: int, now_ns: int) -> list[Night]:
    """The nights, each with what viewers got since it was last looked at; a counter that fell began anew at 0."""
    return [_served(night, counter, now_ns) for night in nights]


def kept(nights: Iterable[Night], newest: Night) -> list[Night]:
    """The last nights by date, ``newest`` in its own place."""
    others = [night for night in nights if night.night != newest.night]
    return sorted([*others, newest], key=lambda night: night.night)[-NIGHTS_MAX:]


def _served(night: Night, counter: int, now_ns: int) -> Night:
    if night.efficiency_is_final or now_ns < night.served_until_ns:
        return night
    if night.served_counter < 0:
        return replace(night, served_counter=counter, served_until_ns=now_ns)
    came = counter - night.served_counter if counter >= night.served_counter else counter
    return replace(night, served_bytes=night.served_bytes + came, served_counter=counter, served_until_ns=now_ns)
