"""Whether bytes of an open file are in memory, asked of the kernel without waiting for the device.

``cachestat(2)`` (Linux 6.5) counts cached pages and starts no I/O. It counts a page from the moment that its read
begins, so the last page is then read with ``RWF_NOWAIT``, which tells whether it is there to be read. Kernels
without it are asked for single pages by ``RWF_NOWAIT`` alone; that begins to read a page that is missing.
"""

from __future__ import annotations

import ctypes
import errno
import mmap
import os
from array import array

_CACHESTAT = 451
"""Its number, the same on every architecture."""
_STRIDE_BYTES = 256 * 1024
_PAGE_BITS = mmap.PAGESIZE.bit_length() - 1


def read_at_hand(descriptor: int, offset: int, length: int) -> bytes:
    """``length`` bytes from ``offset``, if they can be read without waiting for the device; else nothing."""
    buffer = bytearray(length)
    try:
        got = os.preadv(descriptor, [buffer], offset, os.RWF_NOWAIT)
    except OSError:
        return b""
    return bytes(buffer) if got == length else b""


class PageCache:
    """Asks about ranges of files. One thread at a time."""

    def __init__(self, *, cachestat: bool = True) -> None:
        """Find out what the kernel can tell; ``cachestat`` false: do without it."""
        self._byte = [bytearray(1)]
        self._range = array("Q", (0, 0))
        self._told = array("Q", (0,) * 5)
        """``struct cachestat_range`` and ``struct cachestat``, whose first field counts the pages that are cached."""
        self._syscall = ctypes.CDLL(None, use_errno=True).syscall
        self._syscall.restype = ctypes.c_long
        self._syscall.argtypes = (ctypes.c_long, ctypes.c_int, ctypes.c_void_p, ctypes.c_void_p, ctypes.c_uint)
        self._at = self._range.buffer_info()[0], self._told.buffer_info()[0]
        self.counts = cachestat and self._has_cachestat()
        """Whether ``cachestat`` is there."""

    def holds(self, descriptor: int, offset: int, length: int) -> bool:
        """Whether ``length`` bytes from ``offset`` can be read without waiting; false where nothing can tell."""
        if not self.counts:
            strides = range(offset, offset + length - 1, _STRIDE_BYTES)
            return all(self._at_hand(descriptor, at) is True for at in (*strides, offset + length - 1))
        counted = self._range
        counted[0], counted[1] = offset, length
        if self._syscall(_CACHESTAT, descriptor, *self._at, 0):
            return False
        pages = ((offset + length - 1) >> _PAGE_BITS) - (offset >> _PAGE_BITS) + 1
        return self._told[0] >= pages and self._at_hand(descriptor, offset + length - 1) is not False

    def _at_hand(self, descriptor: int, offset: int) -> bool | None:
        """Whether that byte can be read at once; None: the file system cannot tell."""
        try:
            return os.preadv(descriptor, self._byte, offset, os.RWF_NOWAIT) == 1
        except OSError as error:
            return None if error.errno == errno.EOPNOTSUPP else False

    def _has_cachestat(self) -> bool:
        self._syscall(_CACHESTAT, -1, *self._at, 0)
        return ctypes.get_errno() == errno.EBADF
