"""One delivery worker's process, from its start to its end: what it is told, what it says, what it counts."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import socket
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

from msgspec import DecodeError, structs

import oca
from oca.common.errors import OcaError
from oca.delivery.control import (
    LINE_BYTES_MAX,
    Closed,
    Down,
    Drain,
    Ready,
    Reload,
    Reloaded,
    Start,
    Tick,
    decode_up,
    line,
)
from oca.delivery.counters import Page

READY_S_MAX = 30.0
ANSWER_S_MAX = 10.0
SILENCE_S_MAX = 15.0
"""A worker that says nothing for so long hangs: it is killed, for players never leave a server that is silent."""
EXIT_GRACE_S = 2.0
LAST_WORD_S = 1.0
"""It may have spoken while the supervisor itself stood still: what lies there is read before it is judged."""
Value = TypeVar("Value")
_HOME = str(Path(oca.__file__).parents[1])


class WorkerProcess:
    """A worker; ``run`` is its life. ``why`` tells the reason of its end, empty before."""

    def __init__(self, take: Callable[[Tick], None]) -> None:
        """Make ready.

        Raises:
            OcaError: There is no memory or descriptor for its counters.
        """
        try:
            self.page = Page.create()
        except OSError as error:
            raise OcaError(
                f"no delivery worker can be started: {error.strerror}",
                remedy="raise LimitNOFILE or the machine's memory",
            ) from None
        self.ready = asyncio.Event()
        self.ended = asyncio.Event()
        self.pid = 0
        self.loop = ""
        self.why = ""
        self.sick: list[int] = []
        """Devices that it says do not answer reads, by number."""
        self._take = take
        self._process: asyncio.subprocess.Process | None = None
        self._down: asyncio.StreamWriter | None = None
        self._unsaid = b""
        self._spawned: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._begun: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._closed: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._reloaded: asyncio.Future[list[str]] = asyncio.get_running_loop().create_future()

    async def run(self, start: Start) -> None:
        """Start it, hear it, and return when it has ended; it inherits the descriptors of ``start``."""
        try:
            self.why = await self._live(structs.replace(start, page=self.page.descriptor))
        except OSError as error:  # no process or descriptor is to be had
            self.why = f"cannot be started: {error.strerror}"
        finally:
            self.ready.clear()
            self.ended.set()
            _settle(self._spawned, None)
            _settle(self._begun, None)
            _settle(self._closed, None)
            _settle(self._reloaded, [])  # its replacement reads the files at its start

    async def until_spawned(self) -> None:
        """Wait until its process is there and loads its modules, or has ended."""
        await asyncio.shield(self._spawned)

    async def until_ready(self) -> None:
        """Wait until it accepts connections.

        Raises:
            OcaError: It ended before, or is not ready after ``READY_S_MAX``; it is then killed.
        """
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(READY_S_MAX):
                await asyncio.shield(self._begun)
        if not self.ready.is_set():
            self.kill()
            why = self.why or f"not ready after {READY_S_MAX:.0f} s"
            raise OcaError(f"no delivery worker starts: {why}", remedy="see the worker's lines in the log")

    async def until_begun(self) -> None:
        """Wait until it accepts connections, or has ended."""
        await asyncio.shield(self._begun)

    async def until_closed(self) -> None:
        """Wait until it accepts no more connections, having been told to drain; ``ANSWER_S_MAX`` at most."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(ANSWER_S_MAX):
                await asyncio.shield(self._closed)

    async def reload(self, message: Reload) -> list[str]:
        """Let it read its files anew; returns what it could not read, so that it goes on with what it had."""
        if not self.ended.is_set():
            self._reloaded = asyncio.get_running_loop().create_future()
        self.tell(message)
        try:
            async with asyncio.timeout(ANSWER_S_MAX):
                return await asyncio.shield(self._reloaded)
        except TimeoutError:
            return [f"worker process {self.pid} has not answered for {ANSWER_S_MAX:.0f} s"]

    def tell(self, message: Down) -> None:
        """Say something to it, if it still listens; while it is being started, it hears that first."""
        if self._down is None:
            self._unsaid += line(message)
        elif not self._down.is_closing():
            self._down.write(line(message))

    async def see_out(self, drain_s: float, *, gently: bool) -> None:
        """Let it finish what it is sending, for ``drain_s`` at most, and see that it ends."""
        self.tell(Drain(deadline_s=drain_s, gently=gently))
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(drain_s + EXIT_GRACE_S):
                await self.ended.wait()
        self.kill()
        await self.ended.wait()

    def kill(self) -> None:
        """End it at once, if it has not ended."""
        if self._process is not None and self._process.returncode is None:
            self._process.kill()

    async def _live(self, start: Start) -> str:
        ours, theirs = socket.socketpair()
        with theirs:
            # -P and PYTHONPATH: the worker runs the code that its supervisor runs, wherever either was started.
            self._process = await asyncio.create_subprocess_exec(
                *(sys.executable, "-P", "-m", "oca.delivery", str(theirs.fileno())),
                stdin=asyncio.subprocess.DEVNULL,
                env={**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, [_HOME, os.environ.get("PYTHONPATH")]))},
                pass_fds=(theirs.fileno(), start.page, *start.listeners, *start.siblings),
            )
        self.pid = self._process.pid
        _settle(self._spawned, None)
        up, self._down = await asyncio.open_connection(sock=ours, limit=LINE_BYTES_MAX)
        self._down.write(line(start) + self._unsaid)
        try:
            silent = await self._hear(up)
            if silent:
                self.kill()
            status = await self._process.wait()
            return silent or _ending(status)
        finally:
            self._down.close()

    async def _hear(self, up: asyncio.StreamReader) -> str:
        """Take what it says until it ends; returns why it is to be killed, if it is."""
        while True:
            patience_s = SILENCE_S_MAX if self.ready.is_set() else READY_S_MAX
            said = await _next_line(up, patience_s)
            if said is None:
                return f"silent for {patience_s:.0f} s"
            if not said.endswith(b"\n"):
                return ""
            try:
                message = decode_up(said)
            except DecodeError:
                return "said what no worker says"
            if isinstance(message, Ready):
                self.loop = message.loop
                self.ready.set()
                _settle(self._begun, None)
            elif isinstance(message, Closed):
                _settle(self._closed, None)
            elif isinstance(message, Reloaded):
                _settle(self._reloaded, message.faults)
            else:
                self.sick = message.sick
                self._take(message)


def _settle(future: asyncio.Future[Value], value: Value) -> None:
    if not future.done():
        future.set_result(value)


async def _next_line(up: asyncio.StreamReader, patience_s: float) -> bytes | None:
    """What the worker says next; empty when it has ended, None when it is silent."""
    for wait_s in (patience_s, LAST_WORD_S):
        try:
            async with asyncio.timeout(wait_s):
                return await up.readline()
        except TimeoutError:
            continue
        except OSError:
            return b""
    return None


def _ending(status: int) -> str:
    if status == -signal.SIGBUS:  # the index is mapped: a page of it could not be read
        return "ended by SIGBUS: a device's index cannot be read; see 'oca store ls', then 'oca store rebuild'"
    if status < 0:
        return f"ended by {signal.Signals(-status).name}"
    return f"ended with status {status}"
