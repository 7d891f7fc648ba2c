"""What the box's console shows of the past: the last 48 hours, kept over restarts, and the nights of the fill agent.

The hours are one small file on the first device, written whole or not at all; the nights are the agent's own.
"""

from __future__ import annotations

import asyncio
from functools import partial
from pathlib import Path

import msgspec

from oca.common.errands import Errands, Outstanding
from oca.common.errors import StoreError
from oca.common.log import get_logger
from oca.common.messages import Serving
from oca.common.threads import in_thread
from oca.report.history import History, HistoryPage
from oca.report.probe import Probe
from oca.report.snapshot import Snapshot
from oca.store import files
from oca.store.fill_files import filled_nights
from oca.store.fill_record import FilledNights

FILE = "history.json"
FILE_BYTES_MAX = 4 * 2**20
WRITE_NS = 10 * 10**9
"""Health may change every second for a while; what comes meanwhile is written together."""
ANSWER_S = 2.0
"""How long a start, or a look at the nights, waits for the device."""
_log = get_logger("history")
_pages = msgspec.json.Decoder(HistoryPage)
_encode = msgspec.json.Encoder().encode


class Past:
    """Both, on one device. A device that fails costs the past, never the box; a kill what came since the last
    write, two minutes at most.
    """

    def __init__(self, device: Path, *, now_ns: int) -> None:
        """Take up what earlier runs of the daemon knew; blocks for the device, ``ANSWER_S`` at most."""
        self._device = device
        self._path = device / FILE
        self._writing: asyncio.Future[None] | None = None
        self._due, self._written_at_ns = False, -WRITE_NS
        self._why = ""
        self._history = History(self._earlier(), now_ns=now_ns)
        self._nights = Probe(partial(filled_nights, device), name="nights")

    def observe(self, snapshot: Snapshot, serving: Serving) -> None:
        """Take note of how the box is, and keep it if there is more to show: in a thread, one write at a time."""
        self._due |= self._history.observe(snapshot, serving)
        is_time = not 0 <= snapshot.at_ns - self._written_at_ns < WRITE_NS  # a clock may be set back
        if self._due and is_time and (self._writing is None or self._writing.done()):
            self._due, self._written_at_ns = False, snapshot.at_ns
            self._writing = in_thread(partial(self._write, self.page()), name="history")

    def page(self) -> HistoryPage:
        """All that is known."""
        return self._history.page()

    async def nights(self) -> FilledNights:
        """The nights of fills; a device that hangs is asked once, however many look."""
        told = await self._nights.answer(ANSWER_S)
        if isinstance(told, float):
            return FilledNights(nights=[], why=f"{self._device} has not answered for {told:.0f} s; see the kernel log")
        return told

    def _earlier(self) -> HistoryPage | None:
        errands: Errands[str, HistoryPage | None] = Errands(name="earlier")
        told = errands.ask({FILE: self._read}, timeout_s=ANSWER_S)[FILE]
        if isinstance(told, Exception):
            raise told
        if isinstance(told, Outstanding):
            why = f"{told}; see the kernel log"
            _log.warning("the last 48 hours cannot be read; they begin anew", file=str(self._path), why=why)
            return None
        return told

    def _read(self) -> HistoryPage | None:
        try:
            descriptor = files.open_read(self._path)
            if descriptor is None:
                return None
            try:
                return _pages.decode(files.read_at(descriptor, self._path, FILE_BYTES_MAX, 0))
            finally:
                files.close(descriptor)
        except (StoreError, msgspec.DecodeError) as error:
            _log.warning("the last 48 hours cannot be read; they begin anew", file=str(self._path), why=str(error))
            return None

    def _write(self, page: HistoryPage) -> None:
        try:
            files.write_whole(self._path, _encode(page))
        except StoreError as error:
            if str(error) != self._why:
                _log.warning("the last 48 hours cannot be kept over a restart", why=str(error))
            self._why = str(error)
        else:
            self._why = ""
