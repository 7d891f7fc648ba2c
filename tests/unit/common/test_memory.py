from __future__ import annotations

import ctypes
from pathlib import Path

import pytest

from oca.common.memory import give_back


def own_bytes() -> int:
    lines = Path("/proc/self/status").read_text().splitlines()
    return 1024 * next(int(line.split()[1]) for line in lines if line.startswith("RssAnon"))


def test_memory_that_was_freed_is_given_back() -> None:
    libc = ctypes.CDLL(None)
    libc.malloc.restype = ctypes.c_void_p
    taken = [libc.malloc(100_000) for _ in range(400)]  # too small for mappings of their own
    for address in taken:
        ctypes.memset(address, 1, 100_000)
    full = own_bytes()
    for address in taken[:-1]:  # the last one keeps the heap from shrinking by itself
        libc.free(ctypes.c_void_p(address))
    give_back()
    assert own_bytes() < full - 30_000_000
    libc.free(ctypes.c_void_p(taken[-1]))


def test_memory_is_left_alone_where_the_library_has_no_trim(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ctypes, "CDLL", lambda _name: object())
    give_back()
