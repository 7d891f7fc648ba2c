"""Viewers on their way to a box whose load does not show them yet: a premiere is seen in it seconds later. Pure."""

from __future__ import annotations

from collections import Counter

SPAN_S = 10.0
"""Over so long a box takes the mean of what it sends."""


class Expected:
    """Viewers sent to each box of late; each counts for less as the box's own figures come to hold it."""

    def __init__(self) -> None:
        self._began_s = 0.0
        self._now: Counter[str] = Counter()
        self._before: Counter[str] = Counter()

    def send(self, appliance: str, now_s: float) -> int:
        """One more; how many went there within this half of the span."""
        self._turn(now_s)
        self._now[appliance] += 1
        return self._now[appliance]

    def viewers(self, appliance: str, now_s: float) -> float:
        """How many of them its load lacks yet: those just sent, and half of the earlier ones; rather too many."""
        self._turn(now_s)
        return self._now.get(appliance, 0) + self._before.get(appliance, 0) / 2

    def has_sent(self, appliance: str) -> bool:
        """Whether any are counted there, by what was last looked at: what is over may still be among them."""
        return appliance in self._now or appliance in self._before

    def _turn(self, now_s: float) -> None:
        passed_s = now_s - self._began_s
        if passed_s >= SPAN_S / 2:
            self._before = self._now if passed_s < SPAN_S else Counter()
            self._now, self._began_s = Counter(), now_s
