"""The interface to durable state. Keys are text, values bytes; what they mean is their writers' business."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import AbstractContextManager
from typing import Protocol


class StateReader(Protocol):
    """Reads of one consistent state."""

    def get(self, key: str) -> bytes | None:
        """The value under ``key``, or None."""
        ...

    def scan(self, prefix: str, *, start: str = "") -> Iterator[tuple[str, bytes]]:
        """Every (key, value) whose key starts with ``prefix``, in key order, from the key ``start`` on."""
        ...


class StateTransaction(StateReader, Protocol):
    """Reads and writes that happen all or not at all."""

    def put(self, key: str, value: bytes) -> None:
        """Set ``key``."""
        ...

    def delete(self, key: str) -> None:
        """Remove ``key`` if it is there."""
        ...


class StateStore(StateReader, Protocol):
    """Durable state shared by the service and the commands beside it."""

    def reading(self) -> AbstractContextManager[StateReader]:
        """Reads that all see the state of one moment; to be brief, as old pages are kept meanwhile."""
        ...

    def write(self) -> AbstractContextManager[StateTransaction]:
        """A transaction: durable when the block ends, undone when it raises. One writer at a time."""
        ...

    def version(self) -> int:
        """A number that moves with every committed write, by whichever process; cheap."""
        ...

    def free_readers(self) -> int:
        """Free what readers that died in a read still hold; how many there were."""
        ...

    def close(self) -> None:
        """Let go of it."""
        ...
