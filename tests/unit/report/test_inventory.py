import errno
import os
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from oca.common import silence
from oca.common.box import StoreTable
from oca.common.clock import monotonic_s
from oca.common.digest import digest_hex, revision_of
from oca.common.errors import StoreError
from oca.common.messages import AssetManifest, ObjectDescription
from oca.common.silence import Standing
from oca.report import inventory as inventories
from oca.report.inventory import Inventory
from oca.store import files
from oca.store.fill_record import FillFigures
from oca.store.outage import bring_back, take_out
from oca.store.outages import keep
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
    (reading,) = inventory.read().devices
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


def test_inventory_refuses_store_without_device(tmp_path: Path) -> None:
    with pytest.raises(StoreError) as caught:
        Inventory(StoreTable(devices=(str(tmp_path / "gone"),)))
    assert str(tmp_path / "gone") in caught.value.message
    assert caught.value.remedy


def make_inventory(devices: list[Path], **settings: Any) -> Inventory:
    return Inventory(StoreTable(devices=tuple(map(str, devices)), **settings))


def seen(inventory: Inventory) -> tuple[list[str], dict[int, str]]:
    """The assets held, and why each device that is out is."""
    found = inventory.read()
    return [pack.asset for pack in found.packs], {number: outage.cause for number, outage in found.out.items()}


def fail_writes(monkeypatch: pytest.MonkeyPatch, device: Path, number: int) -> None:
    write = os.pwrite

    def refuse(descriptor: int, data: bytes, offset: int) -> int:
        if device in Path(f"/proc/self/fd/{descriptor}").readlink().parents:
            raise OSError(number, os.strerror(number))
        return write(descriptor, data, offset)

    monkeypatch.setattr(os, "pwrite", refuse)


@pytest.mark.parametrize(("number", "cause"), [(errno.EIO, "io-error"), (errno.EROFS, "read-only")])
def test_inventory_takes_out_device_that_takes_no_writes(
    devices: list[Path], monkeypatch: pytest.MonkeyPatch, number: int, cause: str
) -> None:
    inventory = make_inventory(devices)
    version = inventory.read().version
    fail_writes(monkeypatch, devices[1], number)
    inventory._measure_at_s = 0.0
    assert seen(inventory) == (["film/video-0"], {1: cause})
    assert inventory.read().version != version
    assert inventory.read().use.assets == 1
    good, out = inventory.devices()
    assert good.fault == ""
    assert "taken out" in out.fault
    assert os.strerror(number) in out.fault
    assert inventory.out()[1].readable == (cause == "read-only")
    inventory.close()
    again = make_inventory(devices)  # it still fails: reason and time are those of before
    assert seen(again) == (["film/video-0"], {1: cause})
    assert again.out() == inventory.out()
    again.close()
    monkeypatch.undo()
    mended = make_inventory(devices)
    assert seen(mended) == (["film/video-0", "film/video-1"], {})
    mended.close()


