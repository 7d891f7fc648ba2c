"""Look-ups, open packs, and what a reader sees of a store that changes under it."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

import pytest

from oca.common.errors import StoreError
from oca.store.device import held_on
from oca.store.index import Index
from oca.store.reader import OpenPack, StoreReader
from oca.store.rebuild import rebuild
from oca.store.store import Store
from tests.unit.store.made_up import hold, make_contents

ASSET = "harbour/video-240p"
PATH = f"/{ASSET}/seg-00002.m4s".encode()


@pytest.fixture
def reader(store: Store, device: Path) -> Iterator[StoreReader]:
    opened = StoreReader.open([device])
    yield opened
    opened.close()


def body_of(reader: StoreReader, path: bytes) -> bytes:
    located = reader.find(path)
    assert located is not None
    pack = reader.pack(located.device, located.pack)
    assert pack is not None
    return os.pread(pack.descriptor, located.bytes, located.offset)


def is_open(pack: OpenPack) -> bool:
    try:
        os.fstat(pack.descriptor)
    except OSError:
        return False
    return True


def test_reader_finds_every_object_of_every_asset(store: Store, reader: StoreReader) -> None:
    hold(store)
    hold(store, "harbour/audio")
    for asset in (ASSET, "harbour/audio"):
        for path, body in make_contents(asset).items():
            assert body_of(reader, path.encode()) == body


def test_reader_tells_validators_and_asset(store: Store, reader: StoreReader) -> None:
    hold(store)
    located = reader.find(PATH)
    assert located is not None
    assert (located.media_type, located.modified_at_s, len(located.digest)) == ("video/iso.segment", 1_700_000_000, 16)
    pack = reader.pack(located.device, located.pack)
    assert pack is not None
    assert pack.asset == ASSET
    assert reader.pack(located.device, located.pack) is pack


@pytest.mark.parametrize("path", [b"", b"/", b"/nothing", b"/" + b"x" * 600, b"\xff\0", PATH + b"x", PATH[:-1]])
def test_reader_misses_what_is_not_held(store: Store, reader: StoreReader, path: bytes) -> None:
    hold(store)
    assert reader.find(path) is None


def test_reader_version_moves_with_commit_and_eviction(store: Store, reader: StoreReader) -> None:
    before = reader.version()
    assert reader.version() == before
    hold(store)
    held = reader.version()
    store.evict(ASSET)
    assert len({before, held, reader.version()}) == 3


def test_reader_gives_no_pack_for_what_was_evicted_meanwhile(store: Store, reader: StoreReader) -> None:
    hold(store)
    located = reader.find(PATH)
    assert located is not None
    store.evict(ASSET)
    assert reader.pack(located.device, located.pack) is None
    assert reader.pack(7, 1) is None


def test_reader_keeps_evicted_pack_open_until_its_last_send_ends(store: Store, reader: StoreReader) -> None:
    hold(store)
    located = reader.find(PATH)
    assert located is not None
    pack = reader.pack(located.device, located.pack)
    assert pack is not None
    pack.sends += 1
    store.evict(ASSET)
    reader.version()
    reader.refresh()
    assert os.pread(pack.descriptor, located.bytes, located.offset) == make_contents()[PATH.decode()]
    pack.sends -= 1
    reader.refresh()
    assert not is_open(pack)


def test_reader_closes_no_pack_before_its_version_was_seen_to_move(store: Store, reader: StoreReader) -> None:
    hold(store)
    reader.version()
    reader.refresh()
    located = reader.find(PATH)
    assert located is not None
    pack = reader.pack(located.device, located.pack)
    assert pack is not None
    store.evict(ASSET)
    reader.refresh()  # whoever keeps look-ups has not been told yet
    assert is_open(pack)
    reader.version()
    reader.refresh()
    assert not is_open(pack)


def test_reader_closes_least_recently_asked_for_packs_to_make_room(store: Store, device: Path) -> None:
    for number in range(6):
        hold(store, f"harbour/v{number}")
    reader = StoreReader.open([device], packs_max=4)

    def pack(number: int) -> OpenPack:
        located = reader.find(f"/harbour/v{number}/seg-00002.m4s".encode())
        assert located is not None
        opened = reader.pack(located.device, located.pack)
        assert opened is not None
        return opened

    packs = [pack(number) for number in range(4)]
    packs[1].sends += 1
    assert pack(0) is packs[0]
    assert reader.closings == 0
    packs.append(pack(4))  # 1 is being sent from, 0 was asked for since
    assert [is_open(each) for each in packs] == [True, True, False, True, True]
    assert reader.closings == 1
    packs[2] = pack(2)
    assert [is_open(each) for each in packs] == [True, True, True, False, True]
    for each in packs:
        each.sends = 1
    assert is_open(pack(5))  # rather than miss what is held
    assert all(is_open(each) for each in packs if each is not packs[3])
    reader.close()


def test_reader_takes_up_index_that_was_rebuilt(device: Path) -> None:
    store = Store.open([device])
    hold(store)
    store.close()
    reader = StoreReader.open([device])
    before = reader.version()
    located = reader.find(PATH)
    assert located is not None
    old = reader.pack(located.device, located.pack)
    assert old is not None
    rebuild(0, device)
    assert reader.version() != before
    reader.refresh()
    assert not is_open(old)
    assert body_of(reader, PATH) == make_contents()[PATH.decode()]
    reader.close()


def test_reader_loses_only_assets_of_device_that_is_lost(make_device: Callable[[str], Path]) -> None:
    devices = [make_device("nvme0"), make_device("nvme1")]
    store = Store.open(devices)
    held = {asset: hold(store, asset).device for asset in ("a/one", "b/two", "c/three", "d/four")}
    store.close()
    shutil.rmtree(devices[0])
    reader = StoreReader.open(devices)
    assert list(reader.failed) == [0]
    assert "cannot use as a device" in str(reader.failed[0])
    assert [pack.asset for pack in held_on(reader.devices())] == [
        asset for asset, device in held.items() if device == 1
    ]
    reader.close()


def test_reader_passes_over_device_that_fails_later(
    make_device: Callable[[str], Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    devices = [make_device("nvme0"), make_device("nvme1")]
    Store.open(devices[1:]).close()
    store = Store.open(devices[1:])
    hold(store)
    store.close()

    def fail(path: bytes) -> bytes | None:
        raise StoreError("the device fails", remedy="replace it")

    reader = StoreReader.open(devices)
    monkeypatch.setattr(reader, "_indexes", [(0, fail), reader._indexes[1]])
    assert reader.find(PATH) is not None
    with pytest.raises(StoreError, match="the device fails"):
        reader.find(b"/nothing")
    reader.close()


def test_reader_passes_over_index_that_cannot_be_taken_up(make_device: Callable[[str], Path]) -> None:
    devices = [make_device("nvme0"), make_device("nvme1")]
    store = Store.open(devices[1:])
    hold(store)
    store.close()
    reader = StoreReader.open(devices)
    before = reader.version()
    body_of(reader, PATH)
    spoilt = devices[0] / "index" / "spoilt"
    spoilt.write_bytes(b"\xff" * 65536)
    spoilt.rename(devices[0] / "index" / "data.mdb")
    spoilt_version = reader.version()
    assert (spoilt_version != before, reader.version()) == (True, spoilt_version)
    reader.refresh()
    assert body_of(reader, PATH) == make_contents()[PATH.decode()]
    rebuild(0, devices[0])
    assert reader.version() != spoilt_version
    assert reader.find(b"/nothing") is None
    reader.close()


def test_reader_passes_over_entry_that_is_none(store: Store, reader: StoreReader, device: Path) -> None:
    hold(store)
    index = Index.open(device / "index", writable=True)
    with index._environment.begin(index._objects, write=True) as transaction:
        transaction.put(b"/cut", b"short")
        transaction.put(b"/type", bytes(40) + b"\xff")
    index.close()
    for path in (b"/cut", b"/type"):
        with pytest.raises(StoreError, match="index is damaged"):
            reader.find(path)


def test_reader_opens_fresh_device_as_empty(device: Path) -> None:
    reader = StoreReader.open([device])
    assert held_on(reader.devices()) == []
    assert reader.find(PATH) is None
    reader.close()


def test_reader_refuses_store_without_working_device(tmp_path: Path) -> None:
    with pytest.raises(StoreError, match="No such file") as caught:
        StoreReader.open([tmp_path / "nvme9"])
    assert "mount the device" in caught.value.remedy
    with pytest.raises(StoreError, match="no device"):
        StoreReader.open([])


def test_reader_leaves_no_descriptor_behind(store: Store, device: Path) -> None:
    hold(store)
    before = len(list(Path("/proc/self/fd").iterdir()))
    reader = StoreReader.open([device])
    body_of(reader, PATH)
    reader.close()
    assert len(list(Path("/proc/self/fd").iterdir())) == before


def test_reader_leaves_out_device_and_takes_it_back(make_device: Callable[[str], Path]) -> None:
    devices = [make_device("one"), make_device("two")]
    for number, device in enumerate(devices):
        store = Store.open([device])
        hold(store, f"a/{number}")
        store.close()
    paths = [f"/a/{number}/seg-00000.m4s".encode() for number in range(2)]
    with closing(StoreReader.open(devices)) as reader:
        opened = reader.pack(0, 1)
        version = reader.version()
        reader.leave_out({0: False})
        assert (reader.find(paths[0]), reader.find(paths[1]) is None) == (None, False)
        assert reader.pack(0, 1) is None
        assert reader.version() != version
        reader.refresh()
        assert opened is not None
        assert opened.descriptor == -1
        assert [device.number for device in reader.devices()] == [1]
        reader.leave_out({})
        assert reader.find(paths[0]) is not None
        assert reader.pack(0, 1) is not None


def test_reader_opens_device_that_was_out_at_start_once_it_is_back(make_device: Callable[[str], Path]) -> None:
    devices = [make_device("one"), make_device("two")]
    store = Store.open(devices[:1])
    hold(store, "a/0")
    store.close()
    with closing(StoreReader.open(devices, out={0: False})) as reader:
        assert reader.find(b"/a/0/seg-00000.m4s") is None
        devices[0].rename(devices[0].with_name("away"))
        reader.leave_out({})
        assert "No such file" in reader.failed[0].message
        devices[0].with_name("away").rename(devices[0])
        reader.leave_out({0: False})
        reader.leave_out({})
        assert reader.failed == {}
        assert reader.find(b"/a/0/seg-00000.m4s") is not None


def test_reader_asks_device_that_is_read_only_last(make_device: Callable[[str], Path]) -> None:
    devices = [make_device("one"), make_device("two")]
    for seed, device in enumerate(devices):
        store = Store.open([device])
        hold(store, "a/same", seed=seed)
        if not seed:
            hold(store, "a/only-here")
        store.close()
    with closing(StoreReader.open(devices, out={0: True})) as reader:
        found = reader.find(b"/a/same/seg-00000.m4s")
        assert found is not None
        assert found.device == 1
        assert reader.find(b"/a/only-here/seg-00000.m4s") is not None
