"""One delivery worker: serves from the sockets that its supervisor hands it, until told to drain or left alone."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import os
import socket
from pathlib import Path
from typing import TYPE_CHECKING

import uvloop

from oca.common.clock import now_s
from oca.common.log import configure_logging, get_logger
from oca.common.tasks import Tasks
from oca.delivery.acceptor import Acceptor
from oca.delivery.authorisation import Authorisation
from oca.delivery.cmsd import Advice
from oca.delivery.control import (
    LINE_BYTES_MAX,
    Authorise,
    Closed,
    Cover,
    Drain,
    LeaveOut,
    Ready,
    Reload,
    Reloaded,
    ReloadTls,
    Salt,
    Start,
    Tick,
    TurnAway,
    Welcome,
    decode_down,
    line,
)
from oca.delivery.counters import Page
from oca.delivery.cover import Covering
from oca.delivery.handshakes import Handshakes
from oca.delivery.metrics import CONGESTIONS, DELIVERY_SLOTS
from oca.delivery.service import Service
from oca.delivery.session import Session
from oca.delivery.tcp_options import congestion_of, set_options
from oca.store.reader import StoreReader

if TYPE_CHECKING:
    from oca.delivery.pulls import Pulls

TICK_S = 1.0
ORPHAN_DRAIN_S = 2.0
"""How long responses may take to finish when the supervisor is gone and a new one may want the addresses."""
_LISTENERS = {name: DELIVERY_SLOTS[f"delivery_listeners:{name}"] for name in CONGESTIONS}
_log = get_logger("worker")


class Worker:
    """Serves from the sockets it was handed until told to drain."""

    def __init__(self, start: Start, up: asyncio.StreamWriter) -> None:
        self._start = start
        self._up = up
        self._page = Page(start.page)
        loop, settings = asyncio.get_running_loop(), start.settings
        self._service = Service(loop, settings, self._page.counts, self._open_reader, appliance=start.appliance)
        self._service.demand.begin_hour(start.salt.salt, start.salt.hour)
        self._handshakes = Handshakes(self._service, start.tls) if start.secure else None
        self._acceptors: list[Acceptor] = []
        begin_tls = self._handshakes.begin if self._handshakes is not None else None
        self._covering = Covering(self._service, start.siblings, plain=Session, secure=begin_tls)
        self._draining = asyncio.Event()
        self._drain = Drain(deadline_s=start.settings.drain_s)
        self._out = start.out

    async def run(self, down: asyncio.StreamReader) -> None:
        """Serve; return when drained."""
        tasks = Tasks()
        self._authorise(self._start.authorisation)
        self._service.start()
        pulls = self._pull_through()
        plain, begin_tls = len(self._start.listeners) - self._start.secure, self._handshakes and self._handshakes.begin
        self._acceptors = [
            Acceptor(self._listener(each), self._service, (number >= plain and begin_tls) or Session)
            for number, each in enumerate(self._start.listeners)
        ]
        gc.collect()
        gc.freeze()  # what lives as long as the worker need not be looked at again
        self._say(Ready(loop=type(asyncio.get_running_loop()).__module__))
        tasks.start(self._listen(down), name="control")
        tasks.start(self._tick(), name="tick")
        await self._draining.wait()
        await self._finish()
        await tasks.close()
        self._tell_demand()
        self._service.close()
        if pulls is not None:
            await pulls.close()
        self._up.close()

    def drain(self, wanted: Drain) -> None:
        """Stop accepting; ``run`` returns when what is being sent has ended, or at the deadline."""
        self._drain = wanted
        self._draining.set()

    def reload(self, wanted: Reload) -> None:
        """Read anew the files that settings name, open the logs anew, and tell how that went."""
        _set_up_log(self._start, wanted)
        self._say(Reloaded(faults=self._service.reload()))

    def _authorise(self, told: Authorisation) -> None:
        settings = self._start.settings.authorisation
        if told.enforcement(settings) == "off":
            self._service.gate = None
            return
        from oca.delivery.authorise import Gate  # noqa: PLC0415 - loads cryptography, which is not needed without

        before = self._service.gate
        gate = Gate(settings, told, self._page.counts, appliance=self._start.appliance, before=before)
        gate.tick(now_s())
        self._service.gate = gate

    def _pull_through(self) -> Pulls | None:
        if self._start.settings.miss.policy != "fetch":
            return None
        from oca.delivery.pulls import Pulls  # noqa: PLC0415 - loads an HTTP client, which is not needed without

        devices = [Path(device) for device in self._start.devices]
        table, service, counts = self._start.settings.miss, self._service, self._page.counts
        pulls = service.misses.pulls = Pulls(table, devices, service.lookup, counts, appliance=self._start.appliance)
        pulls.leave_out(self._out)
        return pulls

    async def _finish(self) -> None:
        for acceptor in self._acceptors:
            acceptor.close()
        self._covering.close()
        self._say(Closed())
        try:
            async with asyncio.timeout(self._drain.deadline_s):
                await self._service.drain(gently=self._drain.gently)
        except TimeoutError:
            _log.warning("drain time ran out", connections=len(self._service.sessions), drain_s=self._drain.deadline_s)

    async def _listen(self, down: asyncio.StreamReader) -> None:
        # A supervisor that is killed with our lines unread shows as a reset, not as an end.
        with contextlib.suppress(OSError):
            while told := await down.readline():
                message = decode_down(told)
                if isinstance(message, Advice):
                    self._service.advise(message)
                elif isinstance(message, Drain):
                    self.drain(message)
                elif isinstance(message, Authorise):
                    self._authorise(message.authorisation)
                elif isinstance(message, Cover):
                    self._covering.take(message)
                elif isinstance(message, Reload):
                    self.reload(message)
                elif isinstance(message, TurnAway):
                    self._service.turn_away(message)
                elif isinstance(message, LeaveOut):
                    self._leave_out(message.out)
                elif isinstance(message, Salt):
                    self._tell_demand()
                    self._service.demand.begin_hour(message.salt, message.hour)
                elif isinstance(message, Welcome):
                    self._service.turn_away(None)
                elif isinstance(message, ReloadTls) and self._handshakes is not None:
                    self._handshakes.reload(message.tls)
        if not self._draining.is_set():
            _log.error("the supervisor is gone; this worker ends")
            self.drain(Drain(deadline_s=ORPHAN_DRAIN_S))

    async def _tick(self) -> None:
        while True:
            await asyncio.sleep(TICK_S)
            self._tell_demand()

    def _tell_demand(self) -> None:
        players = self._service.players
        quality = players.take_quality() if players is not None else []
        reads, failed, demand = self._service.reads, self._service.lookup.take_failed(), self._service.demand
        told = Tick(
            demand=demand.take(),
            quality=quality,
            sick=reads.sick(),
            failed=failed,
            hour=demand.hour,
            met=demand.take_met(),
            wanted=demand.take_wanted(),
            dropped=demand.take_dropped(),
        )
        self._say(told)

    def _say(self, message: Ready | Closed | Reloaded | Tick) -> None:
        if not self._up.is_closing():
            self._up.write(line(message))

    def _listener(self, descriptor: int) -> socket.socket:
        listener = socket.socket(fileno=descriptor)
        is_first = self._start.worker == 0 and descriptor == self._start.listeners[0]
        set_options(listener, self._start.settings.pacing, log=is_first)
        name = congestion_of(listener)
        self._page.counts[_LISTENERS.get(name, _LISTENERS["other"])] += 1
        return listener

    def _open_reader(self) -> StoreReader:
        devices = [Path(device) for device in self._start.devices]
        return StoreReader.open(devices, packs_max=self._start.packs_max, out=self._out)

    def _leave_out(self, out: dict[int, bool]) -> None:
        self._out = out
        self._service.lookup.leave_out(out)
        if self._service.misses.pulls is not None:
            self._service.misses.pulls.leave_out(out)


def run(descriptor: int) -> None:
    """Serve on uvloop until drained; ``descriptor`` is the worker's end of the socket pair."""
    uvloop.run(_main(descriptor))


async def _main(descriptor: int) -> None:
    pair = socket.socket(fileno=descriptor)
    down, up = await asyncio.open_connection(sock=pair, limit=LINE_BYTES_MAX)
    start = decode_down(await down.readline())
    if not isinstance(start, Start):
        raise TypeError(f"the supervisor began with {start}")
    _set_up_log(start, start)
    if start.settings.pin_workers:
        _pin(start.worker)
    await Worker(start, up).run(down)


def _pin(worker: int) -> None:
    """Stay on one of the cores that the daemon may use."""
    cores = sorted(os.sched_getaffinity(0))
    os.sched_setaffinity(0, {cores[worker % len(cores)]})


def _set_up_log(start: Start, wanted: Start | Reload) -> None:
    configure_logging(level=wanted.log_level, style=wanted.log_format, appliance=start.appliance, worker=start.worker)
