"""The scrub: re-reads every pack at a set rate and quarantines what is bad. A process of its own, ``python -m``.

So it can have idle I/O priority and the lowest CPU priority, takes nothing from the daemon's event loop, and hangs
alone. A thread a device: one that hangs does not hold up the others. It lives as long as its standard input.
"""

from __future__ import annotations

import os
import queue
import signal
import sys
import threading
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import psutil

from oca.common.clock import monotonic_s, now_ns
from oca.common.errors import StoreError
from oca.common.log import configure_logging, get_logger
from oca.store import files
from oca.store.device import Device
from oca.store.proof import faults_of_pack
from oca.store.records import Fault
from oca.store.scrub_messages import Begin, Found, LeaveOut, Progress, Suspect, Trouble, Up, decode_down, line
from oca.store.scrub_position import Pace, Position, decode, encode
from oca.store.verify import quarantine_pack

POSITION = "scrub"
KEEP_INTERVAL_S = 10.0
SAY_INTERVAL_S = 2.0
RETRY_S = 30.0
LOOK_INTERVAL_S = 60.0
"""How often a device whose pass is not due is looked at."""
PASS_PAUSE_S = 1.0
"""Between two passes at least: an empty device is scrubbed in no time."""
SUSPECTS_MAX = 1000
_POSITION_BYTES_MAX = 4096
_END_S = 2.0
_log = get_logger("scrub")


class _EndedError(Exception):
    """The scrubber is to end, amid a pack."""


class DeviceScrub:
    """One device's scrub; ``run`` is its thread."""

    def __init__(self, number: int, begin: Begin, say: Callable[[Up], None]) -> None:
        self.is_out = number in begin.out
        self._number = number
        self._folder = Path(begin.devices[number])
        self._interval_s = begin.interval_s
        self._say = say
        self._pace = Pace(begin.rate_bytes_per_s)
        self._suspects: queue.Queue[str] = queue.Queue(SUSPECTS_MAX)
        self._ending = threading.Event()
        self._news = threading.Event()
        self._device: Device | None = None
        self._position = Position()
        self._kept_at_s = self._said_at_s = 0.0
        self._read_bytes = self._packs = 0

    def suspect(self, asset: str) -> None:
        """Prove that asset's pack before all others."""
        with suppress(queue.Full):
            self._suspects.put_nowait(asset)
        self._news.set()

    def leave_out(self, *, is_out: bool) -> None:
        """Leave the device alone, or go on."""
        self.is_out = is_out
        self._news.set()

    def end(self) -> None:
        """Stop as soon as the read that is under way returns."""
        self._ending.set()
        self._news.set()

    def run(self) -> None:
        """Pass after pass, until ``end``."""
        while not self._ending.is_set():
            try:
                wait_s = LOOK_INTERVAL_S if self.is_out else self.step()
            except _EndedError:
                break
            except StoreError as error:
                self._say(Trouble(device=self._number, said=error.message))
                wait_s = RETRY_S
            if wait_s:
                self._news.wait(wait_s)
                self._news.clear()
        if self._device is not None and not self.is_out:
            with suppress(StoreError):
                self._keep()

    def step(self) -> float:
        """Prove one pack; returns after how many seconds to come again.

        Raises:
            StoreError: The device cannot be looked at.
        """
        device = self._opened()
        packs = device.index.packs()
        with suppress(queue.Empty):
            asset = self._suspects.get_nowait()
            for number in [number for number, entry in packs.items() if entry.asset == asset]:
                self._prove(device, number)
            return 0.0
        due_in_s = self._position.due_in_s(self._interval_s, now_ns())
        if due_in_s:
            self._tell(at_once=True)
            return min(due_in_s, LOOK_INTERVAL_S)
        if not self._position.began_at_ns:
            self._position = self._position.begun(now_ns())
        following = self._position.next_of(packs)
        if following is None:
            self._position = self._position.ended(now_ns())
            self._keep()
            self._tell(at_once=True)
            return PASS_PAUSE_S
        self._prove(device, following)
        self._position = self._position.after(following)
        if monotonic_s() >= self._kept_at_s + KEEP_INTERVAL_S:
            self._keep()
        return 0.0

    def _opened(self) -> Device:
        if self._device is None:
            self._device = Device.open_for_reading(self._number, self._folder)
            self._position = self._kept()
        elif self._device.index.replaced():
            self._device.index.reopen(writable=self._device.index.writable)
        else:
            return self._device
        self._device.index.require_sound()
        return self._device

    def _prove(self, device: Device, number: int) -> None:
        entry = device.index.pack(number)
        if entry is None:
            return
        faults = faults_of_pack(device, number, entry, on_bytes=self._on_bytes)
        self._packs += 1
        if faults:
            self._found(device, number, entry.asset, faults)
        self._tell()

    def _found(self, device: Device, number: int, asset: str, faults: list[Fault]) -> None:
        first = faults[0]
        try:
            why_not = "" if quarantine_pack(device, number, faults) else "the pack itself is not to blame"
        except StoreError as error:
            why_not = error.message
        what = first.what if len(faults) == 1 else f"{first.what}, and {len(faults) - 1} more"
        self._say(Found(device=self._number, asset=asset, kind=first.kind, what=what, why_not=why_not))

    def _on_bytes(self, count: int) -> None:
        self._read_bytes += count
        self._tell()
        self._ending.wait(self._pace.wait_s(count, monotonic_s()))
        if self._ending.is_set():
            raise _EndedError

    def _tell(self, *, at_once: bool = False) -> None:
        if at_once or monotonic_s() >= self._said_at_s + SAY_INTERVAL_S:
            passed_at_ns = self._position.passed_at_ns
            self._say(
                Progress(device=self._number, read_bytes=self._read_bytes, packs=self._packs, passed_at_ns=passed_at_ns)
            )
            self._read_bytes = self._packs = 0
            self._said_at_s = monotonic_s()

    def _kept(self) -> Position:
        path = self._folder / POSITION
        descriptor = files.open_read(path)
        if descriptor is None:
            return Position()
        try:
            return decode(files.read_at(descriptor, path, _POSITION_BYTES_MAX, 0))
        finally:
            files.close(descriptor)

    def _keep(self) -> None:
        self._kept_at_s = monotonic_s()
        files.write_whole(self._folder / POSITION, encode(self._position))


