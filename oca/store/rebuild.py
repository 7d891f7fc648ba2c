"""Make a device's index anew from its packs, for when the index is damaged or gone."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from msgspec import Struct

from oca.store.device import Device
from oca.store.recovery import recover


class Rebuilt(Struct, frozen=True):
    """What a device's new index names, and which files are gone because they are no whole packs."""

    device: str
    assets: int
    objects: int
    removed: list[str]


def rebuild(number: int, folder: Path, *, on_pack: Callable[[int, int], None] = lambda _done, _all: None) -> Rebuilt:
    """Read every pack's table into a new index and put it in the place of the old one.

    Delivery goes on from the old index until the new one is there. Recovery does the work: to an empty index every
    pack is one that a kill left unnamed. ``on_pack`` is told how many packs have been read, and of how many.

    Raises:
        StoreError: The device cannot be used, or another process writes to it.
    """
    device = Device.open_for_writing(number, folder, rebuild=True)
    try:
        removed = recover(device, on_pack=on_pack).removed
        packs, objects = device.index.census()
        device.take_rebuilt()
    finally:
        device.close()
    return Rebuilt(str(folder), len(packs), objects, removed)
