"""Objects that delivery pulled from the origin: kept beside the store, a pack of one object each, in ``pulled/``.

No part of the store proper: the fill holds the devices while it runs, and what it brings may be a path that lies here.
So no index names these, reports leave them out, and the folder may be emptied at any time. A pack appears whole, by
rename. While it is written its part is locked (flock), so that of all workers one fetches; a part whose writer died
is known by its free lock. Everything here blocks: call it in a thread.
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from pathlib import Path

import msgspec
from msgspec import Struct

from oca.common.digest import digest_hex, rendezvous_score, revision_of
from oca.common.errors import StoreError, StoreFullError
from oca.store import files, pack
from oca.store.device import read_table
from oca.store.records import PULLED

FOLDER = "pulled"
BEGUN_BYTES = pack.HEADER_BYTES
_SUFFIX, _PART = ".pack", ".part"
_MAGIC = b"OCAPULL\x01"


class Described(Struct, frozen=True, array_like=True):
    """What the origin's head said of an object; ``fresh_s``: for how long it may be kept from then on."""

    path: str
    bytes: int
    media_type: str
    modified_at_s: int
    fresh_s: int


class Pulled(Struct, frozen=True):
    """A whole object on a device (its number), open for reading; its bytes begin at ``offset``."""

    device: int
    descriptor: int
    asset: str
    offset: int
    described: Described
    digest: bytes
    fresh_until_s: float


_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder(Described).decode


class Part:
    """An object on its way in; this process holds its lock. ``offset`` is where its bytes begin."""

    offset = BEGUN_BYTES

    def __init__(self, descriptor: int, file: Path, device: int) -> None:
        self.descriptor = descriptor
        self.device = device
        self._file = file

    def begin(self, described: Described) -> None:
        """Say what comes, for other workers that follow; room for all of it must be there.

        Raises:
            StoreFullError: It is not.
        """
        _, free_bytes = files.space(self._file.parent)
        if free_bytes < described.bytes + 4 * BEGUN_BYTES:
            raise StoreFullError(f"{self._file}: no room for it", remedy="free space on that device", free_bytes={})
        files.write_at(self.descriptor, self._file, _announcement(described), 0)

    def write(self, data: bytes, at: int) -> None:
        """Put bytes of the object at ``at``."""
        files.write_at(self.descriptor, self._file, data, BEGUN_BYTES + at)

    def commit(self, described: Described, digest: bytes, *, now_s: float, fresh_until_s: float) -> str:
        """Make it one that is found; returns its asset id."""
        asset = asset_of(described.path)
        revision = revision_of([(described.path, digest.hex())])
        item = pack.PackedObject(described.path, described.bytes, digest, described.media_type)
        at_ns = 1_000_000_000
        table = pack.PackTable(asset, revision, described.modified_at_s * at_ns, int(now_s * at_ns), [item])
        files.write_at(self.descriptor, self._file, pack.encode_tail(table), pack.offsets([described.bytes])[-1])
        files.write_at(self.descriptor, self._file, pack.encode_header(asset, revision), 0)
        files.sync(self.descriptor, self._file, keep_cached=True)
        os.utime(self.descriptor, (now_s, fresh_until_s))
        files.move(self._file, self._file.with_suffix(_SUFFIX))
        return asset

    def discard(self) -> None:
        """Remove it; whoever reads from its descriptor still can."""
        files.remove(self._file)


class Following:
    """An object that another worker brings, to be read as it grows."""

    offset = BEGUN_BYTES

    def __init__(self, descriptor: int, file: Path, device: int) -> None:
        self.descriptor = descriptor
        self.device = device
        self._file = file
        self._described: Described | None = None

    def look(self) -> tuple[Described | None, int, bool]:
        """What comes, once that is known; how much of it is here; whether its writer still is at it."""
        with files.explained(self._file, "look at"):
            found = os.fstat(self.descriptor)
        raw = files.read_at(self.descriptor, self._file, BEGUN_BYTES, 0)
        if raw.startswith(_MAGIC):
            length = int.from_bytes(raw[len(_MAGIC) : len(_MAGIC) + 2], "big")
            self._described = _decode(raw[len(_MAGIC) + 2 : len(_MAGIC) + 2 + length])
        alive = found.st_nlink > 0 and files.lock_held(self.descriptor)
        have = max(0, found.st_size - BEGUN_BYTES)
        return self._described, min(have, self._described.bytes) if self._described else 0, alive


