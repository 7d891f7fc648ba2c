import errno
import os
from collections.abc import Callable
from pathlib import Path

import pytest

from oca.common.box import StoreTable
from oca.common.digest import digest_hex, revision_of
from oca.common.errors import StoreError
from oca.common.messages import AssetManifest, ObjectDescription
from oca.report.inventory import Inventory
from oca.store.rebuild import rebuild
from oca.store.store import Store


def commit(devices: list[Path], asset: str) -> None:
    """Put a one-object asset into the store, as a fill would."""
    body = asset.encode() * 100
    item = ObjectDescription(path=f"/{asset}/1.m4s", bytes=len(body), digest=digest_hex(body), media_type="video/mp4")
    manifest = AssetManifest(
        asset=asset,
        revision=revision_of([(item.path, item.digest)]),
        bytes=len(body),
        modified_at_ns=1,
        objects=[item],
        sources=[],
    )
    store = Store.open(devices, device_bytes_max=0, reserve_ratio=0.0)
    staged = store.stage(manifest)
    staged.write(body)
    assert staged.finish_object()
    staged.commit()
    store.close()


def test_inventory_sees_asset_once_fill_commits_it(tmp_path: Path) -> None:
    inventory = Inventory(StoreTable(devices=(str(tmp_path),)))
    empty = inventory.read()
    assert (empty.packs, empty.use.assets) == ([], 0)
    assert inventory.read().version == empty.version
    commit([tmp_path], "film/video")
    filled = inventory.read()
    assert filled.version != empty.version
    assert filled.held.digest != empty.held.digest
    assert [pack.asset for pack in filled.packs] == ["film/video"]
    assert (filled.use.assets, filled.use.objects) == (1, 1)
    assert [device.fault for device in filled.devices] == [""]
    inventory.close()


def test_inventory_keeps_on_with_devices_that_work(tmp_path: Path) -> None:
    (tmp_path / "a").mkdir()
    inventory = Inventory(StoreTable(devices=(str(tmp_path / "a"), str(tmp_path / "gone"))))
    good, bad = inventory.read().devices
    assert (good.fault, good.free_bytes > 0) == ("", True)
    assert "gone" in bad.fault
    assert bad.fault.endswith("then restart oca")
    inventory.close()


def test_inventory_tells_device_that_vanished(tmp_path: Path) -> None:
    device = tmp_path / "a"
    device.mkdir()
    inventory = Inventory(StoreTable(devices=(str(device),)))
    device.rename(tmp_path / "b")
    (reading,) = inventory.devices()
    assert "No such file" in reading.fault
    inventory.close()


@pytest.fixture
def devices(tmp_path: Path) -> list[Path]:
    """Two devices, with one asset each."""
    made = [tmp_path / "nvme0", tmp_path / "nvme1"]
    for number, device in enumerate(made):
        device.mkdir()
        commit([device], f"film/video-{number}")
    return made


@pytest.mark.parametrize("damaged_before_start", [False, True])
def test_inventory_blames_damaged_index_on_its_own_device(
    devices: list[Path], damage_packs_table: Callable[[Path], None], damaged_before_start: bool
) -> None:
    if damaged_before_start:
        damage_packs_table(devices[1])
    inventory = Inventory(StoreTable(devices=tuple(map(str, devices))))
    if not damaged_before_start:
        assert inventory.read().use.assets == 2
        damage_packs_table(devices[1])
    found = inventory.read()
    assert [pack.asset for pack in found.packs] == ["film/video-0"]
    assert (found.use.assets, found.use.objects) == (1, 1)
    assert found.devices[0].fault == ""
    assert found.devices[1].fault.startswith(f"{devices[1]}/index: the index is damaged")
    rebuild(1, devices[1])
    assert inventory.read().use.assets == 2
    assert [device.fault for device in inventory.devices()] == ["", ""]
    inventory.close()


def test_inventory_finds_out_by_writing_that_device_is_read_only(
    devices: list[Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    inventory = Inventory(StoreTable(devices=tuple(map(str, devices))))
    write = os.pwrite

    def refuse(descriptor: int, data: bytes, offset: int) -> int:
        if Path(f"/proc/self/fd/{descriptor}").readlink().parent == devices[1]:
            raise OSError(errno.EROFS, os.strerror(errno.EROFS))
        return write(descriptor, data, offset)

    monkeypatch.setattr(os, "pwrite", refuse)
    assert [device.read_only for device in inventory.read().devices] == ["", ""]
    monkeypatch.setattr(inventory, "_measure_at", 0.0)
    good, bad = inventory.read().devices
    assert (good.fault, good.read_only, bad.fault) == ("", "", "")
    assert "cannot write: Read-only file system" in bad.read_only
    monkeypatch.undo()
    inventory._measure_at = 0.0
    assert [device.read_only for device in inventory.read().devices] == ["", ""]
    inventory.close()


def test_inventory_refuses_store_without_device(tmp_path: Path) -> None:
    with pytest.raises(StoreError) as caught:
        Inventory(StoreTable(devices=(str(tmp_path / "gone"),)))
    assert str(tmp_path / "gone") in caught.value.message
    assert caught.value.remedy
