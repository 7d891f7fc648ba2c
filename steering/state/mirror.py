"""This instance's copy of the shared state: what it reads from, and what it goes on from when the engine is away."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path

import msgspec
from msgspec import Struct

from oca.common.errors import ConfigError
from steering.state.embedded import EmbeddedState
from steering.state.entries import Changes
from steering.state.store import StateReader

POSITION_KEY = "mirror"
"""Beside the state's own keys, of which none is called so; readers do not see it."""


class Position(Struct, frozen=True):
    """Up to which entry of which log the copy has everything."""

    log: str = ""
    number: int = 0


_decode = msgspec.msgpack.Decoder(Position).decode
_encode = msgspec.msgpack.Encoder().encode


class Mirror:
    """A ``StateReader`` on LMDB that follows a log. Several processes may follow it into one folder."""

    def __init__(self, kept: EmbeddedState) -> None:
        self._kept = kept

    @classmethod
    def open(cls, path: Path, *, bytes_max: int) -> Mirror:
        """Open the copy under ``path``, creating it if it is new.

        Raises:
            ConfigError: The folder cannot be written, or holds the state of an instance alone.
        """
        mirror = cls(EmbeddedState.open(path, bytes_max=bytes_max))
        if not mirror.position().number and any(not key.startswith("about/") for key, _ in mirror.scan("")):
            mirror.close()
            raise ConfigError(
                f'state.path = {str(path)!r} holds the state of [state] engine = "lmdb"',
                remedy="set state.path to another folder; 'oca-steering state seed' takes over what is in this one",
            )
        return mirror

    def get(self, key: str) -> bytes | None:
        """The value under ``key``, or None."""
        return None if key == POSITION_KEY else self._kept.get(key)

    def scan(self, prefix: str, *, start: str = "") -> Iterator[tuple[str, bytes]]:
        """Every (key, value) whose key starts with ``prefix``, in key order, from the key ``start`` on."""
        return (pair for pair in self._kept.scan(prefix, start=start) if pair[0] != POSITION_KEY)

    def version(self) -> int:
        """Moves with every change that was taken in."""
        return self._kept.version()

    def free_readers(self) -> int:
        """As ``StateStore`` has it."""
        return self._kept.free_readers()

    def position(self) -> Position:
        """How far it has come."""
        return _position(self._kept)

    def take(self, log: str, number: int, changes: Iterable[Changes]) -> None:
        """Take in what the entries up to ``number`` changed; nothing, where another process has done so."""
        with self._kept.write() as transaction:
            if _position(transaction).number >= number:
                return
            for each in changes:
                for key, value in each:
                    if value is None:
                        transaction.delete(key)
                    else:
                        transaction.put(key, value)
            transaction.put(POSITION_KEY, _encode(Position(log, number)))

    def replace(self, log: str, number: int, changes: Iterable[Changes]) -> None:
        """Put a whole state in the place of this one, unless another process has brought it further."""
        with self._kept.write() as transaction:
            if _position(transaction).number >= number:
                return
            for key in [key for key, _ in transaction.scan("")]:
                transaction.delete(key)
            for each in changes:
                for key, value in each:
                    transaction.put(key, value or b"")
            transaction.put(POSITION_KEY, _encode(Position(log, number)))

    def moment(self) -> AbstractContextManager[StateReader]:
        """Reads that all see the state of one moment."""
        return self._kept.reading()

    @contextmanager
    def reading(self) -> Iterator[tuple[Position, Iterator[tuple[str, bytes]]]]:
        """The whole of one moment: how far it had come then, and every pair."""
        with self._kept.reading() as reader:
            yield _position(reader), (pair for pair in reader.scan("") if pair[0] != POSITION_KEY)

    def close(self) -> None:
        """Let go of it."""
        self._kept.close()


def _position(reader: StateReader) -> Position:
    found = reader.get(POSITION_KEY)
    return _decode(found) if found is not None else Position()
