"""Gives back to the kernel what a large piece of work took: for processes that then have nothing to do for long."""

from __future__ import annotations

import ctypes


def give_back() -> None:
    """Let go of freed memory, which glibc keeps for reuse; with another C library nothing happens.

    A fill agent at rest has 6 MB less so, and stays at that from fill to fill. Takes about a millisecond.
    """
    trim = getattr(ctypes.CDLL(None), "malloc_trim", None)
    if trim is not None:
        trim(0)
