"""Whose turn it is to be probed. Pure: instants come in."""

from __future__ import annotations

from collections.abc import Iterable
from heapq import heapify, heappop, heappush


class Rota:
    """Each appliance is waiting for its turn, or being probed."""

    def __init__(self, appliances: Iterable[str], now: float) -> None:
        """All are due at once; they spread as their first reports come."""
        self._waiting = [(now, name) for name in appliances]
        heapify(self._waiting)

    def due(self, now: float, at_most: int) -> list[str]:
        """Those whose turn it is, the longest overdue first; each is to be put back when it is done."""
        taken: list[str] = []
        while self._waiting and self._waiting[0][0] <= now and len(taken) < at_most:
            taken.append(heappop(self._waiting)[1])
        return taken

    def put_back(self, appliance: str, at_s: float) -> None:
        """It is to be probed again then."""
        heappush(self._waiting, (at_s, appliance))

    def late_s(self, now: float) -> float:
        """By how much the first is overdue; 0: nobody is."""
        return max(0.0, now - self._waiting[0][0]) if self._waiting else 0.0
