"""What the sessions of one worker share: look-up, counters, the date, limits, and who is connected."""

from __future__ import annotations

import asyncio
import sys
from collections import deque
from collections.abc import Callable
from typing import TYPE_CHECKING, Protocol

from oca.common import clock
from oca.common.errors import OcaError
from oca.delivery.access_log import AccessLog
from oca.delivery.clients import Clients
from oca.delivery.cmsd import Advice
from oca.delivery.control import TurnAway
from oca.delivery.demand import Demand
from oca.delivery.lookup import Lookup
from oca.delivery.metrics import DELIVERY_SLOTS, STATUSES
from oca.delivery.misses import Misses
from oca.delivery.players import Players
from oca.delivery.progress import Pace
from oca.delivery.readahead import Reads
from oca.delivery.room import Room
from oca.delivery.settings import DeliveryTable
from oca.delivery.timings import Timings
from oca.http1.parser import KnownBlocks
from oca.http1.request import Limits
from oca.http1.response import cache_status, date_line
from oca.store.reader import StoreReader

if TYPE_CHECKING:
    from oca.delivery.authorise import Gate

STATUS_SLOTS = {status: DELIVERY_SLOTS[f"delivery_responses:{status}"] for status in STATUSES}
_OPEN = DELIVERY_SLOTS["delivery_connections"]
_GAVE_WAY = DELIVERY_SLOTS["delivery_connections_gave_way"]
_BLOCKS = DELIVERY_SLOTS["delivery_memory_blocks"]
SWEEP_S = 1.0
"""How often each connection is looked at, and the index's version."""
TICK_S = 0.1
"""A sweep goes in ticks, over a part of the connections each: 10,000 at once held every request up for 6 to 17 ms. A
tick costs some 0.14 ms with the log, and whoever asks amid one waits: at ten a second few do.
"""
SWEEP_STEP_NS = 150_000
"""How long a tick looks at connections before others have their turn: to end one takes 0.2 ms if much lies in its
socket, and those of a flood overstay together."""


class Overseen(Protocol):
    """A connection, as the sweep and the drain see it."""

    client: str

    def check(self, now_s: float) -> None:
        """End what has overstayed a time-out."""

    def drain(self, *, gently: bool = False) -> None:
        """Close now if idle, else after the response that is being sent; ``gently``: after the next, which says so."""

    def reset(self) -> None:
        """End it at once."""

    def can_go(self, now_s: float) -> bool:
        """Whether it has kept its place for nothing (``delivery.room``)."""


