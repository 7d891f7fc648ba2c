"""What all fetches of an agent share: the byte rate, each source's, and whether anything is fetched now. Pure."""

from __future__ import annotations

from fill.busy import ALL, Share
from fill.rate import ByteRate

READ_BYTES_MAX = 2**18
READ_BYTES_MIN = 2**12
READ_S = 0.02
"""A read of so many seconds' worth: small beside the 10 s over which a cap is kept."""
WAIT_S_MIN = 0.005
"""A shorter wait costs more than it paces: it is left for the next read to repay."""
FASTEST_DECAY = 0.98
"""The pace of an uncapped fill, which a share is taken of, forgets a hundredth of its best in half a second."""
PACE_MIN_BYTES_PER_S = 2**20
"""The least pace that a share is taken to: a fill that begins while the box is busy has no pace of its own yet."""


class Pacer:
    """Grants reads.

    Args:
        source_bytes_per_s_max: Cap on each source; 0: none.
        bytes_left: What may be fetched before the night's cap is reached; None: there is no such cap.
    """

    def __init__(self, *, source_bytes_per_s_max: int = 0, bytes_left: int | None = None) -> None:
        self.fetched_bytes = 0
        self.share = ALL
        self._bytes_left = bytes_left
        self._all = ByteRate(0)
        self._source_rate = source_bytes_per_s_max
        self._sources: dict[str, ByteRate] = {}
        self._cap = 0
        self._fastest = 0.0
        self._seen: tuple[float, int] | None = None

    @property
    def stopped(self) -> bool:
        """Whether nothing is to be read now."""
        return self.share.ratio <= 0 or self.spent

    @property
    def spent(self) -> bool:
        """Whether the night's bytes are used up."""
        return self._bytes_left is not None and self.fetched_bytes >= self._bytes_left

    @property
    def rate_bytes_per_s_max(self) -> int:
        """The cap that holds now; 0: none."""
        if self.share.ratio >= 1:
            return self._cap
        if self._cap:
            return max(1, int(self._cap * self.share.ratio))
        return max(PACE_MIN_BYTES_PER_S, int(self._fastest * self.share.ratio))

    def allow(self, rate_bytes_per_s_max: int, share: Share, now: float) -> None:
        """Go by this cap (0: none) and this share of it from ``now`` on; called about once a second."""
        if self._seen is not None and now > self._seen[0]:
            pace = (self.fetched_bytes - self._seen[1]) / (now - self._seen[0])
            # A pace that is held back says nothing of the best.
            forgets = FASTEST_DECAY if self.share.ratio >= 1 else 1.0
            self._fastest = max(pace, self._fastest * forgets)
        self._seen = (now, self.fetched_bytes)
        self._cap, self.share = rate_bytes_per_s_max, share
        self._all.change(self.rate_bytes_per_s_max, now)

    def read_bytes(self) -> int:
        """How much to read at once."""
        rates = [rate for rate in (self.rate_bytes_per_s_max, self._source_rate) if rate]
        return min(READ_BYTES_MAX, max(READ_BYTES_MIN, int(min(rates) * READ_S))) if rates else READ_BYTES_MAX

    def take(self, source: str, count: int, now: float) -> float:
        """Take a read of ``count`` bytes from ``source`` at ``now``; the seconds to wait before it."""
        wait_s = max(self._all.take(count, now), self._source(source).take(count, now))
        return wait_s if wait_s >= WAIT_S_MIN else 0.0

    def arrived(self, source: str, count: int, taken: int) -> None:
        """``count`` bytes came of a read of ``taken``."""
        self.fetched_bytes += count
        self._all.give_back(taken - count)
        self._source(source).give_back(taken - count)

    def _source(self, source: str) -> ByteRate:
        return self._sources.setdefault(source, ByteRate(self._source_rate))
