"""How one daemon follows another without a viewer noticing: the old one starts the new one on its own sockets.

The new one says over a socket pair that it serves, or why it cannot. The old one then stops accepting, finishes what it
is sending, and tells the new one each second what it still counts, so that no counter steps back and no demand is lost.
Either may be of another version: the messages are JSON lines, and fields that one does not know are ignored.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import socket
import subprocess
import sys
from collections.abc import AsyncIterator, Mapping, Sequence
from pathlib import Path

import msgspec

from oca.common.demand import Taken, Wanted
from oca.common.errors import OcaError

SOCKETS = "OCA_SOCKETS"
"""Names the descriptors of the sockets that a successor is to listen on."""
PREDECESSOR = "OCA_PREDECESSOR"
"""Names the descriptor of its end of the socket pair."""
READY_S_MAX = 90.0
REAP_S_MAX = 5.0
LINE_BYTES_MAX = 64 * 2**20


class Told(msgspec.Struct, frozen=True, kw_only=True):
    """Up, once: the successor serves, or ``fault`` says why it does not."""

    fault: str = ""


class Legacy(msgspec.Struct, frozen=True, kw_only=True):
    """Down, each second and at the end: what the old daemon counted in all, and viewers' demand since the last line."""

    pid: int
    version: str
    counters: dict[str, int]
    demand: list[tuple[str, int, int]]
    sessions: dict[str, int] = {}
    wanted: dict[str, Wanted] = {}
    dropped: int = 0

    @property
    def taken(self) -> Taken:
        """Its demand."""
        assets = {asset: (requests, count) for asset, requests, count in self.demand}
        return Taken(assets, self.sessions, self.wanted, self.dropped)


_encode = msgspec.json.Encoder().encode
_told = msgspec.json.Decoder(Told).decode
_legacy = msgspec.json.Decoder(Legacy).decode


class Successor:
    """The daemon that is to follow this one."""

    def __init__(self, sockets: Sequence[socket.socket]) -> None:
        """Start it on ``sockets``, with the command line, folder and environment that this process was started with.

        Raises:
            OcaError: It cannot be started.
        """
        self._channel, theirs = socket.socketpair()
        numbers = [each.fileno() for each in sockets]
        environment = {**os.environ, SOCKETS: ",".join(map(str, numbers)), PREDECESSOR: str(theirs.fileno())}
        try:
            with theirs:
                self._process = subprocess.Popen(  # noqa: S603 - what the operator started, again
                    own_command(), stdin=subprocess.DEVNULL, env=environment, pass_fds=(*numbers, theirs.fileno())
                )
        except OSError as error:
            self._channel.close()
            raise OcaError(
                f"{own_command()[0]} cannot be started: {error.strerror}",
                remedy="put the new version where the old one was",
            ) from None
        self.pid = self._process.pid
        self._writer: asyncio.StreamWriter | None = None

    async def until_ready(self) -> None:
        """Wait until it serves.

        Raises:
            OcaError: It does not; it has ended, or is told to.
        """
        reader, self._writer = await asyncio.open_connection(sock=self._channel)
        fault = f"it is not ready after {READY_S_MAX:.0f} s"
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(READY_S_MAX):
                said = await reader.readline()
            fault = _told(said).fault if said else "it ended before it was ready"
            if not fault:
                return
        self._writer.close()
        self._process.terminate()
        await self._reap()
        raise OcaError(f"the new daemon does not start: {fault}", remedy="its own lines are in the log")

    def tell(self, legacy: Legacy) -> None:
        """Hand on what was counted here."""
        if self._writer is not None and not self._writer.is_closing():
            self._writer.write(_encode(legacy) + b"\n")

    async def close(self) -> None:
        """Let it go its way; what was told reaches it first."""
        if self._writer is not None:
            self._writer.close()
            with contextlib.suppress(OSError):
                await self._writer.wait_closed()
        self._process.returncode = 0  # it outlives us: nobody is to wait for it

    async def _reap(self) -> None:
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(REAP_S_MAX):
                while self._process.poll() is None:  # noqa: ASYNC110 - only the kernel knows
                    await asyncio.sleep(0.05)


class Predecessor:
    """The daemon that this one follows."""

    def __init__(self, channel: socket.socket) -> None:
        self._channel = channel

    def tell(self, fault: str = "") -> None:
        """Say that this process serves, or why it cannot."""
        self._channel.setblocking(True)
        with contextlib.suppress(OSError):  # it ended meanwhile: then its sockets are ours alone
            self._channel.sendall(_encode(Told(fault=fault)) + b"\n")

    async def legacies(self) -> AsyncIterator[Legacy]:
        """What it hands on, until it has ended."""
        reader, writer = await asyncio.open_connection(sock=self._channel, limit=LINE_BYTES_MAX)
        try:
            with contextlib.suppress(OSError):
                while (said := await reader.readline()).endswith(b"\n"):
                    yield _legacy(said)
        finally:
            writer.close()


def own_command() -> list[str]:
    """This process's command line, by the script that was called: a link in its path may lead to a new version."""
    script = Path(sys.argv[0])
    if script.is_file() and os.access(script, os.X_OK):
        return [str(script), *sys.argv[1:]]
    return [sys.executable, *sys.orig_argv[1:]]


def legacy(version: str, counters: Mapping[str, int], demand: Taken) -> Legacy:
    """What this daemon hands on now."""
    return Legacy(
        pid=os.getpid(),
        version=version,
        counters=dict(counters),
        demand=[(asset, *sums) for asset, sums in demand.assets.items()],
        sessions=demand.sessions,
        wanted=demand.wanted,
        dropped=demand.dropped,
    )
