import mmap
import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from oca.delivery.residency import PageCache, read_at_hand

PAGE = mmap.PAGESIZE
PAGES = 512


@pytest.fixture
def descriptor(tmp_path: Path) -> Iterator[int]:
    """A file of which nothing is in memory, and nothing comes in that is not asked for."""
    path = tmp_path / "pack"
    path.write_bytes(bytes(PAGE * PAGES))
    descriptor = os.open(path, os.O_RDWR)
    os.fsync(descriptor)
    os.posix_fadvise(descriptor, 0, 0, os.POSIX_FADV_DONTNEED)
    os.posix_fadvise(descriptor, 0, 0, os.POSIX_FADV_RANDOM)
    yield descriptor
    os.close(descriptor)


def read(descriptor: int, first: int, pages: int) -> None:
    os.pread(descriptor, pages * PAGE, first * PAGE)


def test_page_cache_holds_what_was_read_and_nothing_more(descriptor: int) -> None:
    cache = PageCache()
    assert cache.counts, "this kernel has no cachestat(2): Linux 6.5 is needed for this test"
    assert not cache.holds(descriptor, 0, 1)
    read(descriptor, 2, 4)
    assert cache.holds(descriptor, 2 * PAGE, 4 * PAGE)
    assert cache.holds(descriptor, 2 * PAGE + 7, 1)
    assert cache.holds(descriptor, 3 * PAGE - 1, 2)
    assert not cache.holds(descriptor, 2 * PAGE - 1, 2)
    assert not cache.holds(descriptor, 6 * PAGE - 1, 2)
    read(descriptor, 7, 1)
    assert not cache.holds(descriptor, 2 * PAGE, 6 * PAGE), "a page amid the range is missing"


def test_page_cache_does_not_begin_to_read_what_it_is_asked_about(descriptor: int) -> None:
    cache = PageCache()
    for _ in range(3):
        assert not cache.holds(descriptor, 0, PAGES * PAGE)
    assert not any(cache.holds(descriptor, page * PAGE, PAGE) for page in range(PAGES))


def test_page_cache_lacks_what_is_past_the_end_or_cannot_be_asked(descriptor: int) -> None:
    read(descriptor, 0, PAGES)
    for cache in (PageCache(), PageCache(cachestat=False)):
        assert cache.holds(descriptor, 0, PAGES * PAGE)
        assert not cache.holds(descriptor, (PAGES - 1) * PAGE, PAGE + 1)
        assert not cache.holds(-1, 0, PAGE)


def test_page_cache_without_cachestat_looks_at_single_pages(descriptor: int) -> None:
    cache = PageCache(cachestat=False)
    assert not cache.counts
    read(descriptor, 0, PAGES)
    assert cache.holds(descriptor, 0, PAGES * PAGE)
    os.posix_fadvise(descriptor, 0, 0, os.POSIX_FADV_DONTNEED)  # of a part, it spares what a larger folio shares
    assert not cache.holds(descriptor, 0, PAGES * PAGE)


def test_page_cache_believes_cachestat_where_file_system_cannot_tell(
    descriptor: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    def cannot(*_: object) -> int:
        raise OSError(95, "Operation not supported")

    read(descriptor, 0, 1)
    monkeypatch.setattr(os, "preadv", cannot)
    assert PageCache().holds(descriptor, 0, PAGE)
    assert not PageCache(cachestat=False).holds(descriptor, 0, PAGE)


def test_page_cache_does_not_take_a_page_on_its_way_for_there(descriptor: int, monkeypatch: pytest.MonkeyPatch) -> None:
    def on_its_way(*_: object) -> int:
        raise BlockingIOError(11, "Resource temporarily unavailable")

    read(descriptor, 0, 1)
    monkeypatch.setattr(os, "preadv", on_its_way)
    assert not PageCache().holds(descriptor, 0, PAGE)


def test_small_reads_never_wait_for_the_device(descriptor: int) -> None:
    assert read_at_hand(descriptor, 3 * PAGE, 10) == b""
    read(descriptor, 3, 2)
    assert read_at_hand(descriptor, 3 * PAGE + 5, PAGE) == bytes(PAGE)
    assert read_at_hand(descriptor, PAGE * PAGES - 1, 2) == b""
    assert read_at_hand(-1, 0, 1) == b""
