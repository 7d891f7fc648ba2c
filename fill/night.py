"""The morning's report: what a night's fills brought, from where, what was refused, and what came of it. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from msgspec.structs import replace

from fill.diff import Skipped
from oca.common.messages import FillProgress
from oca.store.fill_record import FilledNight, with_moved

LISTED_MAX = 100
NIGHTS_MAX = 60


class Night(FilledNight, frozen=True, kw_only=True):
    """A night with what its report lists and its reckoning needs.

    Attributes:
        refused: Assets that could not be had, with why; the first hundred of the last fill.
        left_out: Assets not worth fetching, with their numbers; the first hundred of the last fill.
        served_counter: The daemon's counter at ``served_until_ns``, to count on from.
    """

    refused: tuple[Skipped, ...] = ()
    left_out: tuple[Skipped, ...] = ()
    served_counter: int = -1


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
    listed = tuple(entry for entry, _ in zip(refused, range(LISTED_MAX), strict=False))
    return replace(
        with_moved(so_far, progress, bytes_in=bytes_in),
        ended_at_ns=progress.updated_at_ns,
        fills=so_far.fills + 1,
        filling_s=so_far.filling_s + max(0, progress.updated_at_ns - progress.started_at_ns) / 1e9,
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
