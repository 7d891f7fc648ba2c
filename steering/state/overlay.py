"""A transaction that is not written yet: what it changes lies over the state that it began with. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from heapq import merge
from itertools import groupby

from oca.common.errors import SteeringError
from steering.state.store import StateReader

KEY_BYTES_MAX = 511
"""As LMDB has it, which every instance keeps its copy in."""
TRANSACTION_BYTES_MAX = 2**30


class Overlay:
    """A ``StateTransaction`` over ``below``."""

    def __init__(self, below: StateReader) -> None:
        self._below = below
        self._changes: dict[str, bytes | None] = {}
        self._bytes = 0

    @property
    def changes(self) -> Mapping[str, bytes | None]:
        """Key → value, or None where it goes."""
        return self._changes

    def get(self, key: str) -> bytes | None:
        """The value under ``key``, or None."""
        return self._changes[key] if key in self._changes else self._below.get(key)

    def scan(self, prefix: str, *, start: str = "") -> Iterator[tuple[str, bytes]]:
        """Every (key, value) whose key starts with ``prefix``, in key order, from the key ``start`` on."""
        first = max(prefix.encode(), start.encode())
        changed = sorted(
            (encoded, 0, value)
            for key, value in self._changes.items()
            if key.startswith(prefix) and (encoded := key.encode()) >= first
        )
        below = ((key.encode(), 1, value) for key, value in self._below.scan(prefix, start=start))
        for key, rows in groupby(merge(changed, below, key=lambda row: row[:2]), key=lambda row: row[0]):
            if (value := next(rows)[2]) is not None:
                yield key.decode(), value

    def put(self, key: str, value: bytes) -> None:
        """Set ``key``.

        Raises:
            SteeringError: The transaction grows too large.
        """
        if not 0 < len(key.encode()) <= KEY_BYTES_MAX:
            raise SteeringError(
                f"the key {key[:60]!r} of the state has {len(key.encode())} bytes, limit {KEY_BYTES_MAX}",
                remedy="shorten the name that it is made of",
            )
        self._note(key, value)

    def delete(self, key: str) -> None:
        """Remove ``key`` if it is there."""
        self._note(key, None)

    def _note(self, key: str, value: bytes | None) -> None:
        before = self._changes.get(key)
        self._bytes += len(value or b"") - len(before or b"") + (0 if key in self._changes else len(key))
        if self._bytes > TRANSACTION_BYTES_MAX:
            raise SteeringError(
                f"one change of the state is larger than {TRANSACTION_BYTES_MAX} bytes", remedy="make it in parts"
            )
        self._changes[key] = value
