"""What the sessions of one worker share: look-up, counters, the date, limits, and who is connected."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Protocol

from oca.common import clock
from oca.delivery.demand import Demand
from oca.delivery.lookup import Lookup
from oca.delivery.metrics import DELIVERY_SLOTS, STATUSES
from oca.delivery.players import Players
from oca.delivery.settings import DeliveryTable
from oca.http1.parser import KnownBlocks
from oca.http1.request import Limits
from oca.http1.response import date_line
from oca.store.reader import StoreReader

STATUS_SLOTS = {status: DELIVERY_SLOTS[f"delivery_responses:{status}"] for status in STATUSES}
_OPEN = DELIVERY_SLOTS["delivery_connections"]
SWEEP_S = 1.0


class Overseen(Protocol):
    """A connection, as the sweep and the drain see it."""

    def check(self, now_s: float) -> None:
        """End what has overstayed a time-out."""

    def drain(self) -> None:
        """Close now if idle, else after the response that is being sent."""

    def reset(self) -> None:
        """End it at once."""


class Service:
    """Shared state of a worker. ``now_s`` and ``date`` are as of the last sweep, so that no request asks the clock."""

    def __init__(
        self,
        loop: asyncio.AbstractEventLoop,
        settings: DeliveryTable,
        counts: memoryview[int],
        open_reader: Callable[[], StoreReader],
    ) -> None:
        self.loop = loop
        self.settings = settings
        self.counts = counts
        self.demand = Demand()
        self.lookup = Lookup(open_reader, self.demand, counts)
        self.limits = Limits(
            head_bytes_max=settings.head_bytes_max,
            target_bytes_max=settings.target_bytes_max,
            fields_max=settings.fields_max,
        )
        self.known = KnownBlocks()
        self.players = Players.wanted(settings, counts)
        self.sessions: set[Overseen] = set()
        self.now_s = clock.monotonic_s()
        self.date = date_line(int(clock.now_s()))
        shortest_s = min(settings.idle_timeout_s, settings.head_timeout_s, settings.stalled_timeout_s)
        self._sweep_s = min(SWEEP_S, shortest_s / 4)
        self._timer: asyncio.TimerHandle | None = None
        self._empty = asyncio.Event()

    def join(self, session: Overseen) -> None:
        """A connection begins."""
        self.sessions.add(session)
        self.counts[_OPEN] += 1

    def leave(self, session: Overseen) -> None:
        """A connection has ended."""
        self.sessions.discard(session)
        self.counts[_OPEN] -= 1
        if not self.sessions:
            self._empty.set()

    def start(self) -> None:
        """Open the store and begin to sweep."""
        self.lookup.refresh()
        self._timer = self.loop.call_later(self._sweep_s, self._sweep)

    async def drain(self) -> None:
        """Let every connection end after what it is sending; return when all have."""
        for session in list(self.sessions):
            session.drain()
        while self.sessions:
            self._empty.clear()
            await self._empty.wait()

    def close(self) -> None:
        """End every connection at once and let go of the store."""
        if self._timer is not None:
            self._timer.cancel()
        for session in list(self.sessions):
            session.reset()
        self.lookup.close()

    def _sweep(self) -> None:
        self._timer = self.loop.call_later(self._sweep_s, self._sweep)
        self.now_s = clock.monotonic_s()
        self.date = date_line(int(clock.now_s()))
        self.lookup.refresh()
        for session in list(self.sessions):
            session.check(self.now_s)
