"""Rates over the last while, from counters that only ever rise. Pure: instants come in."""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping


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
        """How much ``key`` rose; never below 0, whatever a counter that started anew says."""
        if len(self._readings) < 2:
            return 0.0
        return max(0.0, self._readings[-1][1].get(key, 0) - self._readings[0][1].get(key, 0))

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
