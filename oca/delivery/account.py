"""What is noted of every response on a connection: the demand it meets, the time it takes, its line in the log."""

from __future__ import annotations

from oca.common.clock import monotonic_ns
from oca.delivery.access_lines import Line, session_of, shown_path
from oca.delivery.access_log import AccessLog
from oca.delivery.demand import AssetCount, Demand
from oca.delivery.lookup import Found
from oca.delivery.sessions import household, mark_of
from oca.delivery.timings import AT_ONCE_NS, Timings
from oca.http1.request import Fields, Request

_MISSED = (302, 307, 404)
_NONE = object()


class Account:
    """One connection's. ``request`` is the one being answered, its token taken out; None where it could not be read."""

    __slots__ = (
        "_address", "_begun_ns", "_bytes", "_cause", "_client", "_demand", "_first_ns", "_found", "_log", "_logged",
        "_mark", "_met", "_met_before", "_salt", "_status", "_timings", "request",
    )  # fmt: skip

    def __init__(self, demand: Demand, timings: Timings, log: AccessLog | None, client: str) -> None:
        self._demand = demand
        self._timings = timings
        self._log = log
        self._logged = log is not None and log.samples()
        self._client = log.shown(client) if log is not None else ""
        self.request: Request | None = None
        self._found: Found | None = None
        self._status = self._bytes = self._begun_ns = self._first_ns = 0
        self._cause = ""
        self._address = client
        self._mark = 0
        self._salt: bytes | None = None
        self._met = self._met_before = _NONE
        """Tokens of the assets asked for last, one of video and one of audio: of these the session was told."""

    def usual(self, found: Found, fields: Fields, query: bytes) -> None:
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
            if query and not count.asset and self._demand.was_counted(query):
                count = self._demand.elsewhere
            count.requests += 1
            count.bytes += found.size
            if (token := count.token) is not self._met and token is not self._met_before:
                self._meet(count, query, b"")
        else:
            timings.filled(found.size)
        if self._logged and (log := self._log) is not None:
            took_us = took_ns // 1000
            path = found.shown
            if not path:
                path = found.shown = shown_path(found.path)
            session = session_of(query, b"") if query else ""
            log.add(
                Line(
                    log.time, self._client, "GET", path, 200, found.size, took_us, took_us, "hit", "",
                    fields.referrer, fields.agent, session,
                )
            )  # fmt: skip

    def whole(self, status: int, found: Found | None, length: int) -> None:
        """All of a response went to the kernel at once: ``length`` bytes of ``found``, or a text."""
        timings, request = self._timings, self.request
        took_ns = monotonic_ns() - timings.begun_ns
        timings.whole(took_ns)
        if request is not None:
            timings.count(request.method)
            if found is not None and length:
                if request.fields.fill:
                    timings.filled(length)
                else:
                    self._count(found.count, request, length)
        self._write(status, found, length, took_ns, took_ns)

    def begin(self, status: int, found: Found | None, length: int, *, first_out: bool) -> None:
        """A response goes on in the background; ``first_out`` tells whether its first byte is out already."""
        timings = self._timings
        self._status, self._found, self._bytes = status, found, length
        self._begun_ns = timings.begun_ns
        self._first_ns = 0
        if first_out:
            self._first_ns = monotonic_ns() - self._begun_ns
            timings.first(self._first_ns)
        if self.request is not None:
            timings.count(self.request.method)

    def end(self, first_ns: int) -> None:
        """Its last byte is with the kernel; the first was at ``first_ns``, if it was not out when it began."""
        timings = self._timings
        if not self._first_ns:
            self._first_ns = first_ns - self._begun_ns
            timings.first(self._first_ns)
        took_ns = monotonic_ns() - self._begun_ns
        timings.last(took_ns)
        found, self._found = self._found, None
        self._begun_ns = 0
        if found is not None and self.request is not None and self.request.fields.fill:
            timings.filled(self._bytes)
        elif found is not None and self.request is not None:
            # What ``found`` counts into may be gone with the index of then.
            self._count(self._demand.of(found.pack.asset, found.path), self.request, self._bytes)
        self._write(self._status, found, self._bytes, self._first_ns, took_ns)

    def cut(self, cause: str, left: int) -> None:
        """It ended before its last byte, with ``left`` bytes to go; or, if it has not begun yet, it never will."""
        self._cause = cause
        if not self._begun_ns:
            return
        took_ns = monotonic_ns() - self._begun_ns
        found, self._found = self._found, None
        self._begun_ns = 0
        sent = max(0, self._bytes - left)
        if found is not None and self.request is not None and self.request.fields.fill:
            self._timings.filled(sent)
        self._write(self._status, found, sent, self._first_ns, took_ns)

    def failed(self) -> None:
        """What has just begun was cut before it did."""
        self.cut(self._cause, self._bytes)

    def _count(self, count: AssetCount, request: Request, length: int) -> None:
        if not count.asset and self._demand.was_counted(request.query):
            count = self._demand.elsewhere
        count.requests += 1
        count.bytes += length
        if (token := count.token) is not self._met and token is not self._met_before:
            self._meet(count, request.query, request.cmcd)

    def _meet(self, count: AssetCount, query: bytes, cmcd: bytes) -> None:
        """Tell of the session, which is that of the connection: its player's own, else its household's."""
        self._met_before, self._met = self._met, count.token
        demand = self._demand
        if self._salt is not demand.salt:
            self._salt = demand.salt
            self._mark = mark_of(demand.salt, session_of(query, cmcd) or household(self._address))
        demand.meet(count, self._mark)

    def _write(self, status: int, found: Found | None, length: int, first_ns: int, took_ns: int) -> None:
        log, request, cause = self._log, self.request, self._cause
        if log is None or not (self._logged or (log.errors and (status >= 400 or cause))):
            return
        line = Line(
            log.time,
            self._client,
            "" if request is None else request.method,
            "" if request is None else shown_path(request.path),
            status,
            length,
            first_ns // 1000,
            took_ns // 1000,
            "hit" if found is not None else "miss" if status in _MISSED or (length and status < 300) else "",
            cause,
        )
        if request is not None:
            fields = request.fields
            line.referrer, line.agent = fields.referrer, fields.agent
            if request.query or request.cmcd:
                line.session = session_of(request.query, request.cmcd)
        log.add(line)
