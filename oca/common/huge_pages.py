"""Moves a large process's memory into huge pages, where the kernel can: each look-up then costs fewer steps of its own.

For processes whose work is to look things up all over gigabytes, on machines that give huge pages only to who asks
(``/sys/kernel/mm/transparent_hugepage/enabled``: ``madvise``), and because Python asks for memory in pieces too small
to get one by itself. A kernel before 6.1 has no such call, and nothing happens. ``never`` is heeded here: the call
itself would not heed it.
"""

from __future__ import annotations

import ctypes
import errno
import functools
import math
import mmap
import os
from collections.abc import Iterator
from pathlib import Path

from oca.common.clock import monotonic_s
from oca.common.log import get_logger

HUGE_BYTES = 2 * 2**20
RESIDENT_MIN = 15 / 16
"""Of a block's pages that must be in use: what is not would be memory taken for nothing."""
TURN_S = 0.001
"""A turn is over after so long: after a block that was moved, some 4 ms, and not after one that is huge already."""
REFUSED_MAX, REFUSED_REST_S = 16, 3600.0
"""Blocks refused in a row after which the rest is left, and for how long: memory is short, or the kernel cannot."""
MAPS, PAGEMAP = Path("/proc/self/maps"), Path("/proc/self/pagemap")
ENABLED = Path("/sys/kernel/mm/transparent_hugepage/enabled")
_MADV_COLLAPSE = 25
"""madvise(2), Linux 6.1."""
_ENTRY_BYTES = 8
"""Of ``pagemap`` for each page; the highest bit says that it is in memory (proc_pid_pagemap(5))."""
_IS_PRESENT = bytes(byte >> 7 for byte in range(256))
_log = get_logger("memory")


class HugePages:
    """Of this process; asked again and again, since memory grows. What comes of it is logged when it changes."""

    def __init__(self) -> None:
        self._not_before_s = 0.0
        self._has_moved = False
        self._told: str | None = None

    def move(self) -> Iterator[int]:
        """Move block by block: yields after each how many bytes that were, for whoever is in no hurry; some 4 ms each.

        A block that is huge already costs a few microseconds, and counts as moved. One that is refused yields 0.
        """
        if monotonic_s() < self._not_before_s:
            return
        if why_not := _why_not():
            self._tell(why_not, 0)
            return
        moved, refused, codes = 0, 0, set[int]()
        for block in _blocks_in_use():
            code = _collapse(block)
            if code:
                refused += 1
                codes.add(code)
                yield 0
                if refused == REFUSED_MAX:
                    break
            else:
                moved, refused, self._has_moved = moved + HUGE_BYTES, 0, True
                yield HUGE_BYTES
        if codes == {errno.EINVAL} and not self._has_moved:
            self._not_before_s = math.inf  # the kernel has no such call; of one block it may mean less
        elif refused == REFUSED_MAX:
            self._not_before_s = monotonic_s() + REFUSED_REST_S
        if refused == REFUSED_MAX or (codes and not moved):
            self._tell(" ".join(sorted(errno.errorcode.get(code, str(code)) for code in codes)), moved)
        elif moved:
            self._tell("", moved)

    def _tell(self, why_not: str, moved_bytes: int) -> None:
        if why_not == self._told:
            return
        self._told = why_not
        said = {"why": why_not} if why_not else {}
        outcome = "memory is not moved into huge pages" if why_not else "memory moved into huge pages"
        _log.info(outcome, mb=moved_bytes // 10**6, **said)


def turn(moves: Iterator[int]) -> float | None:
    """Go on with ``move`` for ``TURN_S``: how long that took, in seconds; None: it is done."""
    began_s = monotonic_s()
    for _ in moves:
        if (took_s := monotonic_s() - began_s) >= TURN_S:
            return took_s
    return None


def blocks(maps: str) -> Iterator[int]:
    """Addresses of all aligned blocks of private memory that no file is behind, by the kernel's list."""
    for line in maps.splitlines():
        span, rights, _, _, inode, *name = line.split(maxsplit=5)
        if rights != "rw-p" or inode != "0" or name not in ([], ["[heap]"]):
            continue
        begins, ends = (int(text, 16) for text in span.split("-"))
        yield from range(-(-begins // HUGE_BYTES) * HUGE_BYTES, ends - HUGE_BYTES + 1, HUGE_BYTES)


def _why_not() -> str:
    """What the machine is set to, or lacks."""
    if not ENABLED.exists() or "[never]" in ENABLED.read_text():
        return "never"
    return "" if os.access(PAGEMAP, os.R_OK) else "no pagemap"


def _blocks_in_use() -> Iterator[int]:
    """By ``pagemap``, not ``mincore``, which systemd's set of calls for services leaves out.

    40 us a block of small pages and 4 of a huge one, for 4 and 3; what is unmapped meanwhile has no pages.
    """
    pages = HUGE_BYTES // mmap.PAGESIZE
    with PAGEMAP.open("rb", buffering=0) as pagemap:
        for block in blocks(MAPS.read_text()):
            entries = os.pread(pagemap.fileno(), pages * _ENTRY_BYTES, block // mmap.PAGESIZE * _ENTRY_BYTES)
            highest = entries[_ENTRY_BYTES - 1 :: _ENTRY_BYTES]
            if highest.translate(_IS_PRESENT).count(1) >= RESIDENT_MIN * pages:
                yield block


def _collapse(block: int) -> int:
    """Move one; the kernel's error, or 0."""
    return ctypes.get_errno() if _libc().madvise(block, HUGE_BYTES, _MADV_COLLAPSE) else 0


@functools.cache
def _libc() -> ctypes.CDLL:
    libc = ctypes.CDLL(None, use_errno=True)
    libc.madvise.argtypes = (ctypes.c_void_p, ctypes.c_size_t, ctypes.c_int)
    return libc
