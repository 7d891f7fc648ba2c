"""How full the store is."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from oca.store import files
from oca.store.reader import StoreReader
from oca.store.store import Store
from oca.store.use import measure, store_use
from tests.unit.store.made_up import hold, make_contents, make_manifest


def test_use_counts_what_is_held(store: Store, device: Path) -> None:
    held = hold(store)
    reader = StoreReader.open([device])
    use = store_use(reader, [device], 10**6, 0.05)
    assert use == store.use() or use.capacity_bytes == 10**6
    assert (use.used_bytes, use.assets, use.objects) == (held.bytes, 1, 4)
    assert store_use(reader, [], 0, 0.05).assets == 0
    reader.close()


def test_use_counts_staged_parts_as_ours(store: Store) -> None:
    staged = store.stage(make_manifest(make_contents()))
    staged.write(bytes(100))
    assert measure(store.devices())[0].staged == 4196


def test_use_shares_one_file_system_between_its_devices(make_device: Callable[[str], Path]) -> None:
    folders = [make_device("nvme0"), make_device("nvme1")]
    store = Store.open(folders, reserve_ratio=0)
    total, _ = files.space(folders[0])
    assert [space.total for space in measure(store.devices()).values()] == [total // 2, total // 2]
    store.close()
