"""What a store holds and how full it is, as reports and the operator's commands tell it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import Self

from msgspec import Struct

from oca.common.errors import StoreError
from oca.common.messages import StoreUse
from oca.store import files
from oca.store.capacity import DeviceSpace, capacity_bytes
from oca.store.device import Device, held_in
from oca.store.entries import PackEntry
from oca.store.quarantine import held_bytes
from oca.store.reader import StoreReader
from oca.store.records import HeldPack


class Survey(Struct, frozen=True):
    """A store that is open for reading, as found.

    Attributes:
        held: Every asset held whole on a device that can be read, by id.
        use: Space and contents of those devices.
        devices: How many those are.
        failed: Why the others cannot be read, by the device's number.
    """

    held: list[HeldPack]
    use: StoreUse
    devices: int
    failed: dict[int, StoreError]

    def require_device(self) -> Self:
        """The survey, if it has found anything to look at.

        Raises:
            StoreError: No device can be read; the first one's reason.
        """
        if not self.devices:
            raise self.failed[min(self.failed)]
        return self


class DeviceContents(Struct, frozen=True):
    """One device as found; ``space`` is as if it had its file system to itself."""

    number: int
    file_system: int
    space: DeviceSpace
    packs: Mapping[int, PackEntry]
    objects: int
    quarantined: int = 0
    """Packs that are set aside; the fill turns them into parts, so they count as staged."""


def survey(reader: StoreReader, *, device_bytes_max: int, reserve_ratio: float) -> Survey:
    """Look at every device. One that fails takes only its own assets with it."""
    failed = dict(reader.failed)
    found = []
    for device in reader.devices():
        try:
            device.index.require_sound()  # it is long since it was opened; a bad page must not end this process
            found.append(look(device))
        except StoreError as error:
            failed[device.number] = error
    held = (pack for contents in found for pack in held_in(contents.number, contents.packs))
    return Survey(
        held=sorted(held, key=lambda pack: pack.asset),
        use=use_in(found, device_bytes_max=device_bytes_max, reserve_ratio=reserve_ratio),
        devices=len(found),
        failed=failed,
    )


def measure(devices: Iterable[Device]) -> dict[int, DeviceSpace]:
    """The space of each device now, by its number. Devices on one file system share what it has evenly."""
    return _shared([look(device) for device in devices])


def use_of(devices: Iterable[Device], *, device_bytes_max: int, reserve_ratio: float) -> StoreUse:
    """Space and contents of these devices.

    Raises:
        StoreError: One of them fails.
    """
    return use_in([look(device) for device in devices], device_bytes_max=device_bytes_max, reserve_ratio=reserve_ratio)


def look(device: Device) -> DeviceContents:
    """One device as it is now.

    Raises:
        StoreError: It fails.
    """
    total, available = files.space(device.folder)
    packs, objects = device.index.census()
    quarantined, quarantined_bytes = held_bytes(device)
    space = DeviceSpace(
        total=total,
        available=available,
        held=sum(entry.bytes for entry in packs.values()),
        staged=quarantined_bytes + sum(files.size(device.staging / name) or 0 for name in files.names(device.staging)),
    )
    return DeviceContents(device.number, files.file_system(device.folder), space, packs, objects, quarantined)


def _shared(found: Sequence[DeviceContents]) -> dict[int, DeviceSpace]:
    sharers = Counter(contents.file_system for contents in found)
    return {
        contents.number: DeviceSpace(
            total=contents.space.total // sharers[contents.file_system],
            available=contents.space.available // sharers[contents.file_system],
            held=contents.space.held,
            staged=contents.space.staged,
        )
        for contents in found
    }


def use_in(found: Sequence[DeviceContents], *, device_bytes_max: int, reserve_ratio: float) -> StoreUse:
    """Space and contents of devices that were looked at."""
    spaces = _shared(found).values()
    return StoreUse(
        capacity_bytes=sum(
            capacity_bytes(space, device_bytes_max=device_bytes_max, reserve_ratio=reserve_ratio) for space in spaces
        ),
        used_bytes=sum(space.held for space in spaces),
        assets=sum(len(contents.packs) for contents in found),
        objects=sum(contents.objects for contents in found),
    )
