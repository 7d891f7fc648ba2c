"""Rates over the last while, from counters that only ever rise. Pure: instants come in."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Mapping


class Window:
    """Counter readings of the last ``span_s`` seconds; a rate is what happened between the oldest and the newest."""

    def __init__(self, span_s: float) -> None:
        self._span_s = span_s
        self._readings: deque[tuple[float, Mapping[str, float]]] = deque()

    def observe(self, now: float, counters: Mapping[str, float]) -> None:
        """Add a reading; one at least stays that is older than the span, so that the span is covered."""
        self._readings.append((now, counters))
        while len(self._readings) > 2 and self._readings[1][0] <= now - self._span_s:
            self._readings.popleft()

    @property
    def is_covered(self) -> bool:
        """Whether the readings reach back over the whole span."""
        return len(self._readings) > 1 and self._readings[-1][0] - self._readings[0][0] >= self._span_s

    def rise(self, key: str) -> float:
        """How much ``key`` rose; never below 0, whatever a counter that started anew says, and 0 of one that is new."""
        if len(self._readings) < 2:
            return 0.0
        now, then = self._readings[-1][1].get(key, 0), self._readings[0][1].get(key)
        return max(0.0, now - then) if then is not None else 0.0

    def rate_per_s(self, key: str) -> float:
        """``rise`` per second."""
        if len(self._readings) < 2:
            return 0.0
        elapsed_s = self._readings[-1][0] - self._readings[0][0]
        return self.rise(key) / elapsed_s if elapsed_s > 0 else 0.0

    def ratio(self, part: str, whole: str) -> float:
        """How much of the rise of ``whole`` is the rise of ``part``; 0 to 1."""
        rise = self.rise(whole)
        return min(1.0, self.rise(part) / rise) if rise > 0 else 0.0


BUCKETS = "delivery_first_byte_seconds:"
"""What the keys of the histogram of first bytes begin with; the bound follows."""


def buckets(counters: Iterable[str]) -> list[str]:
    """The keys of that histogram's buckets."""
    return [key for key in counters if key.startswith(BUCKETS) and not key.endswith(":sum")]


def bound_below(counts: Mapping[str, float], share: float) -> float | None:
    """The bound that ``share`` of what a histogram counted stayed below, in its unit.

    Args:
        counts: By the key of each bucket (not cumulative), which ends in the bucket's upper bound.
        share: In (0, 1].

    Returns:
        ``inf``: above the last bound; None where nothing was counted.
    """
    bounds = sorted((float(key.rpartition(":")[2]), count) for key, count in counts.items())
    total, below = sum(counts.values()), 0.0
    for bound, count in bounds:
        below += count
        if total and below >= share * total:
            return bound
    return None
