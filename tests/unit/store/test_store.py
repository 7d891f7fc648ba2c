"""Staging, committing, replacing and evicting assets, and whose paths are whose."""

from __future__ import annotations

import errno
import os
import subprocess
import sys
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest

from oca.common.errors import StoreError, StoreFullError
from oca.store import files
from oca.store.device import DeviceHeldError
from oca.store.index import Index
from oca.store.outages import outages
from oca.store.reader import StoreReader
from oca.store.staging import pack_bytes
from oca.store.store import Store
from oca.store.verify import verify
from tests.unit.store.made_up import fill, hold, make_contents, make_manifest
from tests.waiting import WAIT_S

ASSET = "harbour/video-240p"


def packs_on(device: Path) -> list[str]:
    return sorted(path.name for path in (device / "packs").iterdir())


def test_store_replaces_older_revision_and_its_pack(store: Store, device: Path) -> None:
    hold(store, seed=0, objects=6)
    newer = hold(store, seed=1, objects=4)
    assert store.assets() == [newer]
    assert packs_on(device) == ["00000002.pack"]
    assert (store.use().assets, store.use().objects) == (1, 4)
    assert verify(store.devices()).faults == []


def test_store_commits_same_revision_again_without_harm(store: Store) -> None:
    hold(store)
    hold(store)
    assert len(store.assets()) == 1
    assert verify(store.devices()).faults == []


def test_store_evicts_asset_and_gives_its_space_back(store: Store, device: Path) -> None:
    free = store.use().used_bytes
    held = hold(store)
    assert store.use().used_bytes == free + held.bytes
    assert store.evict(ASSET) == held.bytes
    assert (store.use().used_bytes, store.use().objects, packs_on(device)) == (free, 0, [])
    assert store.evict(ASSET) == 0


def test_store_evicts_asset_whose_pack_cannot_say_its_paths(store: Store, device: Path) -> None:
    hold(store, "a/other")
    hold(store)
    (device / "packs" / "00000002.pack").write_bytes(b"damaged")
    assert store.evict(ASSET) > 0
    assert (store.use().assets, store.use().objects) == (1, 4)
    assert verify(store.devices()).faults == []


