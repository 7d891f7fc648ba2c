"""Keeps a delivery worker on every core: starts them, restarts those that die, gathers what they count, drains them."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import socket
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

from msgspec import DecodeError, Struct, structs

import oca
from oca.common import clock
from oca.common.descriptors import raise_limit
from oca.common.errors import OcaError
from oca.common.log import LogFormat, LogLevel, get_logger
from oca.common.quality import Quality
from oca.common.tasks import Tasks
from oca.delivery.control import LINE_BYTES_MAX, Drain, Ready, Start, decode_up, line
from oca.delivery.counters import Page, total
from oca.delivery.demand import add
from oca.delivery.listeners import close_listeners, open_listeners, urls_of
from oca.delivery.quality import QualityWindow
from oca.delivery.settings import DeliveryTable
from oca.delivery.shares import Shares, share
from oca.store.reader import PACKS_OPEN_MAX

READY_S_MAX = 30.0
SILENCE_S_MAX = 15.0
"""A worker that says nothing for so long hangs: it is killed, for players never leave a server that is silent."""
LAST_WORD_S = 1.0
"""It may have spoken while the supervisor itself stood still: what lies there is read before it is judged."""
BACKOFF_S_MIN = 0.1
BACKOFF_S_MAX = 1.0
"""Viewers wait in the dead worker's queue meanwhile, and no player should wait long in silence."""
STEADY_S = 30.0
"""A worker that lived so long starts again without waiting."""
EXIT_GRACE_S = 2.0
_HOME = str(Path(oca.__file__).parents[1])
_log = get_logger("supervisor")


class WorkerState(Struct, frozen=True, kw_only=True):
    """One worker as the operator sees it; ``loop`` is its event loop, ``why`` what its last restart was for."""

    worker: int
    pid: int
    ready: bool
    loop: str
    restarts: int
    why: str


