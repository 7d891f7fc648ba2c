"""Reads a file past the page cache: what is proved is what lies on the device, and no hot page makes way for it."""

from __future__ import annotations

import errno
import os
from collections.abc import Iterator
from pathlib import Path

from oca.common.errors import StoreError
from oca.store import files
from oca.store.huge_page import in_huge_page
from oca.store.pack import PAGE_BYTES

_BUFFER_BYTES = 1 << 20


class DirectReader:
    """One open file. A file system that knows no direct reads (FUSE may not) is read through the cache."""

    def __init__(self, path: Path) -> None:
        """Open it.

        Raises:
            StoreError: It is gone, or the device fails.
        """
        self._path = path
        self._buffer = in_huge_page(_BUFFER_BYTES)
        flags = os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW
        with files.explained(path, "open"):
            try:
                self._descriptor = os.open(path, flags | os.O_DIRECT)
            except OSError as error:
                if error.errno not in {errno.EINVAL, errno.EOPNOTSUPP}:
                    raise
                self._descriptor = os.open(path, flags)

    def parts(self, offset: int, length: int) -> Iterator[memoryview]:
        """The bytes from ``offset``, the start of a page, on; each part holds until the next. Fewer at the file's end.

        Raises:
            StoreError: The device fails.
        """
        while length > 0:
            wanted = min(_BUFFER_BYTES, -(-length // PAGE_BYTES) * PAGE_BYTES)
            with files.explained(self._path, "read"), self._buffer[:wanted] as room:
                count = min(length, os.preadv(self._descriptor, [room], offset))
            if not count:
                return
            with self._buffer[:count] as part:
                yield part
            offset += count
            length -= count

    def close(self) -> None:
        """Close it."""
        os.close(self._descriptor)
        self._buffer.release()


def open_direct(path: Path) -> DirectReader | None:
    """The file, or None if there is none."""
    try:
        return DirectReader(path)
    except StoreError as error:
        if isinstance(error.__cause__, FileNotFoundError):
            return None
        raise