def test_inventory_takes_out_device_whose_index_cannot_be_read(
    devices: list[Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    inventory = make_inventory(devices)
    read = os.pread

    def fail(descriptor: int, count: int, offset: int) -> bytes:
        if Path(f"/proc/self/fd/{descriptor}").readlink() == devices[1] / "index" / "data.mdb":
            raise OSError(errno.EIO, os.strerror(errno.EIO))
        return read(descriptor, count, offset)

    monkeypatch.setattr(os, "pread", fail)
    inventory._measure_at_s = 0.0
    assert seen(inventory) == (["film/video-0"], {1: "io-error"})
    inventory.close()


def test_inventory_takes_out_device_after_failed_reads_of_several_assets(devices: list[Path]) -> None:
    inventory = make_inventory(devices, device_errors_max=2)
    for _ in range(5):
        inventory.blame(1, "film/video-1", "film/video-1: its device fails")
    inventory.blame(7, "film/x", "no such device")
    assert seen(inventory)[1] == {}
    inventory.blame(1, "film/other", "film/other: its device fails")
    assert seen(inventory)[1] == {1: "io-error"}
    assert [error.said for error in inventory.out()[1].errors] == [
        "film/video-1: its device fails",
        "film/other: its device fails",
    ]
    inventory.close()


def test_inventory_takes_out_device_that_hangs_and_goes_on_with_others(
    devices: list[Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    inventory = make_inventory(devices, device_hang_s=1.0)
    gate, space = threading.Event(), files.space

    def hang(folder: Path) -> tuple[int, int]:
        if folder == devices[1]:
            gate.wait(20)
        return space(folder)

    monkeypatch.setattr(files, "space", hang)
    monkeypatch.setattr(inventories, "HANG_S", 0.1)
    monkeypatch.setattr(inventories, "ANSWER_S", 0.1)
    assert seen(inventory) == (["film/video-0", "film/video-1"], {})
    while not inventory.devices()[1].fault:
        seen(inventory)
    assert "has not answered" in inventory.devices()[1].fault
    commit([devices[0]], "film/new")
    held, out = seen(inventory)
    while "film/new" not in held:  # it may be late, on a busy machine
        held, out = seen(inventory)
    while not out:
        held, out = seen(inventory)
    assert (held, out) == (["film/new", "film/video-0"], {1: "hang"})
    gate.set()
    inventory.close()


def test_inventory_takes_out_device_that_does_not_answer_workers(
    devices: list[Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    now = [100.0]
    monkeypatch.setattr(inventories, "monotonic_s", lambda: now[0])
    inventory = make_inventory(devices)
    for at_s in range(100, 141):
        now[0] = at_s
        inventory.note_sick([] if at_s == 110 else [0])
        assert seen(inventory)[1] == {}
    now[0] = 141
    inventory.note_sick([0])
    assert seen(inventory)[1] == {0: "hang"}
    inventory.close()


def test_inventory_counts_no_time_against_device_in_which_itself_was_held_up(
    devices: list[Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    now = [100.0]
    monkeypatch.setattr(inventories, "monotonic_s", lambda: now[0])
    inventory = make_inventory(devices)
    for at_s in (100, 200, 300):
        now[0] = at_s
        inventory.note_sick([0])
        assert seen(inventory)[1] == {}
    inventory.close()


def test_inventory_keeps_device_whose_thread_gets_no_processor(
    devices: list[Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    inventory = make_inventory(devices, device_hang_s=1.0)
    starved, gate, space = [True], threading.Event(), files.space
    standing_of = silence.standing_of

    def stand(thread: int) -> Standing:
        return Standing(starved[0], standing_of(thread).processor_s)

    def hold_up(folder: Path) -> tuple[int, int]:
        if folder == devices[1]:
            gate.wait(20)
        return space(folder)

    monkeypatch.setattr(silence, "standing_of", stand)
    monkeypatch.setattr(files, "space", hold_up)
    monkeypatch.setattr(inventories, "ANSWER_S", 0.1)
    ends_at_s = monotonic_s() + 2
    while monotonic_s() < ends_at_s:
        assert seen(inventory) == (["film/video-0", "film/video-1"], {})
    starved[0] = False
    while not (out := seen(inventory)[1]):
        pass
    assert out == {1: "hang"}
    gate.set()
    inventory.close()


def test_inventory_keeps_device_that_is_late_with_its_records(
    devices: list[Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    inventory = make_inventory(devices)
    gate, names = threading.Event(), files.names

    def hold_up(folder: Path) -> list[str]:
        if folder.parent == devices[1]:
            gate.wait(20)
        return names(folder)

    keep(devices, take_out(None, "/elsewhere", "operator", "gone", now_ns=5))
    monkeypatch.setattr(files, "names", hold_up)
    monkeypatch.setattr(inventories, "ANSWER_S", 0.1)
    assert seen(inventory)[1] == {}
    gate.set()
    folder = str(devices[1])
    keep(devices[1:], take_out(None, folder, "operator", "to be replaced", now_ns=6))
    assert seen(inventory)[1] == {1: "operator"}
    inventory.close()


def test_inventory_starts_without_device_that_hangs(devices: list[Path], monkeypatch: pytest.MonkeyPatch) -> None:
    gate, require = threading.Event(), files.require_folder

    def hang(folder: Path) -> None:
        if folder == devices[0]:
            gate.wait(20)
        require(folder)

    monkeypatch.setattr(files, "require_folder", hang)
    monkeypatch.setattr(inventories, "ANSWER_S", 0.1)
    inventory = make_inventory(devices, device_hang_s=1.0)
    assert seen(inventory) == (["film/video-1"], {0: "hang"})
    gate.set()
    inventory.close()


def test_inventory_takes_up_what_others_write_down(devices: list[Path]) -> None:
    inventory = make_inventory(devices)
    folder = str(devices[1])
    record = take_out(None, folder, "operator", "to be replaced", now_ns=5)
    keep(devices, record)
    assert seen(inventory) == (["film/video-0"], {1: "operator"})
    inventory.close()
    again = make_inventory(devices)  # what an operator took out is not tried at a start
    assert seen(again) == (["film/video-0"], {1: "operator"})
    keep(devices, bring_back(record, "new", now_ns=6))
    seen(again)
    assert seen(again) == (["film/video-0", "film/video-1"], {})
    again.close()


def test_inventory_keeps_on_when_every_device_is_out(devices: list[Path]) -> None:
    for device in devices:
        keep(devices, take_out(None, str(device), "operator", "why", now_ns=5))
    inventory = make_inventory(devices)
    assert seen(inventory) == ([], {0: "operator", 1: "operator"})
    assert inventory.read().use.capacity_bytes == 0
    inventory.close()


def test_inventory_keeps_figures_of_fills_while_they_cannot_be_read(tmp_path: Path) -> None:
    inventory = Inventory(StoreTable(devices=(str(tmp_path),)))
    assert inventory.read().figures == FillFigures()
    files.make_folder(tmp_path / "fill")
    (tmp_path / "fill/figures.json").write_text('{"done": 3}')
    assert inventory.read().figures == FillFigures(done=3)
    (tmp_path / "fill/figures.json").write_text("[1]")
    assert inventory.read().figures == FillFigures(done=3)
