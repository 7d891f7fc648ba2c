"""Which connection ends for a newcomer when there are as many as there may be. Pure.

Who floods with connections that say nothing could else keep every viewer out until the time-outs end them. The oldest
goes of those that have not asked for anything by now, or not for long. A viewer's own is not among them: it asks as
soon as it is there, and again before ``RESTS_S`` have passed.
"""

from __future__ import annotations

from collections.abc import Collection
from typing import Generic, Protocol, TypeVar

LOOKS_MAX = 8
"""Connections looked at for one newcomer: a few microseconds, however many there are."""
ARRIVES_S = 1.0
"""How long a connection may take to ask for the first time before it may have to go."""
RESTS_S = 15.0
"""How long it may rest between requests; players ask again every few seconds."""


class Standing(Protocol):
    """A connection that may have to go."""

    def can_go(self, now_s: float) -> bool:
        """Whether it has kept its place for nothing."""


Held = TypeVar("Held", bound=Standing)


def can_go(now_s: float, since_s: float, *, asked: bool) -> bool:
    """Whether a connection that waits for its client may have to go.

    Args:
        now_s: Monotonic clock.
        since_s: When it came, or was answered last.
        asked: Whether it ever was answered.
    """
    return now_s - since_s > (RESTS_S if asked else ARRIVES_S)


class Room(Generic[Held]):
    """Goes round the connections, oldest first, so that each is looked at in its turn."""

    def __init__(self) -> None:
        self._round: list[Held] = []

    def forget(self) -> None:
        """There is room again: begin anew next time, and keep none that has ended in memory."""
        self._round.clear()

    def choose(self, held: Collection[Held], now_s: float) -> Held | None:
        """The connection that is to end; None: of those looked at, none can go.

        Args:
            held: Every connection, oldest first.
            now_s: Monotonic clock.
        """
        looks = 0
        while held and looks < LOOKS_MAX:
            if not self._round:
                self._round = list(held)[::-1]
            each = self._round.pop()
            if each in held:
                if each.can_go(now_s):
                    return each
                looks += 1
        return None
