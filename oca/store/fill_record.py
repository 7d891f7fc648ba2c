"""What the fill agent keeps on a box's first device, as far as the box itself tells of it. Pure."""

from __future__ import annotations

from typing import TypeVar

from msgspec import Struct
from msgspec.structs import replace

from oca.common.messages import Count, FillProgress, Message, Nanoseconds, SourceKind

SERVED_SPAN_NS = 24 * 3600 * 10**9
"""So long after a night what is served is held against what it filled."""
RUNNING_AGE_NS_MAX = 10 * 10**9
"""A fill that runs is written down every second; one that was not for so long has been killed."""


class Pause(Struct, frozen=True):
    """Fills are paused; ``until_ns`` 0: until an operator says otherwise."""

    since_ns: int
    until_ns: int = 0
    why: str = ""

    def holds(self, now_ns: int) -> bool:
        """Whether it is not over."""
        return not self.until_ns or now_ns < self.until_ns


class FillFigures(Struct, frozen=True, kw_only=True):
    """What fills have brought this box since the first one; each figure but the last only grows.

    Attributes:
        done, incomplete: Fills that ended with everything planned, and those that did not.
        bytes_by_source: What came over the network, refetched bytes included.
        assets_in, bytes_in: Committed.
        assets_out, bytes_out: Evicted.
        assets_failed: Assets that could not be had, counted at the end of each fill.
        done_at_ns: When a fill last ended with everything planned; 0: never yet.
    """

    done: Count = 0
    incomplete: Count = 0
    bytes_by_source: dict[SourceKind, Count] = {}
    assets_in: Count = 0
    bytes_in: Count = 0
    assets_out: Count = 0
    bytes_out: Count = 0
    assets_failed: Count = 0
    done_at_ns: Nanoseconds = 0


def with_progress(before: FillFigures, progress: FillProgress, *, bytes_in: int) -> FillFigures:
    """The figures with a fill added that stands so; ``before`` is what they were when it began."""
    done = progress.state == "done"
    return replace(
        with_moved(before, progress, bytes_in=bytes_in),
        done=before.done + done,
        incomplete=before.incomplete + (progress.state == "incomplete"),
        assets_failed=before.assets_failed + (progress.assets_failed if progress.state != "running" else 0),
        done_at_ns=progress.updated_at_ns if done else before.done_at_ns,
    )


class FillRecord(Struct, frozen=True):
    """The last fill, the last pause, and what all fills brought; None where there was none."""

    progress: FillProgress | None = None
    pause: Pause | None = None
    figures: FillFigures | None = None


def is_running(progress: FillProgress | None, now_ns: int) -> bool:
    """Whether a fill runs, by what was last seen of one."""
    return (
        progress is not None and progress.state == "running" and now_ns - progress.updated_at_ns <= RUNNING_AGE_NS_MAX
    )


class FilledNight(Struct, frozen=True, kw_only=True):
    """One night on one appliance: its fills from the opening of a window to its end, or those of a day.

    Attributes:
        night: Local date on which it began.
        fills: How many fills ran.
        filling_s: How long they ran, all together.
        assets_in, bytes_in: Committed, by the plan's sizes.
        bytes_by_source: What came over the network, refetched bytes included.
        assets_out, bytes_out: Evicted.
        refused_total: Assets that could not be had in the last fill.
        left_out_total: Assets not worth fetching in the last fill.
        state, reason: How the last fill ended.
        served_bytes: What viewers got from the box since, over 24 hours at most.
        served_until_ns: Up to when that is known; 0: not yet.
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
    refused_total: int = 0
    left_out_total: int = 0
    state: str = "running"
    reason: str = ""
    served_bytes: int = 0
    served_until_ns: int = 0

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


Sums = TypeVar("Sums", bound=FillFigures | FilledNight)


def with_moved(before: Sums, progress: FillProgress, *, bytes_in: int) -> Sums:
    """``before`` with what a fill brought in and evicted added."""
    sources = dict(before.bytes_by_source)
    for kind, count in progress.bytes_by_source.items():
        sources[kind] = sources.get(kind, 0) + count
    return replace(
        before,
        bytes_by_source=sources,
        assets_in=before.assets_in + progress.assets_done,
        bytes_in=before.bytes_in + bytes_in,
        assets_out=before.assets_out + progress.assets_evicted,
        bytes_out=before.bytes_out + progress.bytes_evicted,
    )


class NightShown(Message, frozen=True):
    """A night with its efficiency: bytes served ÷ bytes filled, None before anything is known of it."""

    night: FilledNight
    efficiency: float | None
    is_final: bool


class FilledNights(Message, frozen=True):
    """The nights that are known, the oldest first; ``why`` says why there are none to be had."""

    nights: list[NightShown]
    why: str = ""
