"""Keeps what is heard by BGP up to date, and steering told of it. Serving needs none of it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import TYPE_CHECKING, Protocol

import msgspec

from oca.common.clock import monotonic_s
from oca.common.errors import OcaError, SteeringError
from oca.common.log import get_logger
from oca.common.routes import RouteAnswer
from oca.common.tasks import Tasks
from oca.common.threads import in_thread
from oca.network.bird import Bird
from oca.network.bird_output import RouteTable, Session
from oca.network.hearing import Hearing
from oca.network.route_settings import RoutesTable
from oca.report.exchange import new_session
from oca.report.routes import Changes, RouteLedger, changes_between

if TYPE_CHECKING:
    import aiohttp

READING_SHARE = 0.1
"""Most of the time that reading tables may take: a full one is read less often than a small one."""
RETRY_S = 5.0
REFUSED_S_MAX = 300.0
_log = get_logger("routes")
_encode = msgspec.json.Encoder().encode
_decode = msgspec.json.Decoder(RouteAnswer).decode


class Daemon(Protocol):
    """What is asked of BIRD; each call may block."""

    def sessions(self) -> list[Session]:
        """Its BGP sessions."""

    def routes(self) -> RouteTable:
        """Its best BGP routes."""


class Exchange(Protocol):
    """How steering is told."""

    @property
    def timeout_s(self) -> float:
        """How long an answer may take."""

    async def post(self, session: aiohttp.ClientSession, what: str, body: bytes) -> bytes:
        """Post a message; the answer's body."""


class Reporting(Protocol):
    """Who reports to steering."""

    @property
    def exchange(self) -> Exchange:
        """Its way to steering."""


class RouteWatch:
    """What this box hears. ``ledger`` knows what of it steering has been told, ``why`` what is amiss."""

    def __init__(
        self,
        settings: RoutesTable,
        bird: Daemon,
        *,
        boot_id: str,
        clock: Callable[[], float] = monotonic_s,
    ) -> None:
        self.hearing = Hearing(hold_s=settings.hold_s)
        self.ledger = RouteLedger(boot_id)
        self.why = ""
        self.read_s = 0.0
        self.reads = 0
        self._poll_s = settings.poll_s
        self._bird = bird
        self._clock = clock
        self._read_at: float | None = None
        self._due = False
        self._news = asyncio.Event()

    @property
    def reason(self) -> str:
        """What an operator should know, for the health of the box; empty where all is well."""
        if self.why:
            return f"routes: {self.why}"
        down = [one.name for one in self.hearing.sessions if not one.established]
        if down:
            kept = f"; {self.hearing.kept} of its routes are kept" if self.hearing.kept else ""
            return f"BGP session {', '.join(down)} is not established{kept}"
        if self.hearing.has_begun() and not self.hearing.sessions:
            return "BIRD has no BGP session: no routes are heard"
        return ""

    async def run(self) -> None:
        """Look until cancelled."""
        while True:
            await self.look()
            await asyncio.sleep(self._poll_s)

    async def look(self) -> None:
        """Ask BIRD whether anything changed, and read its tables if so."""
        now = self._clock()
        try:
            sessions = await in_thread(self._bird.sessions, name="bird-sessions")
        except OcaError as error:
            self._note(error)
            if self.hearing.lost(now):
                await self._take({})
            return
        self._due |= self.hearing.see(sessions, now)
        if not self._due:
            self._note(None)
        elif self._read_at is None or now - self._read_at >= self.read_s / READING_SHARE:
            await self._read()

    async def _read(self) -> None:
        began_at = self._clock()
        try:
            read = await in_thread(self._bird.routes, name="bird-routes")
        except OcaError as error:  # what was heard before stays: it is better than nothing, and the fault is told
            self._note(error)
            return
        finally:
            self._read_at = self._clock()
            self.read_s = self._read_at - began_at
        self._due = False
        self.reads += 1
        self._note(None)
        await self._take(read)

    async def _take(self, read: RouteTable) -> None:
        before = self.hearing.table
        changes = await in_thread(lambda: changes_between(before, self.hearing.take(read)), name="routes")
        self._tell(changes)

    def nudge(self) -> None:
        """Steering wants the whole table."""
        self.ledger.restart()
        self._news.set()

    async def tell(self, exchange: Exchange) -> None:
        """Tell steering of every change until cancelled."""
        wait_s = RETRY_S
        async with new_session(exchange.timeout_s) as session:
            while True:
                await self._news.wait()
                self._news.clear()
                while (batch := self.ledger.batch()) is not None:
                    try:
                        answer = _decode(await exchange.post(session, "routes", _encode(batch)))
                    except (SteeringError, msgspec.DecodeError) as error:
                        _log.debug("routes are not told", why=str(error))  # the reporter says why steering is away
                        await asyncio.sleep(RETRY_S)
                        continue
                    if not answer.full_wanted:
                        self.ledger.acknowledge(batch)
                        wait_s = RETRY_S if batch.ends else wait_s
                        continue
                    if batch.full:
                        _log.warning("steering does not take the whole table of routes; see its log", again_in_s=wait_s)
                        await asyncio.sleep(wait_s)
                        wait_s = min(2 * wait_s, REFUSED_S_MAX)
                    self.ledger.restart()

    def start(self, tasks: Tasks, reporter: Reporting | None, *, pause_s: float) -> None:
        """Look, and tell steering where there is one, in the background."""
        tasks.keep_up(self.run, name="routes", pause_s=pause_s)
        if reporter is not None:
            tasks.keep_up(lambda: self.tell(reporter.exchange), name="routes-told", pause_s=pause_s)

    def _tell(self, changes: Changes) -> None:
        if not self.hearing.has_begun():
            return
        first = not self.ledger.begun
        if first:
            changes = dict.fromkeys(self.hearing.table)
        if changes or first:
            self.ledger.take(self.hearing.table, changes)
            _log.info("routes heard", routes=len(self.hearing.table), changed=len(changes), kept=self.hearing.kept)
            self._news.set()

    def _note(self, error: OcaError | None) -> None:
        """Log only what changed."""
        why = f"{error.message}; {error.remedy}" if error is not None else ""
        if why and why != self.why:
            _log.warning("routes cannot be read; those that are known are kept for a while", why=why)
        elif self.why and not why:
            _log.info("routes can be read")
        self.why = why


def watch_routes(settings: RoutesTable, *, boot_id: str) -> RouteWatch | None:
    """Ready to watch the BIRD daemon that ``settings`` name; None where they name none."""
    if not settings.bird_socket:
        return None
    return RouteWatch(
        settings, Bird(settings.bird_socket, settings.tables, routes_max=settings.routes_max), boot_id=boot_id
    )
