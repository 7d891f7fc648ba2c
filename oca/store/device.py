"""One device of a store: its folders, its lock, its index, and what its packs say of themselves."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from pathlib import Path

from oca.common.errors import StoreError, StoreFullError
from oca.common.log import get_logger
from oca.store import files, pack
from oca.store.entries import PackEntry, encode_entry
from oca.store.index import MAP_BYTES, Index, create_index
from oca.store.records import HeldPack

WRITE_PROBE = "write-probe"
"""A file that is rewritten to learn whether the device still takes writes."""
_SUFFIX = ".pack"
_INDEX = "index"
_REBUILT = "index.new"
_log = get_logger("store")


class DeviceHeldError(StoreError):
    """Another process writes to the device: it works, so it is not to be left out, but waited for."""


class Device:
    """A folder with ``index``, ``packs`` and ``staging`` in it. ``number`` is its place in the settings."""

    def __init__(self, number: int, folder: Path, index: Index, lock: int | None) -> None:
        self.number = number
        self.folder = folder
        self.index = index
        self.packs = folder / "packs"
        self.staging = folder / "staging"
        self._lock = lock

    @classmethod
    def open_for_reading(cls, number: int, folder: Path) -> Device:
        """Open a device that another process may be writing; a fresh folder is laid out first.

        Raises:
            StoreError: The folder is missing or unusable, or its index is.
        """
        files.require_folder(folder)
        if not (folder / _INDEX).exists():
            _lay_out(folder)
            create_index(folder / _INDEX)
        return cls(number, folder, Index.open(folder / _INDEX, writable=False), None)

    @classmethod
    def open_for_writing(
        cls, number: int, folder: Path, *, map_bytes: int = MAP_BYTES, rebuild: bool = False
    ) -> Device:
        """Open a device and hold it: one process writes a device at a time.

        Args:
            number: Its place in the settings.
            folder: Where it is.
            map_bytes: Limit of its index.
            rebuild: Begin a new, empty index beside the one in use; ``take_rebuilt`` puts it in its place.

        Raises:
            DeviceHeldError: Another process holds it.
            StoreError: The folder is missing or unusable, or its index is.
        """
        files.require_folder(folder)
        lock = _hold(folder)
        try:
            _lay_out(folder)
            if (folder / _INDEX).exists():
                _clear_away(folder)
            if not rebuild:
                create_index(folder / _INDEX)
            else:
                files.make_folder(folder / _REBUILT)
            index = Index.open(folder / (_REBUILT if rebuild else _INDEX), writable=True, map_bytes=map_bytes)
        except BaseException:
            files.close(lock)
            raise
        return cls(number, folder, index, lock)

    def take_rebuilt(self) -> None:
        """Put the new index in the place of the one in use; readers see that and take it up."""
        old = self.folder / f"{_INDEX}.old"
        if (self.folder / _INDEX).exists():
            files.move(self.folder / _INDEX, old)
        files.move(self.folder / _REBUILT, self.folder / _INDEX)
        files.remove_folder(old)

    def close(self) -> None:
        """Let go of the index and the lock."""
        self.index.close()
        if self._lock is not None:
            files.close(self._lock)
            self._lock = None

    def pack_path(self, number: int) -> Path:
        """Where the pack of that number lies."""
        return self.packs / f"{number:08x}{_SUFFIX}"

    def pack_numbers(self) -> tuple[list[int], list[str]]:
        """The packs that lie there by number, and names that are no pack's."""
        numbers, strange = [], []
        for name in files.names(self.packs):
            stem = name.removesuffix(_SUFFIX)
            try:
                number = int(stem, 16)
            except ValueError:
                number = 0
            if number and self.pack_path(number).name == name:
                numbers.append(number)
            else:
                strange.append(name)
        return numbers, strange

    def read_table(self, number: int) -> tuple[pack.PackTable, int]:
        """What a pack says of itself, and the length of its file.

        Raises:
            StoreError: The pack is gone, cut short, damaged, or cannot be read.
        """
        path = self.pack_path(number)
        descriptor = files.open_read(path)
        if descriptor is None:
            raise StoreError(f"{path}: is gone", remedy="run 'oca store rebuild'")
        try:
            return read_table(descriptor, path)
        finally:
            files.close(descriptor)

    def paths_of(self, number: int) -> list[bytes]:
        """The paths in a pack: by its own table, or by searching the index if the pack cannot say."""
        try:
            table, _ = self.read_table(number)
        except StoreError:
            return self.index.paths_of({number})
        return [item.path.encode() for item in table.objects]

    def admit(
        self, number: int, table: pack.PackTable, pack_bytes: int, *, older: Iterable[int] | None = None
    ) -> PackEntry:
        """Index a pack that lies in its place; older revisions of its asset on this device go.

        Args:
            number: Its number.
            table: What it says of itself.
            pack_bytes: Its length.
            older: The packs of those revisions, where the caller knows them; else the index is asked.

        Raises:
            StoreError: Another asset here holds one of its paths, or the index cannot take it; nothing has changed.
        """
        if older is None:
            older = [old for old, entry in self.index.packs().items() if entry.asset == table.asset and old != number]
        replaced = {old: self.paths_of(old) for old in older}
        entry = PackEntry(table.asset, table.revision, pack_bytes, len(table.objects), table.committed_at_ns)
        self.index.admit(number, entry, entries_of(number, table), replaced=replaced)
        try:
            self.unlink(replaced)
        except StoreError as error:  # the asset is in; its older revision only still takes space
            _log.warning("an older revision goes at the next start", asset=table.asset, error=error.message)
        return entry

    def evict(self, number: int) -> None:
        """Un-name a pack, unlink it, forget it: in this order, so that a kill in between loses no space.

        A device without room even for the tombstone is the exception: there the pack goes first and makes that room.
        After a kill in between, recovery forgets the pack that is gone.
        """
        paths = self.paths_of(number)
        try:
            self.index.doom(number, paths)
        except StoreFullError:
            files.remove(self.pack_path(number))
            self.index.doom(number, paths)
        self.unlink([number])

    def unlink(self, doomed: Iterable[int]) -> None:
        """Unlink packs that have tombstones, then drop the tombstones."""
        numbers = list(doomed)
        if not numbers:
            return
        for number in numbers:
            files.remove(self.pack_path(number))
        files.sync_folder(self.packs)
        self.index.bury(numbers)


