"""Prove that what the index promises is there: every pack's table, every index entry, every object's digest.

Runs beside a fill and beside delivery: what is evicted meanwhile is no fault.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator

from msgspec import Struct

from oca.common.digest import hasher
from oca.common.errors import StoreError
from oca.store import files, pack
from oca.store.device import Device, entries_of, read_table
from oca.store.entries import PackEntry

_READ_BYTES = 1 << 20


class Fault(Struct, frozen=True):
    """Something that is not as promised. ``asset`` is empty where none can be named."""

    where: str
    asset: str
    what: str


class Proof(Struct, frozen=True):
    """What was proved, and what was not."""

    packs: int
    objects: int
    bytes: int
    faults: list[Fault]


def verify(devices: Iterable[Device], *, on_bytes: Callable[[int], None] = lambda _: None) -> Proof:
    """Read every pack of these devices and compare it with its own table and with the index.

    Args:
        devices: Open for reading or writing.
        on_bytes: Told of each stretch that was read, for a progress bar.
    """
    packs = objects = read = 0
    faults: list[Fault] = []
    for device in devices:
        try:
            unnamed = _unnamed(device)
            for number, entry in sorted(device.index.packs().items()):
                found = list(_faults_of_pack(device, number, entry, on_bytes))
                if device.index.pack(number) != entry:
                    continue  # evicted meanwhile
                packs, objects, read = packs + 1, objects + entry.objects, read + entry.bytes
                faults += found
            faults += _faults_of_index(device)
            faults += [
                Fault(str(device.pack_path(number)), "", "lies there, but the index does not name it")
                for number in sorted(unnamed & _unnamed(device))
            ]
        except StoreError as error:
            faults.append(Fault(str(device.folder), "", error.message))
    return Proof(packs, objects, read, faults)


def _faults_of_pack(device: Device, number: int, entry: PackEntry, on_bytes: Callable[[int], None]) -> Iterator[Fault]:
    path = device.pack_path(number)
    try:
        descriptor = files.open_read(path)
        if descriptor is None:
            yield Fault(str(path), entry.asset, "is gone")
            return
        try:
            table, size = read_table(descriptor, path)
            if (table.asset, table.revision, size) != (entry.asset, entry.revision, entry.bytes):
                yield Fault(str(path), entry.asset, f"holds revision {table.revision} of {table.asset}, {size} bytes")
            for key, value in entries_of(number, table):
                if device.index.get(key) != value:
                    yield Fault(str(path), entry.asset, f"{key.decode()}: the index says otherwise than the pack")
            yield from _faults_of_objects(descriptor, device, number, table, on_bytes)
        finally:
            files.close(descriptor)
    except StoreError as error:
        yield Fault(str(path), entry.asset, error.message.removeprefix(f"{path}: "))


def _faults_of_objects(
    descriptor: int, device: Device, number: int, table: pack.PackTable, on_bytes: Callable[[int], None]
) -> Iterator[Fault]:
    path = device.pack_path(number)
    starts = pack.offsets([item.length for item in table.objects])
    for item, start in zip(table.objects, starts, strict=False):
        state = hasher()
        end = start + item.length
        at = start
        while at < end:
            part = files.read_at(descriptor, path, min(end - at, _READ_BYTES), at)
            if not part:
                break
            state.update(part)
            at += len(part)
            on_bytes(len(part))
        if state.digest() != item.digest:
            yield Fault(str(path), table.asset, f"{item.path}: its bytes do not match its digest")


def _faults_of_index(device: Device) -> Iterator[Fault]:
    """Entries that lead nowhere: the index's count of objects has to be what its packs add up to."""
    packs, objects = device.index.census()
    promised = sum(entry.objects for entry in packs.values())
    if promised != objects:
        yield Fault(str(device.folder / "index"), "", f"names {objects} objects, its packs hold {promised}")


def _unnamed(device: Device) -> set[int]:
    present, _ = device.pack_numbers()
    return set(present).difference(device.index.packs(), device.index.doomed())
