"""One device's index in LMDB: which pack holds the bytes of a URL path, and where. The owner of LMDB in the store.

Four tables: ``objects`` path → fixed-layout entry, ``packs`` number → whose it is, ``doomed`` number → empty (the
tombstone of a pack that is no longer named and still has to be unlinked), ``about`` the format and the next number.

LMDB may be opened once in a process, so those who open the same folder share one ``Index``.
"""

from __future__ import annotations

import errno
import os
import struct
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, ClassVar

import lmdb
import msgspec

from oca.common.errors import StoreError, StoreFullError
from oca.common.lmdb_pages import UNREADABLE, damage
from oca.store import files
from oca.store.entries import REBUILD, PackEntry, decode_pack, encode_pack, pack_of

KEY_BYTES_MAX = 480
MAP_BYTES = 16 * 2**30
"""Address space, not memory or disk: room for about 100 million objects a device."""
READERS_MAX = 4096
FORMAT = b"1"
_ENGINE = 0
"""LMDB 0.9's file format: the binding carries two that cannot read each other, and may change its default."""
_FULL_BYTES = 64 * 1024
_NUMBER = struct.Struct(">I")
_DATA = "data.mdb"
_DAMAGE = (
    *(lmdb.InvalidError, lmdb.CorruptedError, lmdb.PageNotFoundError, lmdb.VersionMismatchError, lmdb.NotFoundError),
    lmdb.BadTxnError,  # what a cursor says after it met a page that is none
    *(struct.error, ValueError),  # a key, an entry or a number that is none
)
_TABLES = (b"objects", b"packs", b"doomed", b"about")


