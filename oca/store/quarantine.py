"""Takes a pack out of service whose bytes are known to be bad: un-named first, then set aside until the next fill.

Whoever finds it may do so, beside the process that writes the device: one LMDB transaction, and a rename of a file that
nothing names any more. The next program that opens the device for writing (the fill) makes a part of what can be
read, and so fetches anew only from the first wrong object on; what cannot be read is removed.
"""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from oca.common.errors import StoreError, StoreFullError
from oca.store import files, pack
from oca.store.device import Device
from oca.store.index import Index
from oca.store.staging import part_name

FOLDER = "quarantine"
Kind = Literal["damaged", "unreadable"]


def set_aside(device: Device, number: int, kind: Kind) -> None:
    """Un-name a pack at once and move its file away; delivery drops it when it next looks at the index's version.

    Raises:
        StoreError: The device takes no writes; the pack is as before.
    """
    index = Index.open(device.index.folder, writable=True)
    try:
        try:
            device.index.doom(number, device.paths_of(number))
        except StoreFullError:
            device.evict(number)
            return
        source = device.pack_path(number)
        if files.size(source) is not None:
            files.make_folder(device.folder / FOLDER)
            files.move(source, device.folder / FOLDER / f"{number:08x}.{kind}")
        device.index.bury([number])
    finally:
        index.close()


def held_bytes(device: Device) -> tuple[int, int]:
    """How many packs are set aside there, and what they take."""
    folder = device.folder / FOLDER
    if not files.modified_at_ns(folder):
        return 0, 0
    sizes = [files.size(folder / name) or 0 for name in files.names(folder)]
    return len(sizes), sum(sizes)


def repair(device: Device) -> list[str]:
    """Make parts of the packs that are set aside, remove what cannot be one; a line for each. The device is held.

    Raises:
        StoreError: The device fails.
    """
    folder = device.folder / FOLDER
    if not files.modified_at_ns(folder):
        return []
    return [_repair(device, folder / name) for name in files.names(folder)]


def _repair(device: Device, path: Path) -> str:
    header = _header(path) if path.suffix == ".damaged" else None
    if header is not None:
        target = device.staging / part_name(header.asset, header.revision)
        if files.size(target) is None:
            files.move(path, target)
            return f"made a part of the damaged pack of {header.asset}, for the fill to mend"
    files.remove(path)
    return f"removed the bad pack {path}"


def _header(path: Path) -> pack.PackHeader | None:
    descriptor = files.open_read(path)
    if descriptor is None:
        return None
    try:
        return pack.decode_header(files.read_at(descriptor, path, pack.HEADER_BYTES, 0), where=str(path))
    except StoreError:
        return None
    finally:
        files.close(descriptor)