class PulledPool:
    """The pulled objects on some devices. A device that fails is passed over."""

    def __init__(self, devices: Sequence[Path], *, space_ratio: float) -> None:
        self._every = [(number, device / FOLDER) for number, device in enumerate(devices)]
        self._folders = self._every
        self._ratio = space_ratio

    def leave_out(self, out: Mapping[int, bool]) -> None:
        """Touch these devices no more, unless the value is True; those not named are used (again)."""
        self._folders = [each for each in self._every if out.get(each[0], True)]

    def find(self, path: str, now_s: float) -> Pulled | None:
        """The whole object of that path, unless it is stale, damaged or another's."""
        for number, folder in self._ranked(path):
            file = folder / _name(path)
            try:
                descriptor = files.open_read(file)
            except StoreError:
                continue
            if descriptor is None:
                continue
            fresh_until_s = os.fstat(descriptor).st_mtime
            try:
                table, _ = read_table(descriptor, file)
                (item,) = table.objects
            except (StoreError, ValueError):
                item = None
            if item is None or item.path != path or fresh_until_s <= now_s:
                files.close(descriptor)
                continue
            fresh_s = int(fresh_until_s - now_s)
            described = Described(path, item.length, item.media_type, table.modified_at_ns // 1_000_000_000, fresh_s)
            return Pulled(number, descriptor, table.asset, BEGUN_BYTES, described, item.digest, fresh_until_s)
        return None

    def claim(self, path: str) -> Part | Following | None:
        """Begin to write the object of that path; or follow the worker that does; None: no device takes it."""
        for number, folder in self._ranked(path) if self._ratio else ():
            try:
                files.make_folder(folder)
                return _claim(folder / (_stem(path) + _PART), number)
            except StoreError:
                continue
        return None

    def remove(self, path: str) -> None:
        """Forget the object of that path.

        Raises:
            StoreError: A device fails.
        """
        for _, folder in self._folders:
            files.remove(folder / _name(path))

    def sweep(self, now_s: float) -> int:
        """Remove what is stale, what dead workers began, and the oldest beyond the space there is; returns how many."""
        removed = 0
        for _, folder in self._folders:
            try:
                removed += self._sweep(folder, now_s)
            except (StoreError, OSError):  # the health of devices is reported by those who live from them
                continue
        return removed

    def _sweep(self, folder: Path, now_s: float) -> int:
        if not folder.is_dir():
            return 0
        total_bytes, _ = files.space(folder)
        kept: list[tuple[float, int, Path]] = []
        gone: list[Path] = []
        for name in files.names(folder):
            file = folder / name
            try:
                found = file.stat()
            except FileNotFoundError:
                continue
            if name.endswith(_SUFFIX) and found.st_mtime > now_s:
                kept.append((found.st_ctime, found.st_size, file))
            elif not (name.endswith(_PART) and _written(file)):
                gone.append(file)
        kept.sort()
        excess = sum(size for _, size, _ in kept) - int(total_bytes * self._ratio)
        for _, size, file in kept:
            if excess <= 0:
                break
            gone.append(file)
            excess -= size
        for file in gone:
            files.remove(file)
        return len(gone)

    def _ranked(self, path: str) -> list[tuple[int, Path]]:
        """Every worker tries the devices in the same order, whatever it is that fails."""
        return sorted(self._folders, key=lambda each: rendezvous_score(path, str(each[1])))


def asset_of(path: str) -> str:
    """The asset id of the pulled object of that path."""
    return f"{PULLED}/{_stem(path)}"


def _stem(path: str) -> str:
    return digest_hex(path.encode())


def _name(path: str) -> str:
    return _stem(path) + _SUFFIX


def _announcement(described: Described) -> bytes:
    body = _encode(described)
    return (_MAGIC + len(body).to_bytes(2, "big") + body).ljust(BEGUN_BYTES, b"\0")


def _claim(file: Path, device: int) -> Part | Following:
    while True:
        descriptor = files.open_write(file)
        locked = files.try_lock(descriptor)
        if files.inode(file) != os.fstat(descriptor).st_ino:  # committed or removed since it was opened
            files.close(descriptor)
            continue
        if not locked:
            return Following(descriptor, file, device)
        files.cut(descriptor, file, 0)
        return Part(descriptor, file, device)


def _written(file: Path) -> bool:
    """Whether some process is writing that part."""
    descriptor = files.open_read(file)
    if descriptor is None:
        return True
    try:
        return files.lock_held(descriptor)
    finally:
        files.close(descriptor)
