"""Finish what a kill cut short, so that every indexed object is readable and no space is lost."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable
from pathlib import Path

from msgspec import Struct

from oca.store import files, pack
from oca.store.device import Device
from oca.store.index import PathClaimedError
from oca.store.quarantine import repair


class Mending(Struct, frozen=True):
    """What to do about a device's packs, by number.

    Attributes:
        bury: Have tombstones: unlink and forget.
        take_in: Lie there, but the index does not name them: index them if they are whole.
    """

    bury: list[int]
    take_in: list[int]


class Recovered(Struct, frozen=True):
    """What recovery did, a line each; nothing after a clean stop.

    Attributes:
        taken_in: Packs that the index did not name and now does.
        removed: What was unlinked or forgotten, and why.
    """

    taken_in: list[str]
    removed: list[str]


def plan_mending(indexed: Collection[int], doomed: Collection[int], present: Iterable[int]) -> Mending:
    """Compare what the index names with what lies there. Oldest first, so that a newer revision wins."""
    return Mending(bury=sorted(doomed), take_in=sorted(set(present).difference(doomed, indexed)))


def recover(device: Device, *, on_pack: Callable[[int, int], None] = lambda _done, _all: None) -> Recovered:
    """Mend one device that is open for writing.

    Args:
        device: The device.
        on_pack: Told how many packs that the index does not name have been read, and of how many.

    Raises:
        StoreError: The device fails.
    """
    numbers, strange = device.pack_numbers()
    indexed = device.index.packs()
    mending = plan_mending(indexed, device.index.doomed(), numbers)
    device.unlink(mending.bury)
    removed = [f"unlinked the evicted pack {device.pack_path(number)}" for number in mending.bury]
    removed += [_remove_file(device.packs / name) for name in strange]
    for number, entry in indexed.items():
        if files.size(device.pack_path(number)) != entry.bytes:
            device.evict(number)
            removed.append(f"forgot {entry.asset}: its pack {device.pack_path(number)} is gone or cut short")
    taken_in = []
    known: dict[str, list[int]] = {}
    for number, entry in device.index.packs().items() if mending.take_in else ():
        known.setdefault(entry.asset, []).append(number)
    for done, number in enumerate(mending.take_in, start=1):
        on_pack(done, len(mending.take_in))
        path = device.pack_path(number)
        try:
            table, size = device.read_table(number)
            device.admit(number, table, size, older=known.get(table.asset, ()))
            known[table.asset] = [number]
            taken_in.append(f"took in {table.asset} from {path}")
        except (pack.PackDamagedError, PathClaimedError) as error:
            files.remove(path)
            removed.append(f"removed {path}: {error.message.removeprefix(f'{path}: ')}")
    removed += repair(device)
    removed += [
        _remove_file(device.staging / name) for name in files.names(device.staging) if part_header(device, name) is None
    ]
    return Recovered(taken_in, removed)


def settle(devices: Iterable[Device]) -> list[str]:
    """Keep one pack of each asset: a kill while a new revision went to another device leaves the old one behind."""
    newest: dict[str, tuple[int, Device, int]] = {}
    done = []
    for device in devices:
        for number, entry in device.index.packs().items():
            this = (entry.committed_at_ns, device, number)
            other = newest.get(entry.asset)
            if other is None:
                newest[entry.asset] = this
                continue
            kept, gone = (this, other) if this[0] > other[0] else (other, this)
            newest[entry.asset] = kept
            gone[1].evict(gone[2])
            done.append(f"evicted the older revision of {entry.asset} from {gone[1].folder}")
    return done


def part_header(device: Device, name: str) -> pack.PackHeader | None:
    """Whose part that file in staging is, or None if it is nobody's."""
    path = device.staging / name
    descriptor = files.open_read(path)
    if descriptor is None:
        return None
    try:
        return pack.decode_header(files.read_at(descriptor, path, pack.HEADER_BYTES, 0), where=str(path))
    except pack.PackDamagedError:
        return None
    finally:
        files.close(descriptor)


def _remove_file(path: Path) -> str:
    files.remove(path)
    return f"removed {path}: not a file of the store"
