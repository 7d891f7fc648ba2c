"""Whether viewers are to be sent here: serving, draining until they have left, drained.

Pure. Draining changes what steering is told, never what the delivery port answers: players that heed steering move,
the others finish. Only once drained may it answer otherwise, where ``[drain] then`` says so.
"""

from __future__ import annotations

from oca.common.messages import Serving
from oca.common.units import format_instant

DRAIN_S_MAX = 30 * 86400
"""Longest time for which an operator may take a box out at once."""


def drain_reason(serving: Serving, drained_at_ns: int, until_ns: int = 0) -> str:
    """Who drained the appliance, since and until when, and how to undo it; empty where no operator did (0)."""
    if not drained_at_ns:
        return ""
    until = f" until {format_instant(until_ns)}" if until_ns else ""
    return f"{serving} by 'oca drain' since {format_instant(drained_at_ns)}{until} ('oca undrain' takes it back)"


class ServingState:
    """The serving state and its transitions; instants are on a clock that never steps."""

    def __init__(self, *, drain_s_max: float) -> None:
        """A drain ends as drained after ``drain_s_max`` at the latest."""
        self.drain_s_max = drain_s_max
        self._drain_ends_at: float | None = None
        self.state: Serving = "serving"

    def drain(self, now: float) -> bool:
        """Begin to drain; false where that is so already."""
        if self.state != "serving":
            return False
        self.state = "draining"
        self._drain_ends_at = now + self.drain_s_max
        return True

    def undrain(self) -> bool:
        """Serve again; false where that is so already."""
        changed = self.state != "serving"
        self.state = "serving"
        self._drain_ends_at = None
        return changed

    def observe(self, now: float, connections: int) -> bool:
        """Take note of the viewers left; true when that ends the drain."""
        ends_at = self._drain_ends_at
        if self.state != "draining" or ends_at is None or (connections > 0 and now < ends_at):
            return False
        self.state = "drained"
        self._drain_ends_at = None
        return True

    def drain_left_s(self, now: float) -> float:
        """Seconds until the drain ends whatever happens; 0 unless draining."""
        return max(0.0, self._drain_ends_at - now) if self._drain_ends_at is not None else 0.0
