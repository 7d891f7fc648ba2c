"""Proves one pack: its frame, what the index says of it, every object's digest. What scrub and verify rest on."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from oca.common.digest import hasher
from oca.common.errors import StoreError
from oca.store import files, pack
from oca.store.device import Device, entries_of, read_table
from oca.store.direct import DirectReader, open_direct
from oca.store.entries import PackEntry
from oca.store.records import Fault, FaultKind
from oca.store.trouble import trouble_of


def faults_of_pack(
    device: Device, number: int, entry: PackEntry, *, on_bytes: Callable[[int], None] = lambda _: None
) -> list[Fault]:
    """Everything about an indexed pack that is not as promised; none if it was evicted or replaced meanwhile.

    Args:
        device: Open for reading or writing.
        number: The pack's.
        entry: What the index said of it.
        on_bytes: Told of each stretch that was read, also to slow the reading down.
    """
    found = list(_faults(device, number, entry, on_bytes))
    return found if found and device.index.pack(number) == entry else []


def _faults(device: Device, number: int, entry: PackEntry, on_bytes: Callable[[int], None]) -> Iterator[Fault]:
    path = device.pack_path(number)
    try:
        reader = open_direct(path)
        if reader is None:
            yield Fault(str(path), entry.asset, "is gone", "gone")
            return
        try:
            yield from _faults_of_open(device, number, entry, reader, on_bytes)
        finally:
            reader.close()
    except StoreError as error:
        yield Fault(str(path), entry.asset, error.message.removeprefix(f"{path}: "), _kind_of(error))


def _kind_of(error: StoreError) -> FaultKind:
    if isinstance(error, pack.PackDamagedError):
        return "damaged"
    return "unreadable" if trouble_of(error) else "device"


def _faults_of_open(
    device: Device, number: int, entry: PackEntry, reader: DirectReader, on_bytes: Callable[[int], None]
) -> Iterator[Fault]:
    path = device.pack_path(number)
    descriptor = files.open_read(path)
    if descriptor is None:
        return
    try:
        table, size = read_table(descriptor, path)
    finally:
        files.close(descriptor)
    if (table.asset, table.revision, size) != (entry.asset, entry.revision, entry.bytes):
        what = f"holds revision {table.revision} of {table.asset}, {size} bytes"
        yield Fault(str(path), entry.asset, what, "damaged")
    for key, value in entries_of(number, table):
        if device.index.get(key) != value:
            what = f"{key.decode()}: the index says otherwise than the pack"
            yield Fault(str(path), entry.asset, what, "damaged")
    starts = pack.offsets([item.length for item in table.objects])
    for item, start in zip(table.objects, starts, strict=False):
        state = hasher()
        for part in reader.parts(start, item.length):
            state.update(part)
            on_bytes(len(part))
        if state.digest() != item.digest:
            yield Fault(str(path), table.asset, f"{item.path}: its bytes do not match its digest", "damaged")
