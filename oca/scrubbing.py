"""Keeps the scrubber's process, tells it what is suspect and what is out, and makes its findings known."""

from __future__ import annotations

import asyncio
import contextlib
import os
import sys
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path

from msgspec import DecodeError

import oca
from oca.common.box import StoreTable
from oca.common.log import get_logger
from oca.store.scrub_messages import (
    LINE_BYTES_MAX,
    Begin,
    Down,
    Found,
    LeaveOut,
    ScrubTally,
    Suspect,
    Trouble,
    decode_up,
    line,
)

END_S = 3.0
RESTART_S = 5.0
_HOME = str(Path(oca.__file__).parents[1])
_log = get_logger("scrub")


class Scrubbing:
    """The scrub as the daemon runs it; ``blame`` is told of each device's failed read, as the inventory wants it."""

    def __init__(self, table: StoreTable, blame: Callable[[int, str, str], None]) -> None:
        self._table = table
        self._blame = blame
        self._out: list[int] = []
        self._tally = ScrubTally()
        self._down: asyncio.StreamWriter | None = None
        self._stopping = False

    @property
    def is_on(self) -> bool:
        """Whether there is anything to run."""
        return self._table.scrub.rate_bytes_per_s > 0

    def counters(self) -> Mapping[str, int]:
        """The values of ``SCRUB``, by slot key."""
        return self._tally.values()

    def suspect(self, device: int, asset: str) -> None:
        """Have the asset's pack proved at once: a viewer's read of it failed."""
        self._tell(Suspect(device=device, asset=asset))

    def leave_out(self, out: Iterable[int]) -> None:
        """Have these devices left alone, and all others scrubbed."""
        if sorted(out) != self._out:
            self._out = sorted(out)
            self._tell(LeaveOut(out=self._out))

    def stop(self) -> None:
        """Let the scrubber keep its position and end; ``run`` returns when it has."""
        self._stopping = True
        if self._down is not None:
            self._down.close()

    async def run(self) -> None:
        """Keep a scrubber until ``stop``."""
        while not self._stopping:
            try:
                await self._live()
            except OSError as error:
                _log.error("the scrubber cannot be started", error=error.strerror)
            if not self._stopping:
                _log.error("the scrubber ended; another follows", after_s=RESTART_S)
                await asyncio.sleep(RESTART_S)

    async def _live(self) -> None:
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-P", "-m", "oca.store.scrubber"),
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            limit=LINE_BYTES_MAX,
            env={**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, [_HOME, os.environ.get("PYTHONPATH")]))},
        )
        assert process.stdin is not None  # noqa: S101 - both are pipes
        assert process.stdout is not None  # noqa: S101
        self._down = process.stdin
        scrub = self._table.scrub
        self._tell(
            Begin(
                devices=self._table.devices,
                rate_bytes_per_s=scrub.rate_bytes_per_s,
                interval_s=scrub.interval_s,
                out=self._out,
            )
        )
        try:
            while said := await process.stdout.readline():
                self._hear(said)
        finally:
            self._down = None
            await _end(process)

    def _tell(self, message: Down) -> None:
        if self._down is not None and not self._down.is_closing():
            self._down.write(line(message))

    def _hear(self, said: bytes) -> None:
        try:
            message = decode_up(said)
        except DecodeError:
            _log.warning("the scrubber said what no scrubber says", said=said[:200].decode("ascii", "replace"))
            return
        self._tally.add(message)
        if isinstance(message, Trouble):
            _log.warning("a device cannot be scrubbed", device=self._name(message.device), error=message.said)
        elif isinstance(message, Found):
            if message.kind == "unreadable":
                self._blame(message.device, message.asset, f"{message.asset}: {message.what}")
            _log.error(
                "the scrub found a bad pack",
                device=self._name(message.device),
                asset=message.asset,
                kind=message.kind,
                what=message.what,
                quarantined=not message.why_not,
                **({"why": message.why_not} if message.why_not else {}),
                remedy="the next fill brings the asset again" if not message.why_not else "run 'oca store verify'",
            )

    def _name(self, device: int) -> str:
        return self._table.devices[device] if device < len(self._table.devices) else str(device)


async def _end(process: asyncio.subprocess.Process) -> None:
    """Let it keep its position, then see that it is gone, unless a device that hangs holds even that up."""
    if process.stdin is not None:
        process.stdin.close()
    for end in (process.kill, lambda: _log.warning("the scrubber hangs in a device and is left behind")):
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(END_S):
                await process.wait()
                return
        end()