def main() -> None:
    """Scrub what the first line tells, until standard input ends."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    configure_logging()
    be_idle()
    begin = decode_down(sys.stdin.buffer.readline())
    if not isinstance(begin, Begin):
        raise TypeError(f"the daemon began with {begin}")
    speech = threading.Lock()

    def say(message: Up) -> None:
        with speech, suppress(OSError):  # the daemon is gone: its end of our input is next
            sys.stdout.buffer.write(line(message))
            sys.stdout.buffer.flush()

    scrubs = [DeviceScrub(number, begin, say) for number in range(len(begin.devices))]
    threads = [
        threading.Thread(target=scrub.run, name=f"scrub-{number}", daemon=True) for number, scrub in enumerate(scrubs)
    ]
    for thread in threads:
        thread.start()
    for told in sys.stdin.buffer:
        message = decode_down(told)
        if isinstance(message, Suspect) and message.device < len(scrubs):
            scrubs[message.device].suspect(message.asset)
        elif isinstance(message, LeaveOut):
            for number, scrub in enumerate(scrubs):
                scrub.leave_out(is_out=number in message.out)
    for scrub in scrubs:
        scrub.end()
    for thread in threads:
        thread.join(_END_S)


def be_idle() -> None:
    """Give way to everybody else, at the devices and at the CPU; threads that are started later inherit it."""
    try:
        os.nice(19)
        psutil.Process().ionice(psutil.IOPRIO_CLASS_IDLE)
    except (psutil.Error, OSError) as error:
        _log.warning("the scrub has no idle priority; its rate holds all the same", error=str(error))


if __name__ == "__main__":
    main()
