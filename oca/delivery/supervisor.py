"""Keeps a delivery worker on every core: starts them, restarts those that die, gathers what they count, drains them."""

from __future__ import annotations

import asyncio
import os
import socket
from collections.abc import Awaitable, Callable, Mapping, Sequence
from pathlib import Path

from msgspec import structs

from oca.common import clock
from oca.common.demand import Taken
from oca.common.errors import OcaError
from oca.common.log import LogFormat, LogLevel, get_logger
from oca.common.messages import Load
from oca.common.new_key import new_salt
from oca.common.quality import Quality
from oca.common.tasks import Tasks
from oca.delivery.authorisation import Authorisation
from oca.delivery.cmsd import Advice, advise, busy_ratio
from oca.delivery.control import Authorise, Down, LeaveOut, Reload, Start, Tick
from oca.delivery.counters import Totals
from oca.delivery.door import Door
from oca.delivery.gathered import Gathered
from oca.delivery.listeners import Take, close_listeners, open_listeners, urls_of
from oca.delivery.miss_settings import Turn
from oca.delivery.process import WorkerProcess
from oca.delivery.quality import QualityWindow
from oca.delivery.settings import DeliveryTable, for_workers
from oca.delivery.share_out import share_out
from oca.delivery.shares import Shares
from oca.delivery.slot import Slot, WorkerState, cover
from oca.delivery.tls_keeper import TlsKeeper
from oca.store.reader import PACKS_OPEN_MAX

BACKOFF_S_MIN, BACKOFF_S_MAX = 0.1, 0.5
"""Viewers wait in the dead worker's queue meanwhile, and no player should wait long in silence."""
STEADY_S = 30.0
"""A worker that lived so long starts again without waiting."""
FAILED_MAX = 1000
LOAD_INTERVAL_S = 1.0  # how often it is asked whether the box has too much to send
Meanwhile = Callable[[], Awaitable[None]]
_log = get_logger("supervisor")


