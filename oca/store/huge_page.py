"""Memory for direct reads and writes in one huge page, where the kernel has one: one piece, not hundreds.

The kernel holds on to each page of a direct write and hands it to the device in a system call that it does not leave
for anybody, real-time priority or not: a write of 512 KiB took 47 to 60 µs of it from single pages and 29 to 42 from a
huge one (four runs each in turns, a file that grows).
"""

from __future__ import annotations

import ctypes
import mmap
from contextlib import suppress

from oca.common.huge_pages import HUGE_BYTES


def in_huge_page(size: int) -> memoryview:
    """Zeros, ``HUGE_BYTES`` at most, at the start of a page of that size; of small ones where there is none."""
    room = mmap.mmap(-1, 2 * HUGE_BYTES, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)
    start = -ctypes.addressof(ctypes.c_char.from_buffer(room)) % HUGE_BYTES
    with suppress(OSError):  # a kernel without huge pages
        room.madvise(mmap.MADV_HUGEPAGE, start, HUGE_BYTES)
    return memoryview(room)[start : start + size]
