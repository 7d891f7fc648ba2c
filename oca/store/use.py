"""How full the store is, as reports and the operator's commands tell it."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path

from oca.common.messages import StoreUse
from oca.store import files
from oca.store.capacity import DeviceSpace, capacity_bytes
from oca.store.device import Device
from oca.store.reader import StoreReader


def measure(device: Device, *, awaited: int = 0) -> DeviceSpace:
    """The device's space now."""
    total, available = files.space(device.folder)
    return DeviceSpace(
        total=total,
        available=available,
        held=sum(entry.bytes for entry in device.index.packs().values()),
        staged=sum(files.size(device.staging / name) or 0 for name in files.names(device.staging)),
        awaited=awaited,
    )


def use_of(devices: Iterable[Device], *, device_bytes_max: int, reserve_ratio: float) -> StoreUse:
    """Space and contents of these devices."""
    capacity = used = assets = objects = 0
    for device in devices:
        space = measure(device)
        capacity += capacity_bytes(space, device_bytes_max=device_bytes_max, reserve_ratio=reserve_ratio)
        used += space.held
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
        (device for device in reader.devices() if device.folder in devices),
        device_bytes_max=device_bytes_max,
        reserve_ratio=reserve_ratio,
    )