class Index:
    """Reads and changes one index; each change is one transaction, whole or not at all."""

    _shared: ClassVar[dict[Path, Index]] = {}

    def __init__(self, folder: Path, *, writable: bool, map_bytes: int) -> None:
        self.folder = folder
        self._users = 0
        self._map_bytes = map_bytes
        self._open(writable=writable)

    @classmethod
    def open(cls, folder: Path, *, writable: bool, map_bytes: int = MAP_BYTES) -> Index:
        """Open the index in ``folder``, creating it if it is to be written.

        Raises:
            StoreError: It is missing, damaged, of another format, or cannot be read.
        """
        folder = folder.resolve()
        index = cls._shared.get(folder)
        if index is None:
            index = cls._shared[folder] = cls(folder, writable=writable, map_bytes=map_bytes)
        elif writable and not index.writable:
            index.reopen(writable=True)
        index._users += 1
        return index

    def close(self) -> None:
        """Let go of it; the last to do so closes it."""
        self._users -= 1
        if self._users == 0:
            self._environment.close()
            del self._shared[self.folder]

    def reopen(self, *, writable: bool) -> None:
        """Open what is in the folder now, which may be another file than before."""
        self._environment.close()
        self._open(writable=writable)

    def replaced(self) -> bool:
        """Whether another file has been put in the place of the one that is open."""
        return files.inode(self.folder / _DATA) not in (0, self._inode)

    def require_sound(self) -> None:
        """Read the file before LMDB uses its map of it, where a page that cannot be read is SIGBUS.

        Takes 50 to 200 ms for a million objects, by how full its pages are.

        Raises:
            StoreError: It is damaged, or cannot be read.
        """
        data = self.folder / _DATA
        with self._explained(), files.explained(data, "open"), self._environment.begin() as transaction:
            why = damage(data, transaction.id())
        if why:
            cause = OSError(errno.EIO, why) if why.startswith(UNREADABLE) else None
            raise StoreError(f"{self.folder}: the index is damaged: {why}", remedy=REBUILD) from cause

    # ---- reading ----

    def get(self, path: bytes) -> bytes | None:
        """The entry under an object's path; ``path`` holds 1 to ``KEY_BYTES_MAX`` bytes."""
        # The hot path: no context managers, which would cost half as much again as the look-up.
        try:
            transaction = self._begin(self._objects)
            value: bytes | None = transaction.get(path)
            transaction.abort()
        except lmdb.Error as error:
            raise self._unusable(error) from error
        return value

    def last_transaction(self) -> int:
        """Moves with every change that any process makes."""
        with self._explained():
            transaction: int = self._environment.info()["last_txnid"]
        return transaction

    def pack(self, number: int) -> PackEntry | None:
        """What is known of a pack, or None if it is not indexed."""
        with self._explained(), self._begin(self._packs) as transaction:
            value = transaction.get(_NUMBER.pack(number))
        return None if value is None else self._pack_entry(value)

    def packs(self) -> dict[int, PackEntry]:
        """Every indexed pack by number."""
        packs, _ = self.census()
        return packs

    def doomed(self) -> set[int]:
        """Packs that are no longer named and whose files may still be there."""
        with self._explained(), self._begin(self._doomed) as transaction:
            return {_NUMBER.unpack(key)[0] for key in transaction.cursor().iternext(values=False)}

    def next_number(self) -> int:
        """The number of the next pack."""
        with self._explained(), self._begin(self._about) as transaction:
            return int(transaction.get(b"next_pack", b"1"))

    def census(self) -> tuple[dict[int, PackEntry], int]:
        """Every indexed pack by number, and how many objects are indexed, both at one instant."""
        with self._explained(), self._begin() as transaction:
            found = list(transaction.cursor(self._packs))
            objects: int = transaction.stat(self._objects)["entries"]
        return {_NUMBER.unpack(key)[0]: self._pack_entry(value) for key, value in found}, objects

    def paths_of(self, numbers: set[int]) -> list[bytes]:
        """Every path that the index says lies in these packs; reads the whole index."""
        with self._explained(), self._begin(self._objects) as transaction:
            return [key for key, value in transaction.cursor() if pack_of(value) in numbers]

    # ---- changing ----

    def admit(
        self,
        number: int,
        entry: PackEntry,
        objects: Iterable[tuple[bytes, bytes]],
        *,
        replaced: dict[int, list[bytes]],
    ) -> None:
        """Name a pack and its objects, and un-name the packs of older revisions, in one transaction.

        Args:
            number: The pack's.
            entry: What it is.
            objects: Path and entry of each object.
            replaced: Packs that this one takes the place of, with the paths in them.

        Raises:
            StoreError: Another asset holds one of the paths; or the index is full or cannot be written.
        """
        with self._explained(), self._begin(write=True) as transaction:
            for old, paths in replaced.items():
                self._un_name(transaction, old, paths)
            for path, value in objects:
                if not transaction.put(path, value, overwrite=False, db=self._objects):
                    raise self._claimed(transaction, path, entry.asset)
            transaction.put(_NUMBER.pack(number), encode_pack(entry), db=self._packs)
            following = max(number + 1, int(transaction.get(b"next_pack", b"1", db=self._about)))
            transaction.put(b"next_pack", b"%d" % following, db=self._about)

    def doom(self, number: int, paths: Iterable[bytes]) -> None:
        """Un-name a pack and its objects and leave a tombstone, in one transaction."""
        with self._explained(), self._begin(write=True) as transaction:
            self._un_name(transaction, number, paths)

    def bury(self, numbers: Iterable[int]) -> None:
        """Drop the tombstones of packs that are unlinked."""
        with self._explained(), self._begin(write=True) as transaction:
            for number in numbers:
                transaction.delete(_NUMBER.pack(number), db=self._doomed)

    # ---- within ----

    def _open(self, *, writable: bool) -> None:
        with self._explained():
            self._environment = lmdb.open(
                str(self.folder),
                map_size=self._map_bytes,
                readonly=not writable,
                create=writable,
                max_readers=READERS_MAX,
                max_dbs=len(_TABLES),
                max_spare_txns=1,
                readahead=False,
                lib_version=_ENGINE,
            )
            try:
                self._environment.reader_check()
                self.require_sound()
                self._objects, self._packs, self._doomed, self._about = (
                    self._environment.open_db(name, create=writable) for name in _TABLES
                )
                self._check_format(writable=writable)
            except BaseException:
                self._environment.close()
                raise
        self.writable = writable
        self._begin = self._environment.begin
        self._inode = files.inode(self.folder / _DATA)

    def _check_format(self, *, writable: bool) -> None:
        with self._environment.begin(self._about, write=writable) as transaction:
            found = transaction.get(b"format")
            if found is None and writable:
                transaction.put(b"format", FORMAT)
            elif found != FORMAT:
                raise StoreError(
                    f"{self.folder}: the index has format {(found or b'none').decode()}, this version reads "
                    f"{FORMAT.decode()}",
                    remedy=REBUILD,
                )

    def _un_name(self, transaction: Any, number: int, paths: Iterable[bytes]) -> None:
        for path in paths:
            value = transaction.get(path, db=self._objects)
            if value is not None and pack_of(value) == number:
                transaction.delete(path, db=self._objects)
        transaction.delete(_NUMBER.pack(number), db=self._packs)
        transaction.put(_NUMBER.pack(number), b"", db=self._doomed)

    def _claimed(self, transaction: Any, path: bytes, asset: str) -> PathClaimedError:
        holder = pack_of(transaction.get(path, db=self._objects))
        value = transaction.get(_NUMBER.pack(holder), db=self._packs)
        return PathClaimedError(path, asset, self._pack_entry(value).asset if value else f"pack {holder}")

    def _pack_entry(self, value: bytes) -> PackEntry:
        try:
            return decode_pack(value)
        except msgspec.DecodeError as error:
            raise StoreError(f"{self.folder}: the index is damaged: {error}", remedy=REBUILD) from None

    @contextmanager
    def _explained(self) -> Iterator[None]:
        try:
            yield
        except lmdb.MapFullError:
            raise StoreError(
                f"{self.folder}: the index has reached its limit of {self._map_bytes} bytes",
                remedy="remove assets with 'oca store remove'",
            ) from None
        except _DAMAGE as error:
            raise StoreError(f"{self.folder}: the index is damaged: {error}", remedy=REBUILD) from error
        except lmdb.Error as error:
            raise self._unusable(error) from error

    def _unusable(self, error: lmdb.Error) -> StoreError:
        if error.code == errno.ENOSPC or (error.code == errno.EIO and self._is_device_full()):
            return StoreFullError(
                f"{self.folder}: the index cannot be written: no space is left on its device",
                remedy="free space on that device, or remove assets with 'oca store remove'",
                free_bytes={},
            )
        return StoreError(
            f"{self.folder}: the index cannot be used: {error}",
            remedy="check the folder's owner, its space and the kernel log",
        )

    def _is_device_full(self) -> bool:
        """LMDB calls a write that came short EIO, and on a device that is all but full every write does."""
        try:
            _, free_bytes = files.space(self.folder)
        except StoreError:
            return False
        return free_bytes < _FULL_BYTES


class PathClaimedError(StoreError):
    """Two assets want one path; the one that holds it keeps it."""

    def __init__(self, path: bytes, asset: str, holder: str) -> None:
        super().__init__(
            f"{asset}: the path {path.decode()} belongs to the asset {holder}",
            remedy=f"publish it under another path, or remove {holder} first",
        )


def create_index(folder: Path) -> None:
    """Make an empty index in ``folder``, which appears whole or not at all, whoever else makes one now."""
    if (folder / _DATA).exists():
        return
    made = folder.with_name(f"{folder.name}.{os.getpid()}")
    files.make_folder(made)
    Index.open(made, writable=True).close()
    try:
        files.move(made, folder)
    except StoreError:
        files.remove_folder(made)
        if not (folder / _DATA).exists():
            raise
