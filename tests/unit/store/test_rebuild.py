"""An index made anew from packs alone serves the same bytes."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from oca.common.errors import StoreError
from oca.store.rebuild import rebuild
from oca.store.store import Store
from oca.store.verify import verify
from tests.unit.store.made_up import hold


def entries(store: Store) -> dict[bytes, bytes | None]:
    (device,) = store.devices()
    return {path: device.index.get(path) for path in device.index.paths_of({1, 2, 3})}


@pytest.fixture
def filled(device: Path) -> dict[bytes, bytes | None]:
    store = Store.open([device])
    hold(store)
    hold(store, "a/sound")
    before = entries(store)
    store.close()
    return before


@pytest.mark.parametrize("damage", ["none", "gone", "noise", "killed rebuild"])
def test_rebuild_makes_same_index_from_packs(device: Path, filled: dict[bytes, bytes | None], damage: str) -> None:
    if damage == "gone":
        shutil.rmtree(device / "index")
    elif damage == "noise":
        (device / "index" / "data.mdb").write_bytes(b"\xff" * 65536)
    elif damage == "killed rebuild":
        for name in ("index.new", "index.old"):
            shutil.copytree(device / "index", device / name)
    told: list[tuple[int, int]] = []
    rebuilt = rebuild(0, device, on_pack=lambda done, total: told.append((done, total)))
    assert (rebuilt.assets, rebuilt.objects) == (2, 8)
    assert told == [(1, 2), (2, 2)]
    store = Store.open([device])
    assert entries(store) == filled
    assert verify(store.devices()).faults == []
    store.close()
    assert sorted(path.name for path in device.iterdir()) == ["index", "lock", "packs", "staging"]


def test_rebuild_keeps_newer_of_two_revisions(device: Path) -> None:
    store = Store.open([device])
    hold(store, seed=0)
    shutil.copy(device / "packs" / "00000001.pack", device.parent / "older")
    newer = hold(store, seed=1)
    store.close()
    shutil.copy(device.parent / "older", device / "packs" / "00000001.pack")
    assert rebuild(0, device).assets == 1
    store = Store.open([device])
    assert store.assets() == [newer]
    assert [path.name for path in (device / "packs").iterdir()] == ["00000002.pack"]
    store.close()


def test_rebuild_says_what_is_no_whole_pack(device: Path, filled: dict[bytes, bytes | None]) -> None:
    (device / "packs" / "00000001.pack").write_bytes(b"damaged")
    rebuilt = rebuild(0, device)
    assert rebuilt.assets == 1
    assert any("00000001.pack: does not start as a pack" in line for line in rebuilt.removed)


def test_rebuild_refuses_device_that_is_written(store: Store, device: Path) -> None:
    with pytest.raises(StoreError, match="another process writes to it"):
        rebuild(0, device)