class _Slot:
    """A worker's place: what outlives the process in it."""

    def __init__(self, number: int, listeners: list[socket.socket]) -> None:
        self.number = number
        self.listeners = listeners
        self.page = Page.create()
        self.process: asyncio.subprocess.Process | None = None
        self.down: asyncio.StreamWriter | None = None
        self.ready = asyncio.Event()
        self.loop = ""
        self.restarts = 0
        self.why = ""

    def state(self) -> WorkerState:
        pid = self.process.pid if self.process is not None else 0
        ready = self.ready.is_set()
        return WorkerState(
            worker=self.number, pid=pid, ready=ready, loop=self.loop, restarts=self.restarts, why=self.why
        )


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
        self._log_level: LogLevel = log_level
        self._log_format: LogFormat = log_format
        self._slots: list[_Slot] = []
        self._tasks = Tasks()
        self._stopping = asyncio.Event()
        self._demand: dict[str, tuple[int, int]] = {}
        self._quality = QualityWindow()
        self._last_counters: dict[str, int] = total(())
        self._urls: tuple[str, ...] = settings.urls
        self._shares = Shares(settings.connections_max, PACKS_OPEN_MAX)

    @property
    def urls(self) -> tuple[str, ...]:
        """Base URLs that viewers reach this box by."""
        return self._urls

    async def start(self) -> None:
        """Listen and start the workers; return when all of them accept.

        Raises:
            ConfigError: An address cannot be listened on.
            OcaError: A worker does not start.
        """
        count = self._settings.workers or len(os.sched_getaffinity(0))
        listeners = open_listeners(self._settings.listen, count)
        self._urls = self._settings.urls or urls_of(listeners[0])
        self._shares = self._share_descriptors()
        self._slots = [_Slot(number, each) for number, each in enumerate(listeners)]
        keepers = [self._tasks.start(self._keep(slot), name=f"worker-{slot.number}") for slot in self._slots]
        try:
            async with asyncio.timeout(READY_S_MAX):
                for slot in self._slots:
                    await slot.ready.wait()
        except TimeoutError:
            why = next((slot.why for slot in self._slots if slot.why), f"not ready after {READY_S_MAX:.0f} s")
            await self.stop(0)
            raise OcaError(f"no delivery worker starts: {why}", remedy="see the worker's lines in the log") from None
        _log.info("serving", urls=list(self._urls), workers=len(keepers))

    async def stop(self, drain_s: float) -> None:
        """Stop listening, let responses finish for ``drain_s`` at most, and end every worker."""
        self._stopping.set()
        close_listeners([slot.listeners for slot in self._slots])
        for slot in self._slots:
            if slot.down is not None and not slot.down.is_closing():
                slot.down.write(line(Drain(deadline_s=drain_s)))
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(drain_s + EXIT_GRACE_S):
                await asyncio.gather(*(slot.process.wait() for slot in self._slots if slot.process is not None))
        for slot in self._slots:
            _kill(slot)
        await self._tasks.close()
        self._last_counters = total(slot.page for slot in self._slots)
        for slot in self._slots:
            slot.page.close()
        self._slots = []

    def counters(self) -> Mapping[str, int]:
        """Every declared delivery metric (``oca.common.metrics``), summed over the workers."""
        return total(slot.page for slot in self._slots) if self._slots else self._last_counters

    def take_demand(self) -> dict[str, tuple[int, int]]:
        """Viewers' (requests, bytes) per asset since the last call."""
        taken, self._demand = self._demand, {}
        return taken

    def quality(self) -> list[Quality]:
        """What viewers had of late, summed per asset and client prefix."""
        return self._quality.rows(clock.monotonic_s())

    def workers(self) -> list[WorkerState]:
        """Every worker's state, in order."""
        return [slot.state() for slot in self._slots]

    def _share_descriptors(self) -> Shares:
        """What each worker may have of what is set; the limit that is raised here is handed down to them."""
        descriptors_max, wanted = raise_limit(), self._shares
        shares = share(descriptors_max, wanted)
        if shares != wanted:
            _log.warning(
                "too few descriptors for all connections that are set and all packs; more connections are reset",
                descriptors_max=descriptors_max,
                connections_max=shares.connections_max,
                connections_set=wanted.connections_max,
                packs_max=shares.packs_max,
                remedy=f"raise LimitNOFILE to {wanted.descriptors}, or lower delivery.connections_max",
            )
        return shares

    async def _keep(self, slot: _Slot) -> None:
        """Keep a worker in ``slot``: when one ends, start the next, waiting longer while they die young."""
        wait_s = BACKOFF_S_MIN
        while not self._stopping.is_set():
            started_s = clock.monotonic_s()
            await self._live(slot)
            if self._stopping.is_set():
                return
            slot.restarts += 1
            if clock.monotonic_s() - started_s > STEADY_S:
                wait_s = BACKOFF_S_MIN
            _log.error("a worker ended; another follows", worker=slot.number, why=slot.why, wait_s=wait_s)
            await asyncio.sleep(wait_s)
            wait_s = min(wait_s * 2, BACKOFF_S_MAX)

    async def _live(self, slot: _Slot) -> None:
        """One process in ``slot``, from its start to its end."""
        ours, theirs = socket.socketpair()
        with theirs:
            listeners = tuple(listener.fileno() for listener in slot.listeners)
            # -P and PYTHONPATH: the worker runs the code that its supervisor runs, wherever either was started.
            slot.process = await asyncio.create_subprocess_exec(
                *(sys.executable, "-P", "-m", "oca.delivery", str(theirs.fileno())),
                stdin=asyncio.subprocess.DEVNULL,
                env={**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, [_HOME, os.environ.get("PYTHONPATH")]))},
                pass_fds=(theirs.fileno(), slot.page.descriptor, *listeners),
            )
        up, slot.down = await asyncio.open_connection(sock=ours, limit=LINE_BYTES_MAX)
        slot.down.write(
            line(
                Start(
                    worker=slot.number,
                    appliance=self._appliance,
                    settings=structs.replace(self._settings, connections_max=self._shares.connections_max),
                    packs_max=self._shares.packs_max,
                    devices=self._devices,
                    listeners=listeners,
                    page=slot.page.descriptor,
                    log_level=self._log_level,
                    log_format=self._log_format,
                )
            )
        )
        try:
            silent = await self._hear(slot, up)
            if silent:
                _kill(slot)
            status = await slot.process.wait()
            slot.why = silent or _ending(status)
        finally:
            slot.ready.clear()
            slot.page.reset_gauges()
            slot.down.close()

    async def _hear(self, slot: _Slot, up: asyncio.StreamReader) -> str:
        """Take what the worker says until it ends; returns why it is to be killed, if it is."""
        while True:
            said = await _next_line(up)
            if said is None:
                return f"silent for {SILENCE_S_MAX:.0f} s"
            if not said.endswith(b"\n"):
                return ""
            try:
                message = decode_up(said)
            except DecodeError:
                return "said what no worker says"
            if isinstance(message, Ready):
                slot.loop = message.loop
                slot.ready.set()
            else:
                add(self._demand, message.demand)
                self._quality.add(message.quality, clock.monotonic_s())


async def _next_line(up: asyncio.StreamReader) -> bytes | None:
    """What the worker says next; empty when it has ended, None when it is silent."""
    for wait_s in (SILENCE_S_MAX, LAST_WORD_S):
        try:
            async with asyncio.timeout(wait_s):
                return await up.readline()
        except TimeoutError:
            continue
        except OSError:
            return b""
    return None


def _kill(slot: _Slot) -> None:
    if slot.process is not None and slot.process.returncode is None:
        slot.process.kill()


def _ending(status: int) -> str:
    if status == -signal.SIGBUS:  # the index is mapped: a page of it could not be read
        return "ended by SIGBUS: a device's index cannot be read; see 'oca store ls', then 'oca store rebuild'"
    if status < 0:
        return f"ended by {signal.Signals(-status).name}"
    return f"ended with status {status}"
