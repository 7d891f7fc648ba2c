import os
from pathlib import Path

from benchmarks import hot_pages as bench
from oca.store.store import Store


def test_hot_pages_tell_what_is_cached(tmp_path: Path) -> None:
    file = tmp_path / "file"
    file.write_bytes(bytes(2**20))
    assert bench.cached_bytes(file) == 2**20
    with file.open("rb") as opened:
        os.fsync(opened.fileno())
        os.posix_fadvise(opened.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)
    assert bench.cached_bytes(file) == 0


def test_hot_pages_fill_what_they_say(tmp_path: Path) -> None:
    bench.fill(tmp_path, 8 * 2**20)
    store = Store.open([tmp_path / "filled"])
    (held,) = store.assets()
    assert held.objects == 2
    store.close()
