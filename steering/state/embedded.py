"""State in LMDB: nothing else to install, readers never wait, several processes may share it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import lmdb

from oca.common.errors import ConfigError, SteeringError
from oca.common.lmdb_pages import damage

_FORMAT_KEY = "about/format"
_FORMAT = b"1"
_KEY_BYTES_MAX = 511


class _Transaction:
    """Reads and writes inside one LMDB transaction."""

    def __init__(self, inner: Any) -> None:
        self._inner = inner

    def get(self, key: str) -> bytes | None:
        encoded = key.encode()
        if not 0 < len(encoded) <= _KEY_BYTES_MAX:
            return None
        value: bytes | None = self._inner.get(encoded)
        return value

    def scan(self, prefix: str, *, start: str = "") -> Iterator[tuple[str, bytes]]:
        wanted = prefix.encode()
        with self._inner.cursor() as cursor:
            if not cursor.set_range(max(wanted, start.encode())):
                return
            for key, value in cursor:
                if not key.startswith(wanted):
                    return
                yield key.decode(), value

    def put(self, key: str, value: bytes) -> None:
        self._inner.put(key.encode(), value)

    def delete(self, key: str) -> None:
        self._inner.delete(key.encode())


class EmbeddedState:
    """A ``StateStore`` on LMDB; see ``StateStore`` for what the methods promise."""

    def __init__(self, environment: Any, path: Path) -> None:
        self._environment = environment
        self._path = path

    @classmethod
    def open(cls, path: Path, *, bytes_max: int) -> EmbeddedState:
        """Open the state under ``path``, creating it if it is new.

        Raises:
            ConfigError: The folder cannot be written, or holds something else.
        """
        try:
            path.mkdir(parents=True, exist_ok=True)
            environment = lmdb.open(str(path), map_size=bytes_max, max_readers=510, mode=0o600, lib_version=0)
        except (OSError, lmdb.Error) as error:
            reason = getattr(error, "strerror", None) or str(error).rpartition(": ")[2]
            raise ConfigError(
                f"state.path = {str(path)!r} cannot be opened for writing: {reason}",
                remedy="make the folder writable for this user, or set state.path to another",
            ) from None
        state = cls(environment, path)
        try:
            state.free_readers()
            state._refuse_damage()
            state._check_format()
        except BaseException:
            environment.close()
            raise
        return state

    def get(self, key: str) -> bytes | None:
        """The value under ``key``, or None."""
        with self._explained("read"), self._environment.begin() as inner:
            return _Transaction(inner).get(key)

    def scan(self, prefix: str, *, start: str = "") -> Iterator[tuple[str, bytes]]:
        """Every (key, value) whose key starts with ``prefix``, in key order, from the key ``start`` on."""
        with self._explained("read"), self._environment.begin() as inner:
            yield from _Transaction(inner).scan(prefix, start=start)

    @contextmanager
    def reading(self) -> Iterator[_Transaction]:
        """Reads that all see the state of one moment; to be brief, as old pages are kept meanwhile."""
        with self._explained("read"), self._environment.begin() as inner:
            yield _Transaction(inner)

    @contextmanager
    def write(self) -> Iterator[_Transaction]:
        """A transaction: durable when the block ends, undone when it raises."""
        with self._explained("written"), self._environment.begin(write=True) as inner:
            yield _Transaction(inner)

    def version(self) -> int:
        """The id of the last committed transaction."""
        with self._explained("read"):
            return int(self._environment.info()["last_txnid"])

    def free_readers(self) -> int:
        """Free the slots of readers that died in a read; how many there were. Each keeps old pages from reuse."""
        with self._explained("read"):
            return int(self._environment.reader_check())

    def close(self) -> None:
        """Let go of it."""
        self._environment.close()

    @contextmanager
    def _explained(self, what: str) -> Iterator[None]:
        """Errors of LMDB as ours, with the path and the remedy."""
        try:
            yield
        except lmdb.MapFullError:
            message, remedy = f"the state in {self._path} is full", "raise state.bytes_max"
        except lmdb.MapResizedError:
            message = f"the state in {self._path} was grown by another process"
            remedy = "set state.bytes_max alike for all that use it, and restart"
        except lmdb.ReadersFullError:
            message = f"too many read the state in {self._path} at once"
            remedy = "end some of the commands that use it"
        except lmdb.Error as error:
            message = f"the state in {self._path} cannot be {what}: {error}"
            remedy = "check the space and health of its disk"
        else:
            return
        raise SteeringError(message, remedy=remedy)

    def _refuse_damage(self) -> None:
        """Read the file before LMDB uses its map of it, where a page that cannot be read is SIGBUS."""
        with self._explained("read"), self._environment.begin() as inner:
            why = damage(self._path / "data.mdb", inner.id())
        if why:
            raise ConfigError(
                f"state.path = {str(self._path)!r} is damaged: {why}",
                remedy="put a copy of it back, or move it away, publish the titles anew and let demand be learnt anew",
            )

    def _check_format(self) -> None:
        found = self.get(_FORMAT_KEY)
        if found is None:
            with self.write() as transaction:
                transaction.put(_FORMAT_KEY, _FORMAT)
        elif found != _FORMAT:
            raise ConfigError(
                f"state.path = {str(self._path)!r} has format {found.decode(errors='replace')}, wanted 1",
                remedy="use the release that wrote it, or another folder",
            )
