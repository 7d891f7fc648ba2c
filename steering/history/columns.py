"""Days that are over, as columns of numbers beside their files: what plans read each night in place of the files.

Such columns are nothing but what the engine answered, kept. They are named by the files that they were made of, so that
other files are other columns, and begin with the query's digest; what is lost, cut, damaged, of another release or of
another query is made anew. ``log.sweep`` removes them.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from functools import cache
from io import FileIO
from pathlib import Path

import msgspec
import numpy as np
from msgspec import Struct
from numpy.typing import NDArray

from oca.common.digest import digest_bytes, digest_hex
from steering.history import files, queries
from steering.history.daily import Day, span
from steering.history.engine import sql
from steering.plan.watched import Watched

SUFFIX = ".columns"
_VERSION = b"columns2"
_LENGTH_BYTES = 8


class Head(Struct, frozen=True):
    """What comes before the columns; ``starts`` are 64-bit numbers."""

    sites: list[str]
    assets: list[str]
    starts: bytes


_decode = msgspec.msgpack.Decoder(Head).decode
_encode = msgspec.msgpack.Encoder().encode


@cache
def _begin() -> bytes:
    """How columns begin that mean what these do: a query that asks for something else makes others."""
    return _VERSION + digest_bytes(sql(queries.wanted("", ""), "duckdb").encode())


def name_of(digests: Iterable[str]) -> str:
    """How the columns of a day are called that has files with these digests."""
    return digest_hex("\n".join(sorted(digests)).encode()) + SUFFIX


@dataclass(frozen=True, slots=True)
class KeptDay:
    """A day in its file; only its names, and where each site's entries begin, are in memory.

    The file stays open until ``close``: who removes or replaces it meanwhile takes nothing from who reads it.
    """

    path: Path
    file: FileIO
    sites: list[str]
    assets: list[str]
    starts: NDArray[np.int64]
    begins_at: int

    def between(self, first: str, last: str) -> Day:
        """See ``daily.AnyDay``.

        Raises:
            SteeringError: The file cannot be read any more.
        """
        low, high = span(self.sites, first, last)
        begin, end, count = (int(self.starts[row]) for row in (low, high, -1))
        columns = self._read(self.begins_at + 4 * begin, 4 * (end - begin))
        values = self._read(self.begins_at + 4 * count + 8 * begin, 8 * (end - begin))
        found = Watched(
            self.starts[low : high + 1] - begin,
            np.frombuffer(columns, np.int32),
            np.frombuffer(values, np.float64),
            len(self.assets),
        )
        return Day(self.sites[low:high], self.assets, found)

    def _read(self, at: int, count: int) -> bytes:
        with files.explained(self.path, "read"):
            return files.piece(self.file.fileno(), at, count)

    def close(self) -> None:
        """Read no more."""
        self.file.close()


def keep(path: Path, day: Day) -> None:
    """Write a day's columns, whole or not at all.

    Raises:
        SteeringError: The folder cannot be written.
    """
    files.put_proved(path, _pieces(day))


def open_kept(path: Path) -> KeptDay | None:
    """A day's columns, to be closed; None: there are none that this release can use."""
    try:
        with ExitStack() as stack:
            file = stack.enter_context(FileIO(path))
            kept = _proved(path, file)
            if kept is not None:
                stack.pop_all()
            return kept
    except OSError:
        return None


def _proved(path: Path, file: FileIO) -> KeptDay | None:
    descriptor = file.fileno()
    if not files.is_proved(descriptor):
        return None
    before = files.piece(descriptor, 0, len(_begin()) + _LENGTH_BYTES)
    if not before.startswith(_begin()):
        return None
    length = int.from_bytes(before[len(_begin()) :], "little")
    head = _decode(files.piece(descriptor, len(before), length))
    return KeptDay(path, file, head.sites, head.assets, np.frombuffer(head.starts, np.int64), len(before) + length)


def _pieces(day: Day) -> Iterator[bytes]:
    head = _encode(Head(list(day.sites), list(day.assets), day.wanted.starts.astype(np.int64).tobytes()))
    yield _begin()
    yield len(head).to_bytes(_LENGTH_BYTES, "little")
    yield head
    yield day.wanted.columns.astype(np.int32, copy=False).tobytes()
    yield day.wanted.values.astype(np.float64, copy=False).tobytes()
