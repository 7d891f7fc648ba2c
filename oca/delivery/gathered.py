"""Viewers' demand as the workers tell it, summed up until it is reported. Pure: instants come in."""

from __future__ import annotations

from collections.abc import Callable

from oca.common.demand import Taken
from oca.common.hot import HotWindow
from oca.delivery.control import Salt, Tick
from oca.delivery.sessions import HOUR_S, Sessions

SALT_BYTES = 16


class Gathered:
    """Of one box. ``salt`` keys the marks of this hour's sessions; workers are told it, and nobody else."""

    def __init__(self) -> None:
        self.hot = HotWindow()
        self.salt = Salt()
        self._taken = Taken()
        self._sessions = Sessions(0)

    def begin_hour(self, now_s: float, draw: Callable[[int], bytes]) -> Salt | None:
        """Count sessions anew, by another salt, if another hour has begun; None: none has.

        Args:
            now_s: Since 1970.
            draw: So many bytes that nobody can guess.
        """
        hour = int(now_s // HOUR_S)
        if hour == self._sessions.hour:
            return None
        self._sessions.begin(hour)
        self.salt = Salt(salt=draw(SALT_BYTES), hour=hour)
        return self.salt

    def add(self, tick: Tick, now_s: float) -> None:
        """Add what a worker counted; ``now_s`` by the clock that never steps."""
        self._taken.add(tick.demand, self._sessions.meet(tick.hour, tick.met), tick.wanted, tick.dropped)
        self.hot.add(tick.demand, now_s)

    def follow(self, taken: Taken) -> None:
        """Add what a daemon that this one follows counted."""
        self._taken.add_all(taken)

    def take(self) -> Taken:
        """All since the last call."""
        taken, self._taken = self._taken, Taken()
        return taken
