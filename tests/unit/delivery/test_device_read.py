import errno
import os
from pathlib import Path

import pytest

from oca.delivery.device_read import BLOCK_BYTES, BLOCK_NEEDED_BYTES, PROBE_BYTES, blocks, read_anew, read_in
from oca.delivery.residency import PageCache

SIZE = 2**20 + 123


@pytest.fixture
def descriptor(tmp_path: Path) -> int:
    path = tmp_path / "pack"
    path.write_bytes(bytes(SIZE))
    descriptor = os.open(path, os.O_RDWR)
    os.fsync(descriptor)
    os.posix_fadvise(descriptor, 0, 0, os.POSIX_FADV_DONTNEED)
    os.posix_fadvise(descriptor, 0, 0, os.POSIX_FADV_RANDOM)
    return descriptor


def test_read_brings_in_its_range_and_no_more(descriptor: int) -> None:
    cache = PageCache()
    assert read_in(descriptor, 65536, 131072) == 131072
    assert cache.holds(descriptor, 65536, 131072)
    assert not cache.holds(descriptor, 0, 65536)
    assert not cache.holds(descriptor, 65536 + 131072, 1)
    os.close(descriptor)


def test_read_tells_where_the_file_ends(descriptor: int) -> None:
    assert read_in(descriptor, SIZE - 10, 4096) == 10
    assert read_in(descriptor, SIZE, 4096) == 0
    os.close(descriptor)


@pytest.mark.parametrize(
    ("offset", "length", "wanted"),
    [
        (0, BLOCK_BYTES, [0]),
        (4096, BLOCK_NEEDED_BYTES, [0]),
        (4096, BLOCK_NEEDED_BYTES - 1, []),
        (BLOCK_BYTES - 4096, 2**20, [BLOCK_BYTES]),
        (2**20, 2**20 + BLOCK_NEEDED_BYTES, [0, BLOCK_BYTES]),
        (BLOCK_BYTES, 3 * BLOCK_BYTES, [BLOCK_BYTES]),
        (3 * BLOCK_BYTES, BLOCK_BYTES, []),
    ],
)
def test_blocks_are_those_of_which_enough_is_asked_for(offset: int, length: int, wanted: list[int]) -> None:
    assert list(blocks(offset, length, 3 * BLOCK_BYTES - 1)) == wanted


def test_read_of_much_of_a_block_brings_in_all_of_it(tmp_path: Path) -> None:
    path = tmp_path / "pack"
    path.write_bytes(bytes(4 * BLOCK_BYTES))
    with path.open("rb+") as file:
        os.fsync(file)
        os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)
        os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_RANDOM)
        assert read_in(file.fileno(), BLOCK_BYTES + 8192, BLOCK_NEEDED_BYTES) == BLOCK_NEEDED_BYTES
        cache = PageCache()
        assert cache.holds(file.fileno(), BLOCK_BYTES + 8192, BLOCK_NEEDED_BYTES)
        assert not cache.holds(file.fileno(), BLOCK_BYTES - 4096, 1)
        assert not cache.holds(file.fileno(), 2 * BLOCK_BYTES, 1)
        assert cache.holds(file.fileno(), BLOCK_BYTES, BLOCK_BYTES)  # on any file system: the fault asks for it whole


def test_read_that_fails_leaves_nothing_in_memory(descriptor: int, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(out: int, source: int, offset: int, length: int) -> int:
        os.pread(source, 65536, offset)
        raise OSError(errno.EIO, "Input/output error")

    monkeypatch.setattr(os, "sendfile", fail)
    with pytest.raises(OSError, match="Input/output"):
        read_in(descriptor, 0, 65536)
    assert not PageCache().holds(descriptor, 0, 1)
    os.close(descriptor)


def test_read_anew_asks_the_device_for_what_is_in_memory(descriptor: int, monkeypatch: pytest.MonkeyPatch) -> None:
    read_in(descriptor, 0, PROBE_BYTES)
    found: list[bool] = []
    missed = False
    sendfile = os.sendfile

    def look(out: int, source: int, offset: int, length: int) -> int:
        found.append(missed)
        return sendfile(out, source, offset, length)

    advise = os.posix_fadvise

    def watch(source: int, offset: int, length: int, advice: int) -> None:
        nonlocal missed
        advise(source, offset, length, advice)
        if advice == os.POSIX_FADV_DONTNEED:
            missed = not PageCache().holds(source, 0, 1)

    monkeypatch.setattr(os, "posix_fadvise", watch)
    monkeypatch.setattr(os, "sendfile", look)
    assert read_anew(descriptor, 0, PROBE_BYTES) == PROBE_BYTES
    assert found == [True]
    os.close(descriptor)
