"""What the fill agent keeps on a box's first device, as far as the box itself tells of it: a fill, a pause. Pure."""

from __future__ import annotations

from msgspec import Struct

from oca.common.messages import FillProgress

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


class FillRecord(Struct, frozen=True):
    """The last fill, and the last pause; None where there was none."""

    progress: FillProgress | None = None
    pause: Pause | None = None


def is_running(progress: FillProgress | None, now_ns: int) -> bool:
    """Whether a fill runs, by what was last seen of one."""
    return (
        progress is not None and progress.state == "running" and now_ns - progress.updated_at_ns <= RUNNING_AGE_NS_MAX
    )