class Service:
    """Shared state of a worker. ``now_s`` and ``date`` are as of the last tick, so that no request asks the clock."""

    def __init__(
        self,
        loop: asyncio.AbstractEventLoop,
        settings: DeliveryTable,
        counts: memoryview[int],
        open_reader: Callable[[], StoreReader],
        *,
        appliance: str = "oca",
    ) -> None:
        self.loop = loop
        self.settings = settings
        self.counts = counts
        self.demand = Demand(settings.miss.redirect_marker.encode())
        self.timings = Timings(counts)
        small = settings.reads.small_bytes_max
        self.lookup = Lookup(open_reader, self.demand, counts, said=cache_status(appliance), small_bytes_max=small)
        self.misses = Misses(settings, counts, self.demand, appliance=appliance)
        self.reads = Reads(loop, settings.reads, counts)
        self.lookup.unwell = self.reads.unwell
        self.limits = Limits(
            head_bytes_max=settings.head_bytes_max,
            target_bytes_max=settings.target_bytes_max,
            fields_max=settings.fields_max,
        )
        self.known = KnownBlocks()
        self.players = Players.wanted(settings, counts, appliance)
        if self.players is not None and settings.cmcd.next_object:
            self.players.read_next = self._read_next
        self.pace = Pace(
            stalled_s=settings.stalled_timeout_s,
            bytes_per_s=settings.client_rate_bytes_per_s_min,
            window_s=settings.client_rate_window_s,
        )
        self.gate: Gate | None = None
        """Judges each request where URLs are signed; loaded only then."""
        self.sessions: dict[Overseen, None] = {}
        """Every connection, oldest first."""
        self.retiring = False
        """Each answer is the last on its connection, and ``date`` says so: a successor takes the next connections."""
        self.reloaders: list[Callable[[], None]] = []
        """What reads files anew when the operator says so; raises an OcaError where it goes on with what it had."""
        self.log = AccessLog.wanted(settings.access_log, counts)
        if self.log is not None:
            self.reloaders.append(self.log.reopen)
        self.clients = Clients(settings.connections_per_client_max)
        self.now_s = clock.monotonic_s()
        self.date = self._date()
        sweep_s = min(SWEEP_S, settings.idle_timeout_s / 4, settings.head_timeout_s / 4, self.pace.sample_s)
        self._ticks = max(1, round(sweep_s / TICK_S))
        self._tick_s = sweep_s / self._ticks
        self._ticks_left = 0
        self._unswept: list[Overseen] = []
        self._swept_per_tick = 1
        self._sweep_due = 0
        """How many of the unswept are to be looked at by now."""
        self._room: Room[Overseen] = Room()
        self._turns: deque[Callable[[], None]] = deque()
        self._timer: asyncio.TimerHandle | None = None
        self._empty = asyncio.Event()

    def _read_next(self, path: bytes, first: int, last: int) -> None:
        found = self.lookup.kept.get(path) or self.lookup.find(path)
        if found is not None and found.epoch != self.reads.epoch:
            length = (found.size if last < 0 else min(last + 1, found.size)) - first
            if length > 0:
                self.reads.ahead(found.pack, found.offset + first, length)

    def advise(self, advice: Advice) -> None:
        """Have players told ``advice``."""
        if self.players is not None:
            self.players.advice = advice

    def join(self, session: Overseen) -> None:
        """A connection begins."""
        self.sessions[session] = None
        self.clients.join(session.client)
        self.counts[_OPEN] += 1

    def leave(self, session: Overseen) -> None:
        """A connection has ended."""
        self.sessions.pop(session, None)
        self.clients.leave(session.client)
        self.counts[_OPEN] -= 1
        if not self.sessions:
            self._empty.set()

    def make_room(self) -> bool:
        """End a connection that keeps its place for nothing, for one that comes; False: none was found."""
        gone = self._room.choose(self.sessions, self.now_s)
        if gone is None:
            return False
        self.counts[_GAVE_WAY] += 1
        gone.reset()
        return True

    def queue(self, turn: Callable[[], None]) -> None:
        """Take a further ``turn`` when the other connections had theirs.

        One such turn is taken between two looks at the sockets, however many connections want one: those that ask for
        much wait for each other, not the rest for all of them.
        """
        if not self._turns:
            self.loop.call_soon(self._take_turn)
        self._turns.append(turn)

    def start(self) -> None:
        """Open the store and begin to sweep."""
        self.lookup.refresh()
        self.now_s = clock.monotonic_s()
        self._timer = self.loop.call_later(self._tick_s, self._tick)

    def reload(self) -> list[str]:
        """Read files anew; returns what could not be."""
        faults = []
        for reloader in self.reloaders:
            try:
                reloader()
            except OcaError as error:
                faults.append(str(error))
        return faults

    def turn_away(self, turning: TurnAway | None) -> None:
        """Turn viewers away from here on; None: nobody any more."""
        self.misses.turning = turning
        if turning is not None and turning.everyone:
            self.lookup.drop()  # what is at hand is answered before anything is asked

    async def drain(self, *, gently: bool = False) -> None:
        """Let every connection end after what it is sending, or ``gently`` after its next answer.

        Returns when all have ended.
        """
        self.retiring = gently
        self.date = self._date()
        for session in list(self.sessions):
            session.drain(gently=gently)
        while self.sessions:
            self._empty.clear()
            await self._empty.wait()

    def close(self) -> None:
        """End every connection at once and let go of the store."""
        if self._timer is not None:
            self._timer.cancel()
        for session in list(self.sessions):
            session.reset()
        self.timings.fold()
        if self.log is not None:
            self.log.close()
        self.reads.close()
        self.lookup.close()

    def _take_turn(self) -> None:
        turn = self._turns.popleft()
        if self._turns:
            self.loop.call_soon(self._take_turn)
        turn()

    def _tick(self) -> None:
        due_s = self.now_s + self._tick_s
        self.now_s = clock.monotonic_s()
        self._timer = self.loop.call_later(self._tick_s, self._tick)
        self.timings.lag.add(max(0, int((self.now_s - due_s) * 1e9)))
        self.timings.fold()
        if self.log is not None:
            self.log.tick(self.now_s)
        self.reads.tick(self.now_s)
        if not self._ticks_left:
            self._begin_sweep()
        self._ticks_left -= 1
        if not self._sweep_due:  # else that goes on by turns
            self._sweep_due = self._swept_per_tick
            self._sweep()

    def _sweep(self) -> None:
        until_ns = clock.monotonic_ns() + SWEEP_STEP_NS
        while self._sweep_due and self._unswept:
            self._sweep_due -= 1
            session = self._unswept.pop()
            if session in self.sessions:
                session.check(self.now_s)
            if clock.monotonic_ns() > until_ns:
                break
        else:
            self._sweep_due = 0
            return
        self.queue(self._sweep)

    def _begin_sweep(self) -> None:
        self.date = self._date()
        self.counts[_BLOCKS] = sys.getallocatedblocks()
        self.lookup.refresh()
        if self.gate is not None:
            self.gate.tick(clock.now_s())
        if len(self.sessions) < self.settings.connections_max:
            self._room.forget()
        self._ticks_left = self._ticks
        self._unswept = self._unswept or list(self.sessions)
        self._swept_per_tick = len(self._unswept) // self._ticks + 1

    def _date(self) -> bytes:
        date = date_line(int(clock.now_s()))
        return b"Connection: close\r\n" + date if self.retiring else date
