from __future__ import annotations

import ctypes
import subprocess
import sys
from pathlib import Path

import pytest

from oca.common.memory import give_back, keep_one_heap


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


THREADS = """
import ctypes, sys, threading
from oca.common.memory import give_back, keep_one_heap

def own_bytes():
    return 1024 * int(open("/proc/self/status").read().split("RssAnon:")[1].split()[0])

libc = ctypes.CDLL(None)
libc.malloc.restype = ctypes.c_void_p
libc.prctl(41, 1, 0, 0, 0)  # PR_SET_THP_DISABLE: huge pages that all get would be counted, too
there = threading.Barrier(5)

def take(pieces, size):
    addresses = [libc.malloc(size) for _ in range(pieces)]
    for address in addresses:
        ctypes.memset(address, 1, size)
    there.wait() if pieces > 1 else None
    for address in addresses:
        libc.free(ctypes.c_void_p(address))

if sys.argv[1] == "one":
    keep_one_heap()
before = own_bytes()
take(1, 8_000_000)  # so large a piece has glibc take up to such from its heaps from now on
threads = [threading.Thread(target=take, args=(8, 500_000)) for _ in range(4)]
for thread in threads:
    thread.start()
there.wait()
for thread in threads:
    thread.join()
give_back()
print(own_bytes() - before)
"""


@pytest.mark.parametrize(
    ("heaps", "kept"), [("one", range(-2_000_000, 2_000_000)), ("many", range(8_000_000, 20_000_000))]
)
def test_memory_of_short_threads_is_not_kept_where_there_is_one_heap(heaps: str, kept: range) -> None:
    argv = [sys.executable, "-c", THREADS, heaps]
    assert int(subprocess.run(argv, capture_output=True, check=True, text=True).stdout) in kept


READS = """
import resource
from oca.common.memory import keep_one_heap

keep_one_heap()
alive = []

def read(count):
    for _ in range(count):
        alive.append(bytes([1]) * 2**18)
        del alive[:-3]

def faults():
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt

read(20)
before = faults()
read(200)
alive.clear()
read(200)
print(faults() - before)
"""


def test_memory_of_reads_is_not_fetched_from_the_kernel_for_each() -> None:
    told = subprocess.run([sys.executable, "-c", READS], capture_output=True, check=True, text=True).stdout
    assert int(told) < 1_000  # of 4 KiB each; 26,000 where every piece of 256 KiB is a mapping


def test_memory_is_left_alone_where_the_library_has_no_such_calls(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ctypes, "CDLL", lambda _name: object())
    keep_one_heap()
    give_back()
