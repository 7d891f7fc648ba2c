"""Look-ups for delivery: which bytes of which open pack answer a URL path."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Self

from oca.common.errors import StoreError
from oca.store import files
from oca.store.device import Device
from oca.store.entries import decode_entry
from oca.store.index import KEY_BYTES_MAX
from oca.store.records import Located

_GENERATION = 2**48
"""More than the transactions an index will ever see, so that a replaced index, or another set of devices, always
changes the version."""


PACKS_OPEN_MAX = 4096
"""Packs that a reader keeps open at once, each by a descriptor; opening one again costs microseconds."""


class OpenPack:
    """A pack that is open for sending. Whoever sends from it raises ``sends`` before and lowers it after."""

    __slots__ = ("asset", "descriptor", "device", "sends")

    def __init__(self, descriptor: int, asset: str, device: int = 0) -> None:
        self.descriptor = descriptor
        self.asset = asset
        self.device = device
        self.sends = 0

    def close(self) -> None:
        """Close it; the number may come to mean another file, so nobody shall send from it by mistake."""
        files.close(self.descriptor)
        self.descriptor = -1


class StoreReader:
    """Reads a store that another process may be filling. One thread at a time.

    A device that fails takes only its own assets with it: one that cannot be opened is left out, and ``failed`` says
    why; one that fails later is passed over, and not touched any more once ``leave_out`` has named it.
    """

    def __init__(
        self,
        devices: dict[int, Device],
        failed: dict[int, StoreError],
        *,
        packs_max: int = PACKS_OPEN_MAX,
        folders: Sequence[Path] = (),
    ) -> None:
        self.failed = failed
        self.closings = 0
        """Packs closed by ``pack`` to make room for others: whoever keeps packs drops them when it moves."""
        self._packs_max = packs_max
        self._devices = devices
        self._folders = folders
        self._out: Mapping[int, bool] = {}
        self._left_out: dict[int, Device] = {}
        """Open, but not to be touched: a thread may hang in one, and LMDB may be opened once in a process."""
        self._indexes = [(device.number, device.index.get) for device in devices.values()]
        self._open: dict[tuple[int, int], OpenPack] = {}
        self._leaving: list[OpenPack] = []
        self._generation = 0
        self._seen = -1
        self._refreshed_at = -1

    @classmethod
    def open(
        cls, devices: Sequence[Path], *, packs_max: int = PACKS_OPEN_MAX, out: Mapping[int, bool] | None = None
    ) -> Self:
        """Open every device that works, to keep ``packs_max`` packs open, and beyond them those being sent from.

        ``out`` as for ``leave_out``; those that are not to be read are not even opened.

        Raises:
            StoreError: None works; the first one's reason.
        """
        working: dict[int, Device] = {}
        failed: dict[int, StoreError] = {}
        out = out or {}
        for number, folder in enumerate(devices):
            if not out.get(number, True):
                continue
            try:
                working[number] = Device.open_for_reading(number, folder)
            except StoreError as error:
                failed[number] = error
        if not working:
            raise next(iter(failed.values()), StoreError("the store has no device", remedy="set [store] devices"))
        opened = cls(working, failed, packs_max=packs_max, folders=devices)
        opened.leave_out(out)
        return opened

    def leave_out(self, out: Mapping[int, bool]) -> None:
        """Ask these devices for nothing more, or where the value is True only for what no other has.

        Those that were left out before and are not named any more are asked again.
        """
        for number in [number for number in self._devices if not out.get(number, True)]:
            self._left_out[number] = self._devices.pop(number)
            self._leave_packs(number)
        for number in [number for number in self._out if number not in self._devices and out.get(number, True)]:
            try:
                left = self._left_out.pop(number, None)
                self._devices[number] = left or Device.open_for_reading(number, self._folders[number])
                self.failed.pop(number, None)
            except StoreError as error:
                self.failed[number] = error
        self._out = out
        known = sorted(self._devices.values(), key=lambda device: (device.number in out, device.number))
        self._indexes = [(device.number, device.index.get) for device in known]
        self._generation += 1

    def find(self, path: bytes) -> Located | None:
        """Where the object of that URL path lies; None is a miss. One LMDB get a device.

        Raises:
            StoreError: A device fails, and no other has the object.
        """
        if not 0 < len(path) <= KEY_BYTES_MAX:
            return None
        trouble = None
        for number, get in self._indexes:
            try:
                value = get(path)
                if value is not None:
                    return decode_entry(value, number)
            except StoreError as error:
                trouble = error
        if trouble is not None:
            raise trouble
        return None

    def pack(self, device: int, pack: int) -> OpenPack | None:
        """The open pack of a found object; None: evicted meanwhile.

        It is kept open until ``refresh`` finds it gone, or until it makes room for others (``closings``).

        Raises:
            StoreError: The device fails, or the process has too many files open.
        """
        known = self._open.pop((device, pack), None)
        if known is not None:
            self._open[(device, pack)] = known  # behind the others, as the latest asked for
            return known
        on = self._devices.get(device)
        entry = on.index.pack(pack) if on is not None else None
        if len(self._open) >= self._packs_max:
            self._make_room()
        descriptor = files.open_read(on.pack_path(pack)) if on is not None and entry is not None else None
        if entry is None or descriptor is None:
            return None
        files.read_no_more_than_asked(descriptor)
        opened = self._open[(device, pack)] = OpenPack(descriptor, entry.asset, device)
        return opened

    def is_open(self, located: Located) -> bool:
        """Whether ``pack`` has its pack at hand, without asking the device."""
        return (located.device, located.pack) in self._open

    def device_of(self, asset: str) -> int | None:
        """The device of the open pack that holds the asset; None if none is open."""
        return next((opened.device for opened in self._open.values() if opened.asset == asset), None)

    def version(self) -> int:
        """Changes whenever any index did. Costs microseconds: ask on a timer, not per request.

        A device that fails is passed over.
        """
        transactions = 0
        for device in self._devices.values():
            with suppress(StoreError):  # passed over; whoever reads from it is told why
                if device.index.replaced():
                    self._take_up(device)
                transactions += device.index.last_transaction()
        self._seen = self._generation * _GENERATION + transactions
        return self._seen

    def refresh(self) -> None:
        """Close packs that are gone and that nobody sends from. Call it on a timer, after ``version``.

        It acts only if ``version`` has moved: whoever drops finished look-ups when it does keeps none whose pack is
        closed here.
        """
        if self._seen != self._refreshed_at:
            for device, number in list(self._open):
                if self._is_gone(device, number):
                    self._leaving.append(self._open.pop((device, number)))
            self._refreshed_at = self._seen
        for opened in self._leaving:
            if opened.sends == 0:
                opened.close()
        self._leaving = [opened for opened in self._leaving if opened.sends > 0]

    def devices(self) -> list[Device]:
        """The devices that work."""
        return list(self._devices.values())

    def close(self) -> None:
        """Close every pack and index."""
        for opened in (*self._open.values(), *self._leaving):
            opened.close()
        self._open.clear()
        self._leaving.clear()
        for device in (*self._devices.values(), *self._left_out.values()):
            device.close()

    def _make_room(self) -> None:
        """Close the packs asked for longest ago, several at once: whoever keeps packs has to drop all of them."""
        idle = [key for key, opened in self._open.items() if opened.sends == 0]
        for key in idle[: max(1, self._packs_max // 4)]:
            self._open.pop(key).close()
            self.closings += 1

    def _is_gone(self, device: int, number: int) -> bool:
        try:
            return self._devices[device].index.pack(number) is None
        except StoreError:
            return False

    def _take_up(self, device: Device) -> None:
        """Read on from the index that was put in place of the old one; its numbers mean other packs now."""
        device.index.reopen(writable=device.index.writable)
        self._generation += 1
        self._leave_packs(device.number)

    def _leave_packs(self, device: int) -> None:
        for key in [key for key in self._open if key[0] == device]:
            self._leaving.append(self._open.pop(key))
