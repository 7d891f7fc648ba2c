"""How long a worker's answers take: histograms in its page of counters."""

from __future__ import annotations

from bisect import bisect_left

from oca.common.clock import monotonic_ns
from oca.delivery.metrics import DELIVERY, DELIVERY_SLOTS, FIRST_BYTE_S
from oca.http1.request import Method

AT_ONCE_NS = int(FIRST_BYTE_S[0] * 1e9)
"""The least bound of both histograms: what takes no longer is only added up, and needs no look at the bounds."""
_METHODS: dict[Method, int] = {
    "GET": DELIVERY_SLOTS["delivery_requests:GET"],
    "HEAD": DELIVERY_SLOTS["delivery_requests:HEAD"],
    "OPTIONS": DELIVERY_SLOTS["delivery_requests:OPTIONS"],
}
_FILL_REQUESTS, _FILL_BYTES = DELIVERY_SLOTS["delivery_fill_requests"], DELIVERY_SLOTS["delivery_fill_sent_bytes"]


class Histogram:
    """One declared histogram of durations."""

    def __init__(self, name: str, counts: memoryview[int]) -> None:
        (family,) = (family for family in DELIVERY if family.name == name)
        self._counts = counts
        self._bounds_ns = [bound * 1e9 for bound in family.bounds]
        self._lowest, self._sum = (DELIVERY_SLOTS[key] for key in (family.keys()[0], family.keys()[-1]))

    def add(self, took_ns: int) -> None:
        """Count one duration."""
        self._counts[self._lowest + bisect_left(self._bounds_ns, took_ns)] += 1
        self._counts[self._sum] += took_ns // 1000

    def add_lowest(self, count: int, took_ns: int) -> None:
        """Count ``count`` durations within the least bound, of ``took_ns`` all together."""
        self._counts[self._lowest] += count
        self._counts[self._sum] += took_ns // 1000


class Timings:
    """One worker's. ``begun_ns`` is when the request being answered was taken up, on the monotonic clock.

    ``usual`` GETs, answered at once in ``usual_ns`` all together, are put into the page by ``fold``, on each tick.
    """

    __slots__ = ("_counts", "_first", "_transfer", "begun_ns", "lag", "usual", "usual_ns")

    def __init__(self, counts: memoryview[int]) -> None:
        self._counts = counts
        self.begun_ns = monotonic_ns()
        self.usual = self.usual_ns = 0
        self._first = Histogram("delivery_first_byte_seconds", counts)
        self._transfer = Histogram("delivery_transfer_seconds", counts)
        self.lag = Histogram("delivery_lag_seconds", counts)

    def count(self, method: Method) -> None:
        """One request."""
        self._counts[_METHODS[method]] += 1

    def filled(self, count: int) -> None:
        """A response of so many bytes went to another appliance."""
        self._counts[_FILL_REQUESTS] += 1
        self._counts[_FILL_BYTES] += count

    def first(self, took_ns: int) -> None:
        """The first byte of a response left."""
        self._first.add(took_ns)

    def last(self, took_ns: int) -> None:
        """The last byte of it left."""
        self._transfer.add(took_ns)

    def whole(self, took_ns: int) -> None:
        """A response left at once."""
        self._first.add(took_ns)
        self._transfer.add(took_ns)

    def fold(self) -> None:
        """Put into the page what was only counted since the last tick."""
        if self.usual:
            self._counts[_METHODS["GET"]] += self.usual
            self._first.add_lowest(self.usual, self.usual_ns)
            self._transfer.add_lowest(self.usual, self.usual_ns)
            self.usual = self.usual_ns = 0
