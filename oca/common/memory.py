"""How the C library keeps memory: for processes that live for months and now and then do a large piece of work."""

from __future__ import annotations

import ctypes

_TRIM_THRESHOLD, _MMAP_THRESHOLD, _ARENA_MAX = -1, -3, -8
"""Options of ``mallopt`` (malloc.h of glibc)."""
_LARGE_BYTES = 2**20
"""Well above what is taken again and again, as a fill's reads are: a mapping for each costs far more than its copy."""
_SPARE_BYTES = 8 * 2**20


def keep_one_heap() -> None:
    """Have all threads share one heap, and pieces of 1 MiB and more come from the kernel and go back to it at once.

    Call it before the first thread starts. Without it glibc makes threads heaps of their own, up to eight a core, and
    keeps what is free at the end of each for good, even from ``give_back``: as a fill starts some threads that live
    for moments, its agent grew by 15 MB within 170 fills. With another C library nothing happens.
    """
    choose = getattr(ctypes.CDLL(None), "mallopt", None)
    if choose is not None:
        choose(_ARENA_MAX, 1)
        choose(_MMAP_THRESHOLD, _LARGE_BYTES)  # once set it stays; else the largest piece that was freed raises it
        choose(_TRIM_THRESHOLD, _SPARE_BYTES)  # its default of 128 KiB no longer rises, and reads would shrink the heap


def give_back() -> None:
    """Let go of freed memory, which glibc keeps for reuse; with another C library nothing happens.

    A fill agent at rest has 6 MB less so, and stays at that from fill to fill. Takes about a millisecond.
    """
    trim = getattr(ctypes.CDLL(None), "malloc_trim", None)
    if trim is not None:
        trim(0)
