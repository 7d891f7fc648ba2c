"""What the store holds and how its devices are, and which of them are out. It may block: ask through a ``Probe``."""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path

from oca.common.box import StoreTable
from oca.common.clock import monotonic_s, now_ns
from oca.common.errands import Errands, Outstanding
from oca.common.errors import StoreError
from oca.common.log import get_logger
from oca.common.silence import LOOK_S_MAX
from oca.report.contents import Held
from oca.report.device_watch import DeviceLook, DeviceWatch
from oca.report.readings import DeviceReading
from oca.report.snapshot import StoreReading
from oca.store.device import held_in
from oca.store.fill_record import FillFigures
from oca.store.outage import Cause, DeviceError, Failures, Outage, bring_back, remedy_of, sentence, take_out
from oca.store.outages import ask_for_records, keep, read_records
from oca.store.records import HeldPack
from oca.store.trial import trial
from oca.store.trouble import trouble_of
from oca.store.use import use_in

MEASURE_INTERVAL_S = 10.0
"""Measuring the store walks its packs; between changes of the index only staging and strangers' files move."""
ANSWER_S = 0.3
HANG_S = 5.0
"""A device that has not answered for this long is said to hang; for how long until it is taken out, is a setting."""
ERRORS_WINDOW_S = 3600.0
BLAMED_MAX = 1000
_log = get_logger("devices")