def held_on(devices: Iterable[Device]) -> list[HeldPack]:
    """Every asset that these devices hold whole, by id."""
    held = (pack for device in devices for pack in held_in(device.number, device.index.packs()))
    return sorted(held, key=lambda pack: pack.asset)


def held_in(device: int, packs: Mapping[int, PackEntry]) -> Iterator[HeldPack]:
    """The assets that an index names, given as its packs by number."""
    for entry in packs.values():
        yield HeldPack(entry.asset, entry.revision, entry.bytes, entry.objects, device, entry.committed_at_ns)


def entries_of(number: int, table: pack.PackTable) -> Iterable[tuple[bytes, bytes]]:
    """Path and index entry of each object of a pack."""
    modified_at_s = min(table.modified_at_ns // 1_000_000_000, 2**32 - 1)
    starts = pack.offsets([item.length for item in table.objects])
    for item, start in zip(table.objects, starts, strict=False):
        yield (
            item.path.encode(),
            encode_entry(
                number, start, item.length, digest=item.digest, media_type=item.media_type, modified_at_s=modified_at_s
            ),
        )


def read_table(descriptor: int, path: Path) -> tuple[pack.PackTable, int]:
    """The table of an open pack, checked against its header and length; and that length."""
    where = str(path)
    with files.explained(path, "look at"):
        size = os.fstat(descriptor).st_size
    header = pack.decode_header(files.read_at(descriptor, path, pack.HEADER_BYTES, 0), where=where)
    tail_offset = max(0, size - pack.FOOTER_BYTES)
    footer = pack.decode_footer(
        files.read_at(descriptor, path, pack.FOOTER_BYTES, tail_offset), pack_bytes=size, where=where
    )
    raw = files.read_at(descriptor, path, footer.table_bytes, footer.table_offset)
    table = pack.decode_table(raw, footer, where=where)
    if (table.asset, table.revision) != (header.asset, header.revision):
        raise pack.PackDamagedError(
            f"{path}: its header says {header.asset}, its table {table.asset}", remedy="remove that file"
        )
    return table, size


def _lay_out(folder: Path) -> None:
    for name in ("packs", "staging"):
        files.make_folder(folder / name)
    files.sync_folder(folder)


def _clear_away(folder: Path) -> None:
    """Remove what a rebuild or a first start left that was killed."""
    for name in files.names(folder):
        if name.startswith(f"{_INDEX}."):
            files.remove_folder(folder / name)


def _hold(folder: Path) -> int:
    path = folder / "lock"
    descriptor = files.lock(path)
    if descriptor is None:
        raise DeviceHeldError(
            f"{folder}: another process writes to it{_holder(path)}", remedy="wait until it has ended, or stop it"
        )
    with suppress(StoreFullError):  # who holds it is then not said; a full device must still be open to evictions
        files.write_at(descriptor, path, f"{os.getpid()}\n".encode().ljust(16), 0)
    return descriptor


def _holder(path: Path) -> str:
    descriptor = files.open_read(path)
    if descriptor is None:
        return ""
    try:
        text = files.read_at(descriptor, path, 16, 0).decode("ascii", "replace").strip()
    finally:
        files.close(descriptor)
    return f" (process {text})" if text.isdigit() else ""
