"""Prove that what the index promises is there: every pack, every index entry; and take out of service what is not.

Runs beside a fill and beside delivery: what is evicted meanwhile is no fault.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator

from msgspec import Struct

from oca.common.errors import StoreError
from oca.store.device import Device
from oca.store.proof import faults_of_pack
from oca.store.quarantine import set_aside
from oca.store.records import PACK_FAULTS, Fault


class Proof(Struct, frozen=True):
    """What was proved, and what was not; ``quarantined`` names the assets that were taken out of service."""

    packs: int
    objects: int
    bytes: int
    faults: list[Fault]
    quarantined: list[str] = []


def verify(
    devices: Iterable[Device], *, on_bytes: Callable[[int], None] = lambda _: None, quarantine: bool = False
) -> Proof:
    """Read every pack of these devices and compare it with its own table and with the index.

    Args:
        devices: Open for reading or writing.
        on_bytes: Told of each stretch that was read, for a progress bar.
        quarantine: Take bad packs out of service.
    """
    packs = objects = read = 0
    faults: list[Fault] = []
    quarantined: list[str] = []
    for device in devices:
        try:
            unnamed = _unnamed(device)
            for number, entry in sorted(device.index.packs().items()):
                found = faults_of_pack(device, number, entry, on_bytes=on_bytes)
                if device.index.pack(number) != entry:
                    continue  # evicted meanwhile
                packs, objects, read = packs + 1, objects + entry.objects, read + entry.bytes
                faults += found
                if quarantine and quarantine_pack(device, number, found):
                    quarantined.append(entry.asset)
            faults += _faults_of_index(device)
            faults += [
                Fault(str(device.pack_path(number)), "", "lies there, but the index does not name it", "index")
                for number in sorted(unnamed & _unnamed(device))
            ]
        except StoreError as error:
            faults.append(Fault(str(device.folder), "", error.message))
    return Proof(packs, objects, read, faults, quarantined)


def quarantine_pack(device: Device, number: int, faults: Iterable[Fault]) -> bool:
    """Take a pack with these faults out of service, if any of them tells against it; whether that was so.

    Raises:
        StoreError: The device takes no writes.
    """
    kinds = {fault.kind for fault in faults} & PACK_FAULTS
    if kinds:
        set_aside(device, number, "unreadable" if "unreadable" in kinds else "damaged")
    return bool(kinds)


def _faults_of_index(device: Device) -> Iterator[Fault]:
    """Entries that lead nowhere: the index's count of objects has to be what its packs add up to."""
    packs, objects = device.index.census()
    promised = sum(entry.objects for entry in packs.values())
    if promised != objects:
        what = f"names {objects} objects, its packs hold {promised}"
        yield Fault(str(device.folder / "index"), "", what, "index")


def _unnamed(device: Device) -> set[int]:
    present, _ = device.pack_numbers()
    return set(present).difference(device.index.packs(), device.index.doomed())