class Supervisor:
    """Runs the delivery workers of one appliance."""

    def __init__(
        self,
        settings: DeliveryTable,
        devices: Sequence[Path],
        *,
        appliance: str,
        log_level: LogLevel = "info",
        log_format: LogFormat = "auto",
    ) -> None:
        self._settings = settings
        self._devices = tuple(str(device) for device in devices)
        self._appliance = appliance
        self._log = Reload(log_level=log_level, log_format=log_format)
        self._slots: list[Slot] = []
        self._processes: set[WorkerProcess] = set()
        """All that run: those in their slots, and those that a successor has replaced and that finish their answers."""
        self._tasks = Tasks()
        self._stopping = asyncio.Event()
        self.gathered = Gathered()
        self.gathered.begin_hour(clock.now_s(), new_salt)
        self._failed: list[tuple[int, str, str]] = []
        self._out: dict[int, bool] = {}
        self._quality = QualityWindow()
        self._advice = Advice()
        self._totals = Totals()
        self._own_urls: tuple[str, ...] = ()
        self._authorisation = Authorisation()
        self._secure = len(settings.tls.listen)
        self._shares = Shares(settings.connections_max, PACKS_OPEN_MAX)
        self.door = Door(settings.overload)
        self.tls = TlsKeeper(settings.tls, self._tell)

    @property
    def urls(self) -> tuple[str, ...]:
        """Base URLs that viewers reach this box by."""
        return self._settings.urls or self._own_urls

    async def start(self, take: Take = lambda _: [], *, meanwhile: Meanwhile | None = None) -> None:
        """Listen and start the workers; return when all of them accept. ``take`` gives sockets that are open already;
        ``meanwhile`` is done while the workers load their modules.

        Raises:
            ConfigError: An address cannot be listened on, or a certificate not be used.
            OcaError: A worker does not start, or what is done meanwhile fails.
        """
        count = self._settings.workers or len(os.sched_getaffinity(0))
        self.tls.prepare(self._settings.tls)
        listeners = open_listeners(self._settings.addresses, count, take)
        self._own_urls = urls_of(listeners[0], secure=self._secure, name=self.tls.name)
        self._shares = share_out(self._settings)
        if len(listeners) > count:
            _log.warning("more sockets are handed down than workers are set; each gets one", workers=len(listeners))
        self._slots = [Slot(number, each) for number, each in enumerate(listeners)]
        try:
            first = [self._begin(slot) for slot in self._slots]
            await asyncio.gather(*(process.until_spawned() for process in first))
            if meanwhile is not None:
                await meanwhile()
            for process in first:
                await process.until_ready()
        except OcaError:
            await self.stop(self._settings.drain_s)
            raise
        for slot in self._slots:
            self._tasks.start(self._keep(slot), name=f"worker-{slot.number}")
        self._tasks.start(self._watch_load(), name="load")
        self._tasks.start(self.tls.run(), name="tls")
        _log.info("serving", urls=list(self.urls), workers=len(self._slots))

    async def stop(self, drain_s: float, *, gently: bool = False) -> None:
        """Stop listening, let responses finish for ``drain_s`` at most, and end every worker.

        ``gently``: another daemon has taken the sockets over; viewers' connections are told to close in an answer.
        """
        self._stopping.set()
        close_listeners([slot.listeners for slot in self._slots])
        await asyncio.gather(*(process.see_out(drain_s, gently=gently) for process in self._processes))
        await self._tasks.close()
        self._slots = []

    async def reload(self, settings: DeliveryTable, *, log_level: LogLevel, log_format: LogFormat) -> list[str]:
        """Take up changed settings and changed files.

        What workers are started with comes by new workers, one after the other; where none of that has changed,
        they read their files anew and no connection notices.

        Returns:
            What could not be read anew and goes on as it was.

        Raises:
            OcaError: A worker does not start with these settings; all run as before.
        """
        self._log = Reload(log_level=log_level, log_format=log_format)
        before, self._settings = self._settings, settings
        faults = await self.tls.reload(settings.tls)
        if for_workers(before) == for_workers(settings):
            told = await asyncio.gather(*(s.process.reload(self._log) for s in self._slots if s.process is not None))
            return sorted({*faults, *(fault for each in told for fault in each)})
        self._shares = share_out(self._settings)
        self.door.take(settings.overload)
        done: list[Slot] = []
        try:
            for slot in self._slots:
                await self._hand_over(slot)
                done.append(slot)
        except OcaError:
            self._settings = before
            self._shares = share_out(self._settings)
            self.door.take(before.overload)
            for slot in done:
                await self._hand_over(slot)
            raise
        return faults

    def authorise(self, told: Authorisation) -> None:
        """Hand keys and policy of signed URLs to every worker, and to those that follow."""
        self._authorisation = told
        self._tell(Authorise(authorisation=told))

    def turn_away(self, answer: Turn | None) -> None:
        """Answer every viewer so, for the operator has drained the box; None: serve them."""
        if answer != self.door.drained:
            self.door.drained = answer
            self._tell(self.door.message())

    def advise(self, load: Load) -> None:
        """Have players step down as far as a box under ``load`` needs, where they are told so (``delivery.cmsd``)."""
        settings = self._settings.cmsd
        advice = advise(busy_ratio(load, settings), settings) if settings.enabled else Advice()
        if advice != self._advice:
            self._advice = advice
            self._tell(advice)

    def leave_out(self, out: Mapping[int, bool]) -> None:
        """Have the workers ask nothing of these devices, or where the value is True only for what no other has."""
        self._out = dict(out)
        self._tell(LeaveOut(out=self._out))

    def take_failed(self) -> list[tuple[int, str, str]]:
        """Reads of viewers that failed since the last call, as (device, asset, why)."""
        taken, self._failed = self._failed, []
        return taken

    def counters(self) -> Mapping[str, int]:
        """Every declared delivery metric (``oca.common.metrics``), summed over the workers."""
        return {**self._totals.read(), "delivery_advised_bytes_per_second": self._advice.bitrate_max}

    def take_demand(self) -> Taken:
        """Viewers' demand since the last call."""
        return self.gathered.take()

    def quality(self) -> list[Quality]:
        """What viewers had of late, summed per asset and client prefix."""
        return self._quality.rows(clock.monotonic_s())

    @property
    def sockets(self) -> list[socket.socket]:
        """Every socket that is listened on, for a daemon that is to follow this one."""
        return list(dict.fromkeys(each for slot in self._slots for each in slot.listeners))

    def follow(self, counters: Mapping[str, int], demand: Taken) -> None:
        """Add to ours what a daemon that this one follows counted in all, and its demand since the last call."""
        self._totals.before = counters
        self.gathered.follow(demand)

    def follow_no_more(self) -> None:
        """The daemon that this one follows has ended."""
        self._totals.close_before()

    def workers(self) -> list[WorkerState]:
        """Every worker's state, in order."""
        return [slot.state() for slot in self._slots]

    def _tell(self, message: Down) -> None:
        for process in self._processes:
            process.tell(message)

    async def _watch_load(self) -> None:
        while True:
            await asyncio.sleep(LOAD_INTERVAL_S)
            if self.door.observe(self.counters):
                self._tell(self.door.message())
            if salt := self.gathered.begin_hour(clock.now_s(), new_salt):
                self._tell(salt)

    async def _keep(self, slot: Slot) -> None:
        """Keep a worker in ``slot``: when one ends, start the next, waiting longer while they die young."""
        wait_s, started_s = BACKOFF_S_MIN, clock.monotonic_s()
        while not self._stopping.is_set():
            process = slot.process
            if process is None or process.ended.is_set():
                try:
                    process = self._begin(slot)
                except OcaError as error:
                    _log.error("a worker is missing", worker=slot.number, why=error.message, remedy=error.remedy)
                    await asyncio.sleep(BACKOFF_S_MAX)
                    continue
                started_s = clock.monotonic_s()
                await process.until_begun()
                self._tell(cover(self._slots, secure=self._secure))
            await process.ended.wait()
            if self._stopping.is_set() or slot.process is not process:  # its successor came; the slot was never empty
                continue
            self._tell(cover(self._slots, secure=self._secure))
            slot.restarts += 1
            slot.why = process.why
            if clock.monotonic_s() - started_s > STEADY_S:
                wait_s = BACKOFF_S_MIN
            _log.error("a worker ended; another follows", worker=slot.number, why=slot.why, wait_s=wait_s)
            await asyncio.sleep(wait_s)
            wait_s = min(wait_s * 2, BACKOFF_S_MAX)

    async def _hand_over(self, slot: Slot) -> None:
        """Put a new worker into ``slot``, on the same sockets; the old one then finishes its answers and ends.

        Raises:
            OcaError: The new one does not start; the old one goes on.
        """
        if self._stopping.is_set():
            raise OcaError("the daemon is stopping", remedy="start it again with the new settings")
        successor = self._begin(slot, at_once=False)
        await successor.until_ready()
        predecessor, slot.process = slot.process, successor
        self._tell(cover(self._slots, secure=self._secure))
        if predecessor is not None:
            leaving = predecessor.see_out(self._settings.drain_s, gently=True)
            self._tasks.start(leaving, name=f"worker-{slot.number}-leaves")
            await predecessor.until_closed()  # whoever connects from now on is served by the new settings

    def _begin(self, slot: Slot, *, at_once: bool = True) -> WorkerProcess:
        """Start a process for ``slot`` and, ``at_once``, put it there; raises as ``WorkerProcess`` does."""
        process = WorkerProcess(self._take)
        process.tell(self.door.message())
        listeners = tuple(listener.fileno() for listener in slot.listeners)
        start = Start(
            worker=slot.number,
            appliance=self._appliance,
            settings=structs.replace(self._settings, connections_max=self._shares.connections_max),
            packs_max=self._shares.packs_max,
            devices=self._devices,
            listeners=listeners,
            siblings=tuple({listener.fileno() for listener in self.sockets} - set(listeners)),
            page=process.page.descriptor,
            authorisation=self._authorisation,
            log_level=self._log.log_level,
            log_format=self._log.log_format,
            secure=self._secure,
            tls=self.tls.material,
            out=self._out,
            salt=self.gathered.salt,
        )
        process.tell(self._advice)
        self._processes.add(process)
        self._totals.add(process.page)
        self._tasks.start(self._live(process, start), name=f"worker-{slot.number}-process")
        if at_once:
            slot.process = process
        return process

    async def _live(self, process: WorkerProcess, start: Start) -> None:
        try:
            await process.run(start)
        finally:
            self._processes.remove(process)
            self._totals.leave(process.page)

    def _take(self, tick: Tick) -> None:
        self.gathered.add(tick, clock.monotonic_s())
        self._failed = [*self._failed, *tick.failed][-FAILED_MAX:]
        self._quality.add(tick.quality, clock.monotonic_s())
