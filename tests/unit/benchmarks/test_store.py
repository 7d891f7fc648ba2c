from pathlib import Path

from benchmarks import store as bench
from oca.store.reader import StoreReader
from oca.store.store import Store


def test_store_benchmark_makes_index_that_is_read_as_any_other(tmp_path: Path) -> None:
    bench.make_index(tmp_path, 1000)
    reader = StoreReader.open([tmp_path])
    packs: dict[int, int] = {}
    for number in range(1000):
        found = reader.find(bench.path_of(number))
        assert found is not None
        assert found.bytes == bench.OBJECT_BYTES
        assert packs.setdefault(number // 200, found.pack) == found.pack
    assert sorted(packs.values()) == [1, 2, 3, 4, 5]
    assert reader.find(bench.path_of(1000)) is None
    reader.close()
    store = Store.open([tmp_path])  # recovery finds nothing to mend
    assert (store.use().assets, store.use().objects) == (5, 1000)
    store.close()
    assert bench.reader_memory(tmp_path, 1000)["anonymous"] > 2**20
