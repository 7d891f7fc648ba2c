"""How fast to fetch, and how slow is too slow. Pure: the caller brings the time and does the waiting."""

from __future__ import annotations


class ByteRate:
    """A token bucket over bytes, in debt while it paces: what has been read is taken, and the wait repays it.

    Args:
        bytes_per_s_max: The cap; 0 for none.
        burst_s: How many seconds' worth may come at once after a pause.
    """

    def __init__(self, bytes_per_s_max: int, *, burst_s: float = 0.1) -> None:
        self._rate = bytes_per_s_max
        self._burst = bytes_per_s_max * burst_s
        self._tokens = self._burst
        self._at = 0.0

    def take(self, count: int, now: float) -> float:
        """Take ``count`` bytes at ``now`` (monotonic seconds); the seconds to wait before taking more."""
        if not self._rate:
            return 0.0
        self._tokens = min(self._burst, self._tokens + max(0.0, now - self._at) * self._rate) - count
        self._at = max(self._at, now)
        return max(0.0, -self._tokens / self._rate)


class PaceFloor:
    """Tells a source that drips from one that sends: bytes over time spent waiting for it alone.

    Args:
        bytes_per_s_min: Least pace; 0 for none.
        span_s: Judged over each span of so many seconds of waiting.
    """

    def __init__(self, bytes_per_s_min: int, *, span_s: float) -> None:
        self._rate = bytes_per_s_min
        self._span_s = span_s
        self._bytes = 0
        self._waited_s = 0.0

    def held(self, count: int, waited_s: float) -> bool:
        """Whether the pace holds after ``count`` bytes more, that came after ``waited_s`` seconds."""
        self._bytes += count
        self._waited_s += waited_s
        if self._waited_s < self._span_s:
            return True
        enough = self._bytes >= self._rate * self._waited_s
        self._bytes, self._waited_s = 0, 0.0
        return enough
