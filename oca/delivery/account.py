"""What is noted of every response on a connection: the demand it meets and the time it takes."""

from __future__ import annotations

from oca.common.clock import monotonic_ns
from oca.delivery.demand import Demand
from oca.delivery.lookup import Found
from oca.delivery.timings import AT_ONCE_NS, Timings
from oca.http1.request import Fields, Request


class Account:
    """One connection's. ``request`` is the one being answered; None where it could not be read."""

    __slots__ = ("_begun_ns", "_bytes", "_demand", "_first_seen", "_found", "_status", "_timings", "request")

    def __init__(self, demand: Demand, timings: Timings) -> None:
        self._demand = demand
        self._timings = timings
        self.request: Request | None = None
        self._found: Found | None = None
        self._status = self._bytes = self._begun_ns = 0
        self._first_seen = False

    def usual(self, found: Found, fields: Fields) -> None:
        """The whole of ``found`` went to the kernel at once, for a GET: nearly every response, so this is short."""
        timings = self._timings
        took_ns = monotonic_ns() - timings.begun_ns
        if took_ns < AT_ONCE_NS:
            timings.usual += 1
            timings.usual_ns += took_ns
        else:
            timings.count("GET")
            timings.whole(took_ns)
        if not fields.fill:
            count = found.count
            count.requests += 1
            count.bytes += found.size

    def whole(self, status: int, found: Found | None, length: int) -> None:
        """All of a response went to the kernel at once: ``length`` bytes of ``found``, or a text."""
        timings, request = self._timings, self.request
        timings.whole(monotonic_ns() - timings.begun_ns)
        if request is not None:
            timings.count(request.method)
            if found is not None and length and not request.fields.fill:
                found.count.requests += 1
                found.count.bytes += length

    def begin(self, status: int, found: Found | None, length: int, *, first_out: bool) -> None:
        """A response goes on in the background; ``first_out`` tells whether its first byte is out already."""
        timings = self._timings
        self._status, self._found, self._bytes = status, found, length
        self._begun_ns = timings.begun_ns
        self._first_seen = first_out
        if first_out:
            timings.first(monotonic_ns() - self._begun_ns)
        if self.request is not None:
            timings.count(self.request.method)

    def end(self, first_ns: int) -> None:
        """Its last byte is with the kernel; the first was at ``first_ns``, if it was not out when it began."""
        timings = self._timings
        if not self._first_seen:
            timings.first(first_ns - self._begun_ns)
        timings.last(monotonic_ns() - self._begun_ns)
        found, self._found = self._found, None
        if found is not None and self.request is not None and not self.request.fields.fill:
            # What ``found`` counts into may be gone with the index of then.
            count = self._demand.of(found.pack.asset)
            count.requests += 1
            count.bytes += self._bytes

    def cut(self) -> None:
        """It ended before its last byte."""
        self._found = None