def test_store_evicts_from_device_with_no_room_for_a_tombstone(
    store: Store, device: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    held = hold(store)
    doom = Index.doom

    def doom_with_room(index: Index, number: int, paths: list[bytes]) -> None:
        if packs_on(device):
            raise StoreFullError("no space is left", remedy="free some", free_bytes={})
        doom(index, number, paths)

    monkeypatch.setattr(Index, "doom", doom_with_room)
    assert store.evict(ASSET) == held.bytes
    assert (packs_on(device), verify(store.devices()).faults) == ([], [])


def test_store_never_gives_a_pack_number_twice(store: Store, device: Path) -> None:
    hold(store)
    store.evict(ASSET)
    hold(store)
    assert packs_on(device) == ["00000002.pack"]


def test_store_refuses_path_that_another_asset_holds(store: Store) -> None:
    hold(store)
    with pytest.raises(StoreError, match=f"{ASSET}/seg-00000.m4s belongs to the asset {ASSET}"):
        store.stage(make_manifest(make_contents(), "harbour/other"))
    assert [held.asset for held in store.assets()] == [ASSET]


@pytest.mark.parametrize("first", [0, 1])
def test_store_refuses_path_on_whichever_device_it_is(make_device: Callable[[str], Path], first: int) -> None:
    devices = [make_device("nvme0"), make_device("nvme1")]
    store = Store.open(devices[first : first + 1])
    hold(store)
    store.close()
    store = Store.open(devices)
    with pytest.raises(StoreError, match="belongs to"):
        store.stage(make_manifest(make_contents(), "harbour/other"))
    store.close()


def test_store_refuses_path_that_was_claimed_while_asset_was_staged(store: Store) -> None:
    contents = make_contents()
    late = fill(store.stage(make_manifest(contents, "harbour/late")), contents)
    hold(store)
    with pytest.raises(StoreError, match=f"belongs to the asset {ASSET}"):
        late.commit()
    assert [held.asset for held in store.assets()] == [ASSET]
    assert verify(store.devices()).faults == []


def test_store_refuses_asset_that_is_being_staged(store: Store) -> None:
    staged = store.stage(make_manifest(make_contents()))
    with pytest.raises(StoreError, match="being staged already"):
        store.stage(make_manifest(make_contents(seed=1)))
    staged.close()
    store.stage(make_manifest(make_contents(seed=1))).close()


def test_store_drops_part_of_older_revision_when_newer_is_staged(store: Store, device: Path) -> None:
    store.stage(make_manifest(make_contents(seed=0))).close()
    newer = store.stage(make_manifest(make_contents(seed=1)))
    assert list((device / "staging").iterdir()) == [newer.path]


def test_store_discards_parts_that_are_not_kept_nor_open(store: Store, device: Path) -> None:
    parts = {asset: store.stage(make_manifest(make_contents(asset), asset)) for asset in ("a/kept", "b/gone", "c/open")}
    parts["a/kept"].close()
    parts["b/gone"].close()
    (device / "staging" / "noise").write_bytes(b"?")
    store.discard_staging({"a/kept"})
    assert set((device / "staging").iterdir()) == {parts["a/kept"].path, parts["c/open"].path}


def test_store_says_how_much_room_there_is_when_asset_does_not_fit(device: Path) -> None:
    manifest = make_manifest(make_contents())
    need = pack_bytes(manifest)
    store = Store.open([device], device_bytes_max=need - 1, reserve_ratio=0)
    with pytest.raises(StoreFullError, match="on one device") as caught:
        store.stage(manifest)
    assert caught.value.free_bytes == {0: need - 1}
    store.close()
    store = Store.open([device], device_bytes_max=need, reserve_ratio=0)
    fill(store.stage(manifest), make_contents()).commit()
    assert (store.free_bytes(), store.capacity_bytes()) == (0, need)
    store.close()


def test_store_promises_no_byte_twice(device: Path) -> None:
    first, second = (make_manifest(make_contents(asset), asset) for asset in ("a/one", "b/two"))
    store = Store.open([device], device_bytes_max=pack_bytes(first) + pack_bytes(second) - 1, reserve_ratio=0)
    store.stage(first)
    with pytest.raises(StoreFullError):
        store.stage(second)
    store.close()


def test_store_spreads_assets_over_devices_by_room(make_device: Callable[[str], Path]) -> None:
    store = Store.open([make_device("nvme0"), make_device("nvme1")], device_bytes_max=10**6, reserve_ratio=0)
    for number in range(6):
        hold(store, f"a/asset-{number}")
    assert sorted(held.device for held in store.assets()) == [0, 0, 0, 1, 1, 1]
    store.close()


def test_store_keeps_one_revision_when_newer_had_to_go_to_another_device(make_device: Callable[[str], Path]) -> None:
    devices = [make_device("nvme0"), make_device("nvme1")]
    need = pack_bytes(make_manifest(make_contents()))
    store = Store.open(devices, device_bytes_max=need + need // 2, reserve_ratio=0)
    older = hold(store, seed=0)
    newer = hold(store, seed=1)
    assert older.device != newer.device
    assert store.assets() == [newer]
    assert (packs_on(devices[older.device]), verify(store.devices()).faults) == ([], [])
    store.close()


def test_store_resumes_part_on_device_where_it_lies(make_device: Callable[[str], Path]) -> None:
    devices = [make_device("nvme0"), make_device("nvme1")]
    store = Store.open(devices[1:])
    contents = make_contents()
    staged = store.stage(make_manifest(contents))
    staged.write(contents[f"/{ASSET}/seg-00000.m4s"])
    assert staged.finish_object()
    store.close()
    store = Store.open(devices)
    staged = store.stage(make_manifest(contents))
    assert (staged.device, staged.position()) == (1, (1, 0))
    store.close()


def test_store_refuses_second_writer_and_names_it(store: Store, device: Path) -> None:
    script = f"""
from pathlib import Path
from oca.store.store import Store
try:
    Store.open([Path({str(device)!r})])
except Exception as error:
    print(error)
"""
    run = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True, timeout=WAIT_S)
    assert "another process writes to it (process " in run.stdout
    assert "wait until it has ended" in run.stdout


@pytest.mark.parametrize("make", [lambda path: None, lambda path: path.write_text("a file")])
def test_store_refuses_device_that_is_no_folder(tmp_path: Path, make: Callable[[Path], object]) -> None:
    make(tmp_path / "nvme0")
    with pytest.raises(StoreError, match="cannot use as a device"):
        Store.open([tmp_path / "nvme0"])


def test_store_works_on_with_device_that_is_left(make_device: Callable[[str], Path], tmp_path: Path) -> None:
    store = Store.open([tmp_path / "missing", make_device("nvme1")])
    assert list(store.failed) == [0]
    assert hold(store).device == 1
    store.close()


def test_store_keeps_what_it_holds_over_reopening(device: Path) -> None:
    store = Store.open([device])
    held = hold(store)
    store.close()
    store = Store.open([device])
    assert store.assets() == [held]
    store.close()


def test_store_does_not_leave_out_device_that_another_process_holds(make_device: Callable[[str], Path]) -> None:
    devices = [make_device("nvme0"), make_device("nvme1")]
    other = files.lock(devices[1] / "lock")
    assert other is not None
    with pytest.raises(DeviceHeldError, match=f"{devices[1]}: another process writes to it"):
        Store.open(devices)
    files.close(other)
    store = Store.open(devices)  # nothing of the first try is still held
    assert (len(store.devices()), store.failed) == (2, {})
    store.close()


def test_store_names_what_to_do_about_damaged_index(store: Store, device: Path) -> None:
    hold(store)
    store.close()
    data = device / "index" / "data.mdb"
    data.write_bytes(b"\xff" * data.stat().st_size)
    with pytest.raises(StoreError, match="index is damaged") as caught:
        Store.open([device])
    assert "oca store rebuild" in caught.value.remedy


def fail_writes(monkeypatch: pytest.MonkeyPatch, device: Path, call: str, number: int) -> None:
    """Let ``os.<call>`` fail for what lies on that device."""
    done = getattr(os, call)

    def fail(descriptor: int, *arguments: object) -> object:
        if device in Path(f"/proc/self/fd/{descriptor}").readlink().parents:
            raise OSError(number, os.strerror(number))
        return done(descriptor, *arguments)

    monkeypatch.setattr(os, call, fail)


@pytest.mark.parametrize("call", ["pwrite", "fsync"])
@pytest.mark.parametrize(("number", "cause"), [(errno.EIO, "io-error"), (errno.EROFS, "read-only")])
def test_store_takes_out_device_that_fails_a_write_and_goes_on_with_the_other(
    make_device: Callable[[str], Path], monkeypatch: pytest.MonkeyPatch, call: str, number: int, cause: str
) -> None:
    devices = [make_device("nvme0"), make_device("nvme1")]
    with closing(Store.open(devices)) as store:
        store.expect({ASSET: 1.0, "a/before": 1.0})
        hold(store, "a/before")
        (first,) = store.assets()
        bad = devices[1 - first.device]
        fail_writes(monkeypatch, bad, call, number)
        with pytest.raises(StoreError, match=os.strerror(number)):
            hold(store)  # hot: it goes to the other device
        assert [held.device for held in store.assets()] == [first.device]
        assert hold(store).device == first.device
        assert os.strerror(number) in store.failed[1 - first.device].message
    monkeypatch.undo()
    assert [(n, outage.cause) for n, outage in outages(devices).items()] == [(1 - first.device, cause)]
    with closing(Store.open(devices)) as store:
        assert "taken out" in store.failed[1 - first.device].message
        assert {held.device for held in store.assets()} == {first.device}


def test_store_without_any_device_left_says_why(device: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with closing(Store.open([device])) as store:
        fail_writes(monkeypatch, device / "staging", "pwrite", errno.EIO)
        for _ in range(2):
            with pytest.raises(StoreError, match="Input/output error"):
                hold(store)
    with pytest.raises(StoreError, match="taken out"):
        Store.open([device])


def test_store_fetches_anew_what_cannot_be_read_of_a_part(
    store: Store, device: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    contents = make_contents()
    staged = store.stage(make_manifest(contents))
    for body in list(contents.values())[:2]:
        staged.write(body)
        assert staged.finish_object()
    staged.close()
    read = os.pread

    def fail(descriptor: int, count: int, offset: int) -> bytes:
        if offset == 4096 + 2 * 4096 and count > 64:
            raise OSError(errno.EIO, os.strerror(errno.EIO))
        return read(descriptor, count, offset)

    monkeypatch.setattr(os, "pread", fail)
    staged = store.stage(make_manifest(contents))
    assert staged.position() == (1, 0)
    monkeypatch.undo()
    fill(staged, contents).commit()
    assert verify(store.devices()).faults == []
    assert outages([device]) == {}


def test_store_spreads_hot_assets_over_devices(make_device: Callable[[str], Path]) -> None:
    devices = [make_device(f"nvme{number}") for number in range(3)]
    with closing(Store.open(devices, device_bytes_max=10_000_000)) as store:
        hold(store, "cold/one", objects=40)
        store.expect({f"hot/{number}": 10.0 - number for number in range(6)} | {"cold/one": 0.01})
        placed = [hold(store, f"hot/{number}").device for number in range(6)]
    assert sorted(placed) == [0, 0, 1, 1, 2, 2]


def test_store_opens_device_that_has_no_room_for_a_byte(device: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with closing(Store.open([device])) as store:
        hold(store)
    (device / "lock").write_bytes(b"")

    def full(descriptor: int, data: bytes, offset: int) -> int:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    with monkeypatch.context() as patch:
        patch.setattr(os, "pwrite", full)
        with closing(Store.open([device])) as store:
            assert store.failed == {}
            assert store.evict(ASSET) > 0
    assert packs_on(device) == []


def test_store_counts_space_of_evicted_pack_as_free_once_its_last_send_has_ended(
    device: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    total = 10_000_000
    open_still: set[int] = set()

    def space(folder: Path) -> tuple[int, int]:
        taken = sum(path.stat().st_size for path in (folder / "packs").iterdir())
        return total, total - taken - sum(os.fstat(descriptor).st_size for descriptor in open_still)

    monkeypatch.setattr(files, "space", space)
    with closing(Store.open([device], reserve_ratio=0.1)) as store, closing(StoreReader.open([device])) as reader:
        held = hold(store)
        opened = reader.pack(0, 1)
        assert opened is not None
        opened.sends += 1
        before = store.free_bytes()
        assert before == total * 0.9 - held.bytes
        open_still.add(opened.descriptor)
        assert store.evict(ASSET) == held.bytes
        assert (store.use().used_bytes, packs_on(device)) == (0, [])
        assert store.free_bytes() == before  # the file system has not given it back yet
        reader.version()
        reader.refresh()
        assert len(os.pread(opened.descriptor, 5000, 4096)) == 5000  # the send goes on to its end
        opened.sends -= 1
        open_still.clear()
        reader.refresh()
        assert opened.descriptor == -1
        assert store.free_bytes() == before + held.bytes
