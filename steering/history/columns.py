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
from typing import Any

import msgspec
import numpy as np
from msgspec import Raw, Struct
from numpy.typing import NDArray

from oca.common.digest import digest_bytes, digest_hex
from steering.history import files, queries
from steering.history.daily import Day, Rows, span
from steering.history.engine import sql
from steering.plan.names import Numbers
from steering.plan.watched import Watched

SUFFIX = ".columns"
_VERSION = b"columns3"
_LENGTH_BYTES = 8


class Head(Struct, frozen=True):
    """What comes before the columns; ``starts`` are 64-bit numbers, ``assets`` texts and ``numbers`` what a million
    of them are found by without being read.
    """

    sites: list[str]
    assets: Raw
    numbers: bytes
    starts: bytes


_texts = msgspec.msgpack.Decoder(list[str]).decode
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
    packed_assets: Raw
    numbers: Numbers
    starts: NDArray[np.int64]
    begins_at: int

    @property
    def assets(self) -> list[str]:
        """See ``daily.AnyDay``."""
        return _texts(self.packed_assets)

    @property
    def entries(self) -> int:
        """See ``daily.AnyDay``."""
        return int(self.starts[-1])

    def between(self, first: str, last: str) -> Rows:
        """See ``daily.AnyDay``.

        Raises:
            SteeringError: The file cannot be read any more.
        """
        low, high = span(self.sites, first, last)
        begin, end = int(self.starts[low]), int(self.starts[high])
        columns, values = np.empty(end - begin, np.int32), np.empty(end - begin, np.float64)
        self._fill(columns, self.begins_at + 4 * begin)
        self._fill(values, self.begins_at + 4 * self.entries + 8 * begin)
        found = Watched(self.starts[low : high + 1] - begin, columns, values, len(self.numbers))
        return Rows(self.sites[low:high], found)

    def _fill(self, column: NDArray[Any], at: int) -> None:
        with files.explained(self.path, "read"):
            files.fill(self.file.fileno(), at, column.view(np.uint8).data)

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
    numbers, starts = Numbers.packed(head.numbers), np.frombuffer(head.starts, np.int64)
    return KeptDay(path, file, head.sites, head.assets, numbers, starts, len(before) + length)


def _pieces(day: Day) -> Iterator[bytes]:
    assets, starts = Raw(_encode(list(day.assets))), day.wanted.starts.astype(np.int64).tobytes()
    head = _encode(Head(list(day.sites), assets, day.numbers.pack(), starts))
    yield _begin()
    yield len(head).to_bytes(_LENGTH_BYTES, "little")
    yield head
    yield day.wanted.columns.astype(np.int32, copy=False).tobytes()
    yield day.wanted.values.astype(np.float64, copy=False).tobytes()