class Inventory:
    """Watches the devices of one store. It looks at each anew when its index has changed, and every
    ``MEASURE_INTERVAL_S``; one that fails or hangs takes only its own assets with it.

    ``blame`` may be called from any thread, the rest from one at a time.
    """

    def __init__(self, table: StoreTable) -> None:
        """Take the first look; devices that were out and pass a trial are used again.

        Raises:
            StoreError: No device works; the first one's reason.
        """
        self._table = table
        folders = [Path(device) for device in table.devices]
        self._watches = [DeviceWatch(number, folder) for number, folder in enumerate(folders)]
        self._errands: Errands[int, DeviceLook] = Errands(name="device")
        self._failures = [Failures(errors_max=table.device_errors_max, window_s=ERRORS_WINDOW_S) for _ in self._watches]
        self._blamed: deque[tuple[int, str, str]] = deque(maxlen=BLAMED_MAX)
        self._looks: dict[int, DeviceLook] = {}
        self._waited_s: dict[int, float] = {}
        self._told: dict[int, DeviceLook] = {}
        self._sick_s: dict[int, float] = {}
        self._noted_at_s = monotonic_s()
        self._known = read_records(folders)
        self._marks: dict[int, int] = {}
        self._packs: list[HeldPack] = []
        self._held = Held(())
        self._figures = FillFigures()
        self._try_again()
        self._version = 0
        self._measure_at_s = 0.0
        # A large index that is not in memory takes a while; in a device that hangs workers would hang as they start.
        self._reading = self._read(timeout_s=table.device_hang_s, patient=True)
        if all(device.fault for device in self._reading.devices) and not self.out():
            first = self._looks.get(0, DeviceLook()).fault
            raise first or StoreError(self._reading.devices[0].fault, remedy="see the kernel log")

    def out(self) -> dict[int, Outage]:
        """The devices that are out, by number."""
        found = ((number, self._known.get(str(watch.folder))) for number, watch in enumerate(self._watches))
        return {number: outage for number, outage in found if outage is not None and outage.out}

    def blame(self, device: int, where: str, said: str) -> None:
        """Tell of a read from a device that failed; ``where`` names the pack or asset."""
        self._blamed.append((device, where, said))

    def note_sick(self, devices: Sequence[int]) -> None:
        """Tell which devices do not answer some worker's reads at this moment; once a second."""
        now_s = monotonic_s()
        passed_s = min(now_s - self._noted_at_s, LOOK_S_MAX)
        self._noted_at_s = now_s
        self._sick_s = {
            number: self._sick_s[number] + passed_s if number in self._sick_s else 0.0 for number in devices
        }

    def read(self) -> StoreReading:
        """What the store holds now, and how each device is."""
        self._reading = self._read(timeout_s=ANSWER_S)
        return self._reading

    def devices(self) -> list[DeviceReading]:
        """How each device is, as read last."""
        out = self.out()
        return [self._device(number, out.get(number)) for number in range(len(self._watches))]

    def close(self) -> None:
        """Let go of the store."""
        for number, watch in enumerate(self._watches):
            if number not in self._waited_s:  # a thread that hangs may still be in it
                watch.close()

    def _read(self, *, timeout_s: float, patient: bool = False) -> StoreReading:
        measure = monotonic_s() >= self._measure_at_s
        before = self.out()
        work = {
            number: watch.look_for_records if number in before else partial(watch.look, measure=measure)
            for number, watch in enumerate(self._watches)
        }
        for number, answer in self._errands.ask(work, timeout_s=timeout_s, patient=patient).items():
            if isinstance(answer, DeviceLook):
                self._looks[number] = answer
                self._waited_s.pop(number, None)
            elif isinstance(answer, Outstanding):
                self._waited_s[number] = answer.for_s
            else:
                raise answer
        self._measure_at_s = monotonic_s() + MEASURE_INTERVAL_S if measure else self._measure_at_s
        self._take_up_records()
        self._judge()
        return self._picture()

    def _picture(self) -> StoreReading:
        out = self.out()
        seen = {number: look for number, look in self._looks.items() if number not in out}
        contents = [look.contents for look in seen.values() if look.contents is not None]
        if seen != self._told:
            held = (pack for each in contents for pack in held_in(each.number, each.packs))
            self._packs = sorted(held, key=lambda pack: pack.asset)
            self._held = Held((pack.asset, pack.revision) for pack in self._packs)
            self._version += _differ(seen, self._told)
            self._told = seen
        fill = seen[0].fill if 0 in seen else None
        self._figures = (fill.figures if fill is not None else None) or self._figures
        table = self._table
        use = use_in(contents, device_bytes_max=table.device_bytes_max, reserve_ratio=table.reserve_ratio)
        return StoreReading(
            version=self._version,
            held=self._held,
            packs=self._packs,
            use=use,
            devices=self.devices(),
            out=out,
            quarantined=sum(each.quarantined for each in contents),
            fill=fill,
            figures=self._figures,
        )

    def _device(self, number: int, outage: Outage | None) -> DeviceReading:
        watch, look = self._watches[number], self._looks.get(number)
        path = str(watch.folder)
        if outage is not None:
            return DeviceReading(path, fault=f"{sentence(outage)}; {remedy_of(outage)}", free_bytes=0)
        waited_s = self._waited_s.get(number, 0.0)
        if look is None or waited_s > HANG_S:
            return DeviceReading(path, fault=f"has not answered for {waited_s:.0f} s; see the kernel log", free_bytes=0)
        if look.fault is not None:
            advice = "" if watch.was_opened else ", then restart oca"
            return DeviceReading(path, fault=f"{look.fault}{advice}", free_bytes=0)
        read_only = str(look.read_only) if look.read_only is not None else ""
        return DeviceReading(
            path,
            fault="",
            free_bytes=look.free_bytes,
            read_only=read_only,
            errors=self._failures[number].count(monotonic_s()),
            disk=look.disk,
        )

    # ---- out and back ----

    def _judge(self) -> None:
        """Take out the devices that fail."""
        while self._blamed:
            number, where, said = self._blamed.popleft()
            if number < len(self._watches):
                errors = self._failures[number].note(where, said, now_s=monotonic_s(), now_ns=now_ns())
                if errors:
                    many = f"{len(errors)} reads failed within an hour, the last: {said}"
                    self._take_out(number, "io-error", many, errors)
        for number, look in list(self._looks.items()):
            for error in (look.fault, look.read_only):
                trouble = trouble_of(error) if error is not None else None
                if error is not None and trouble is not None:
                    self._take_out(number, trouble, error.message)
        for number, waited_s in [*self._waited_s.items(), *self._sick_s.items()]:
            if waited_s >= self._table.device_hang_s:
                self._take_out(number, "hang", f"has not answered for {waited_s:.0f} s")

    def _take_out(self, number: int, cause: Cause, said: str, errors: Sequence[DeviceError] = ()) -> None:
        if number in self.out():
            return
        folder = str(self._watches[number].folder)
        outage = take_out(self._known.get(folder), folder, cause, said, now_ns=now_ns(), errors=errors)
        self._known[folder] = outage
        kept = self._keep(outage)
        _log.error("a device is taken out", device=folder, cause=cause, why=said, kept=kept, remedy=remedy_of(outage))

    def _try_again(self) -> None:
        for number, outage in self.out().items():
            if outage.cause == "operator":
                continue
            why = trial(number, self._watches[number].folder)
            if why:
                _log.warning("a device stays out", device=outage.device, why=why, since=sentence(outage))
                continue
            self._known[outage.device] = back = bring_back(outage, "passed the trial at a start", now_ns=now_ns())
            self._keep(back)
            _log.info("a device is used again", device=outage.device, was=sentence(outage))

    def _keep(self, outage: Outage) -> int:
        """Write the record down wherever it is taken; without that it would not outlive a restart."""
        out = self.out()
        kept = keep(
            [w.folder for n, w in enumerate(self._watches) if n not in out or w.folder == Path(outage.device)], outage
        )
        if not kept:
            _log.error("no device takes the record; it will not outlive a restart", of=outage.device)
        return kept

    def _take_up_records(self) -> None:
        """Take up what another process, the fill or a command, has written down."""
        marks = {number: look.mark for number, look in self._looks.items() if number not in self._waited_s}
        if marks == self._marks:
            return
        out = self.out()
        told, silent = ask_for_records([self._watches[number].folder for number in marks], timeout_s=ANSWER_S)
        self._marks = {n: mark for n, mark in marks.items() if str(self._watches[n].folder) not in silent}
        for folder, record in told.items():
            known = self._known.get(folder)
            if known is None or record.at_ns > known.at_ns:
                self._known[folder] = record
        for number in out.keys() - self.out().keys():
            self._failures[number].forget()
            self._sick_s.pop(number, None)
            self._looks.pop(number, None)
            _log.info("a device is used again", device=out[number].device, was=sentence(out[number]))
        for number in self.out().keys() - out.keys():
            _log.error(
                "a device was taken out", device=str(self._watches[number].folder), why=sentence(self.out()[number])
            )


def _differ(now: Mapping[int, DeviceLook], before: Mapping[int, DeviceLook]) -> bool:
    """Whether anything but figures of space has changed."""
    return {number: (look.version, look.contents is None) for number, look in now.items()} != {
        number: (look.version, look.contents is None) for number, look in before.items()
    }
