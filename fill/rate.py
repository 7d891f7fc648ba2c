"""How fast to fetch, and how slow is too slow. Pure: the caller brings the time and does the waiting."""

from __future__ import annotations


class ByteRate:
    """A token bucket over bytes that pays before it reads: however many share it, they never read more than it grants.

    It begins empty, so that the first seconds of a fill keep the cap, too.

    Args:
        bytes_per_s_max: The cap; 0 for none.
        burst_s: How many seconds' worth may come at once after a pause, to make up for a wait that was too long.
    """

    def __init__(self, bytes_per_s_max: int, *, burst_s: float = 0.1) -> None:
        self._rate = bytes_per_s_max
        self._burst_s = burst_s
        self._tokens = 0.0
        self._at: float | None = None

    def change(self, bytes_per_s_max: int, now: float) -> None:
        """Keep another cap from ``now`` (monotonic seconds) on; what was read too much so far is forgiven."""
        if bytes_per_s_max != self._rate:
            self._rate, self._tokens, self._at = bytes_per_s_max, 0.0, now

    def take(self, count: int, now: float) -> float:
        """Take ``count`` bytes at ``now`` (monotonic seconds); the seconds to wait before reading them."""
        if not self._rate:
            return 0.0
        passed_s = max(0.0, now - self._at) if self._at is not None else 0.0
        self._tokens = min(self._burst_s * self._rate, self._tokens + passed_s * self._rate) - count
        self._at = max(self._at if self._at is not None else now, now)
        return max(0.0, -self._tokens / self._rate)

    def give_back(self, count: int) -> None:
        """So many of the bytes taken were not read."""
        self._tokens += count if self._rate else 0


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
