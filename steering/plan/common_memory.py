"""Memory that processes of one planning share: a file without a name, which goes with the last that has it open.

It is written, never filled through a map of it: so where memory is short that is an error, and no signal.
"""

from __future__ import annotations

import mmap
import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
from numpy.typing import NDArray

from oca.common.errors import SteeringError


class CommonMemory:
    """Columns are made in it, or copied to it; who else has its descriptor maps it to read."""

    def __init__(self) -> None:
        """Have none yet.

        Raises:
            SteeringError: There is none to be had; so do all others.
        """
        with _had():
            self.descriptor = os.memfd_create("oca-plan")
        self._end = 0
        self._made: dict[int, tuple[int, mmap.mmap]] = {}

    def column(self, count_max: int, kind: type[np.generic]) -> _Column:
        """One in the making; see ``watched.Making``. What is not filled of it takes no memory."""
        return _Column(self, self._room(count_max * np.dtype(kind).itemsize), kind)

    def put(self, raw: memoryview) -> tuple[int, int]:
        """Where some bytes begin in it, and how many they are: those of a column that was made in it lie there, others
        are copied.
        """
        known = self._made.get(_address(raw))
        if known is not None:
            return known[0], raw.nbytes
        begin = self._room(raw.nbytes)
        self.write(begin, raw)
        return begin, raw.nbytes

    def write(self, at: int, raw: memoryview) -> None:
        """Put bytes there."""
        with _had():
            while raw.nbytes:
                count = os.pwrite(self.descriptor, raw, at)
                raw, at = raw[count:], at + count

    def mapped(self, begin: int, count_bytes: int) -> mmap.mmap:
        """A part of it, to read."""
        with _had():
            found = mmap.mmap(self.descriptor, count_bytes, prot=mmap.PROT_READ, offset=begin)
        self._made[_address(memoryview(found))] = begin, found
        return found

    def close(self) -> None:
        """Let go of it, once; what was made in it and is still used stays."""
        self._made.clear()
        os.close(self.descriptor)

    def _room(self, count_bytes: int) -> int:
        begin, self._end = self._end, self._end + -(-count_bytes // mmap.PAGESIZE) * mmap.PAGESIZE
        with _had():
            os.ftruncate(self.descriptor, self._end)
        return begin


@contextmanager
def _had() -> Iterator[None]:
    """Errors of the system as ours."""
    try:
        yield
    except OSError as error:
        raise SteeringError(
            f"there is no memory that processes which plan could share: {error.strerror or error}",
            remedy="see how much memory is free, or set plan.processes = 1",
        ) from None


def _address(raw: memoryview) -> int:
    """Where in this process's memory that lies; 0: nowhere, as it has no bytes."""
    return int(np.frombuffer(raw, np.uint8).ctypes.data) if raw.nbytes else 0


class _Column:
    """See ``watched.Making``."""

    def __init__(self, memory: CommonMemory, begin: int, kind: type[np.generic]) -> None:
        self._memory, self._begin, self._kind, self._length = memory, begin, kind, 0

    def append(self, values: NDArray[Any]) -> None:
        """See ``watched.Making``."""
        raw = np.ascontiguousarray(values, self._kind).view(np.uint8).data
        self._memory.write(self._begin + self._length, raw)
        self._length += raw.nbytes

    def whole(self) -> NDArray[Any]:
        """See ``watched.Making``."""
        mapped = self._memory.mapped(self._begin, self._length) if self._length else b""
        return np.frombuffer(mapped, self._kind)
