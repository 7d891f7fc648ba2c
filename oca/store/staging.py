"""An asset on its way in: written append-only, so that its length tells how far it came before a kill."""

from __future__ import annotations

import os
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from oca.common.clock import now_ns
from oca.common.digest import Hasher, digest_hex, hasher
from oca.common.errors import StoreError
from oca.common.messages import AssetManifest
from oca.store import files, pack
from oca.store.records import HeldPack
from oca.store.tail import Tail
from oca.store.trouble import trouble_of

_READ_BYTES = 1 << 20
_SUFFIX = ".part"
LET_GO_BYTES = 8 * 2**20
"""How much is read again, or written through the page cache, until the kernel is told that it need not be kept."""
LET_GO_FACTOR = 8
"""How far back it is told so again: pages that the device had not taken yet stay the first time."""

Admit = Callable[["StagedAsset", pack.PackTable, int], HeldPack]
Release = Callable[["StagedAsset"], None]
Blame = Callable[[int, StoreError], None]


class StagedAsset:
    """Takes an asset's objects in order and commits them whole. Get one from ``Store.stage``; one thread at a time.

    Attributes:
        manifest: What it will hold.
        device: Position of the device it lies on.
        path: The file it is written to.
        pack_bytes: Length of the whole pack.
    """

    def __init__(
        self,
        manifest: AssetManifest,
        device: int,
        path: Path,
        *,
        admit: Admit,
        release: Release,
        blame: Blame = lambda _device, _error: None,
    ) -> None:
        self.manifest = manifest
        self.device = device
        self.path = path
        self.pack_bytes = pack_bytes(manifest)
        self._admit = admit
        self._release = release
        self._blame = blame
        self._starts = pack.offsets([item.bytes for item in manifest.objects])
        self._index = 0
        self._in_object = 0
        self._whole_bytes = 0
        """Of the objects before the current one."""
        self._hasher: Hasher = hasher()
        self._let_go_at = 0
        self._descriptor: int | None = files.open_write(path)
        self._tail = Tail(self._descriptor, path)

    def resume(self) -> None:
        """Go on after the last object that is whole and right; within the next one, after the bytes that are here.

        Raises:
            StoreError: The part cannot be read or written; it is closed.
        """
        try:
            self._resume(self._writable())
        except StoreError as error:
            self._blame(self.device, error)
            self.close()
            raise

    def position(self) -> tuple[int, int]:
        """The object that comes next and how much of it is here; (number of objects, 0) when all are."""
        return self._index, self._in_object

    @property
    def bytes_done(self) -> int:
        """Object bytes that are here."""
        return self._whole_bytes + self._in_object

    @property
    def whole(self) -> bool:
        """Whether every object is here and right."""
        return self._index == len(self.manifest.objects)

    def write(self, chunk: bytes | bytearray | memoryview) -> None:
        """Append to the current object.

        Raises:
            StoreError: The object would grow beyond its length, so that nothing of ``chunk`` counts; or the device
                cannot take it: ``position`` tells what counts.
        """
        descriptor = self._writable()
        if self.whole or self._in_object + len(chunk) > self.manifest.objects[self._index].bytes:
            raise StoreError(f"{self._object()}: more bytes came than it has", remedy="leave that source")
        try:
            self._append(chunk)
        except StoreError as error:
            self._blame(self.device, error)
            raise
        if not self._tail.is_direct:
            self._let_go(descriptor)

    def finish_object(self) -> bool:
        """Whether the current object is whole and its digest right; if not, it is cut back to its start."""
        wanted = self.manifest.objects[self._index]
        if self._in_object != wanted.bytes or self._hasher.hexdigest() != wanted.digest:
            self.restart_object()
            return False
        self._next_object()
        return True

    def restart_object(self) -> None:
        """Forget what has come of the current object."""
        self._writable()
        self._tail.cut(self._starts[self._index])
        self._in_object = 0
        self._hasher = hasher()

    def commit(self) -> HeldPack:
        """Make the asset servable: whole, durable and in one step.

        Raises:
            StoreError: It is not whole; another asset has one of its paths; or the device or index cannot take it. The
                part stays and can be committed later, unless the device failed to sync: then what it kept is unknown,
                and the part is removed.
        """
        descriptor = self._writable()
        if not self.whole:
            raise StoreError(f"{self._object()}: is not here yet", remedy="write every object before the commit")
        table = pack.table_of(self.manifest, committed_at_ns=now_ns())
        try:
            self._tail.settle()
            files.write_at(descriptor, self.path, pack.encode_tail(table), self._starts[-1])
            files.cut(descriptor, self.path, self.pack_bytes)
            self._sync(descriptor)
            held = self._admit(self, table, self.pack_bytes)
        except StoreError as error:
            self._blame(self.device, error)
            raise
        self.close()
        return held

    def _sync(self, descriptor: int) -> None:
        try:
            files.sync(descriptor, self.path)
        except StoreError:
            self.close()
            with suppress(StoreError):  # one that takes no removal either is removed when the store is opened next
                files.remove(self.path)
            raise

    def close(self) -> None:
        """Stop writing; what is here stays for the next ``Store.stage`` of the same revision."""
        if self._descriptor is not None:
            with suppress(StoreError):  # what the device does not take is fetched again
                self._tail.settle()
            files.close(self._descriptor)
            self._descriptor = None
            self._release(self)

    def _append(self, chunk: bytes | bytearray | memoryview) -> None:
        self._tail.go_to(self._end())
        rest = memoryview(chunk)
        while rest:
            part = rest[: self._tail.room]
            self._tail.append(part)
            self._hasher.update(part)
            self._in_object += len(part)
            rest = rest[len(part) :]

    def _writable(self) -> int:
        if self._descriptor is None:
            raise StoreError(f"{self.manifest.asset}: its part is closed", remedy="stage the asset again")
        return self._descriptor

    def _end(self) -> int:
        return self._starts[self._index] + self._in_object

    def _object(self) -> str:
        name = "its end" if self.whole else self.manifest.objects[self._index].path
        return f"{self.manifest.asset}: {name}"

    def _next_object(self) -> None:
        self._whole_bytes += self._in_object
        self._index += 1
        self._in_object = 0
        self._hasher = hasher()

    def _resume(self, descriptor: int) -> None:
        header = pack.encode_header(self.manifest.asset, self.manifest.revision)
        with files.explained(self.path, "look at"):
            size = os.fstat(descriptor).st_size
        if not self._begins_with(descriptor, header):
            files.cut(descriptor, self.path, 0)
            files.write_at(descriptor, self.path, header, 0)
            files.sync_folder(self.path.parent)
            return
        while not self.whole:
            wanted = self.manifest.objects[self._index]
            try:
                self._read_on(descriptor, min(wanted.bytes, size - self._end()))
            except StoreError as error:
                if trouble_of(error) is None:
                    raise
                self.restart_object()  # a block that cannot be read may be written: it is fetched anew
                return
            if self._in_object < wanted.bytes:
                break
            if not self.finish_object():
                return
        files.cut(descriptor, self.path, self._end())

    def _let_go(self, descriptor: int) -> None:
        end = self._end()
        if end >= self._let_go_at + LET_GO_BYTES:
            self._let_go_at = end
            start = max(0, end - LET_GO_FACTOR * LET_GO_BYTES)
            files.let_go(descriptor, start, end - start)

    def _begins_with(self, descriptor: int, header: bytes) -> bool:
        try:
            return files.read_at(descriptor, self.path, len(header), 0) == header
        except StoreError as error:
            if trouble_of(error) is None:
                raise
            return False  # a block that cannot be read may be written

    def _read_on(self, descriptor: int, count: int) -> None:
        while count > 0:
            part = files.read_at(descriptor, self.path, min(count, _READ_BYTES), self._end())
            if not part:
                return
            self._hasher.update(part)
            self._in_object += len(part)
            count -= len(part)
            self._let_go(descriptor)


def pack_bytes(manifest: AssetManifest) -> int:
    """Length of the pack that ``manifest`` becomes, to the byte."""
    end = pack.offsets([item.bytes for item in manifest.objects])[-1]
    # A timestamp of today's size: msgpack writes every instant from 1970's first seconds to 2262 in nine bytes.
    return end + len(pack.encode_tail(pack.table_of(manifest, committed_at_ns=2**60)))


def part_name(asset: str, revision: str) -> str:
    """The name of a part's file: the same asset and revision find their part again."""
    return digest_hex(f"{asset}\0{revision}".encode()) + _SUFFIX
