"""How full the store is, as reports and the operator's commands tell it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from pathlib import Path

from oca.common.messages import StoreUse
from oca.store import files
from oca.store.capacity import DeviceSpace, capacity_bytes
from oca.store.device import Device
from oca.store.reader import StoreReader


def measure(devices: Iterable[Device]) -> dict[int, DeviceSpace]:
    """The space of each device now, by its number. Devices on one file system share what it has evenly."""
    measured = {device.number: device for device in devices}
    systems = {number: files.file_system(device.folder) for number, device in measured.items()}
    sharers = Counter(systems.values())
    spaces = {}
    for number, device in measured.items():
        total, available = files.space(device.folder)
        spaces[number] = DeviceSpace(
            total=total // sharers[systems[number]],
            available=available // sharers[systems[number]],
            held=sum(entry.bytes for entry in device.index.packs().values()),
            staged=sum(files.size(device.staging / name) or 0 for name in files.names(device.staging)),
        )
    return spaces


def use_of(devices: Sequence[Device], *, device_bytes_max: int, reserve_ratio: float) -> StoreUse:
    """Space and contents of these devices."""
    capacity = used = assets = objects = 0
    for space in measure(devices).values():
        capacity += capacity_bytes(space, device_bytes_max=device_bytes_max, reserve_ratio=reserve_ratio)
        used += space.held
    for device in devices:
        packs, indexed = device.index.census()
        assets += len(packs)
        objects += indexed
    return StoreUse(capacity_bytes=capacity, used_bytes=used, assets=assets, objects=objects)


def store_use(reader: StoreReader, devices: Sequence[Path], device_bytes_max: int, reserve_ratio: float) -> StoreUse:
    """Space and contents of the working devices of a store that is open for reading.

    Raises:
        StoreError: A device that worked when the store was opened fails now.
    """
    return use_of(
        [device for device in reader.devices() if device.folder in devices],
        device_bytes_max=device_bytes_max,
        reserve_ratio=reserve_ratio,
    )
