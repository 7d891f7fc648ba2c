import errno
import os
from pathlib import Path

import pytest
import structlog

from oca.common import clock
from oca.common.errors import StoreError
from oca.delivery import lookup as module
from oca.delivery.demand import Demand
from oca.delivery.lookup import SMALL_BYTES, Lookup
from oca.delivery.metrics import DELIVERY_SLOTS
from oca.store.reader import PACKS_OPEN_MAX, OpenPack, StoreReader
from oca.store.store import Store
from tests.unit.delivery.bench import SMALL, store_of
from tests.unit.store.made_up import hold, make_contents


class Desk:
    """A look-up and the counts it keeps."""

    def __init__(self, device: Path, *, packs_max: int = PACKS_OPEN_MAX, small_bytes_max: int = 0) -> None:
        self.packs_max = packs_max
        self.counts = [0] * len(DELIVERY_SLOTS)
        self.trouble: StoreError | None = None
        self.device = device
        self.lookup = Lookup(self.open, Demand(), self.counts, small_bytes_max=small_bytes_max)  # type: ignore[arg-type]

    def open(self) -> StoreReader:
        if self.trouble is not None:
            raise self.trouble
        return StoreReader.open([self.device], packs_max=self.packs_max)

    def count(self, key: str) -> int:
        return self.counts[DELIVERY_SLOTS[key]]


def test_lookup_finds_object_and_keeps_the_answer(device: Path) -> None:
    desk = Desk(device)
    desk.lookup.refresh()
    found = desk.lookup.find(b"/h/small.m3u8")
    assert found is not None
    assert found.size == len(SMALL)
    assert found.head.startswith(b"HTTP/1.1 200 OK\r\n")
    assert desk.lookup.find(b"/h/small.m3u8") is found
    assert desk.count("delivery_index_reads") == 1
    desk.lookup.close()


@pytest.mark.parametrize("path", [b"/h/none", b"*", b"", b"/" + b"a" * 5000, b"/h/small.m3u8/", b"\xff"])
def test_lookup_misses_what_is_not_held(device: Path, path: bytes) -> None:
    desk = Desk(device)
    desk.lookup.refresh()
    assert desk.lookup.find(path) is None
    assert not desk.lookup.kept
    desk.lookup.close()


def test_lookup_takes_small_objects_in_as_far_as_there_is_room(tmp_path: Path) -> None:
    content = {"a.vtt": b"a" * 600, "b.vtt": b"b" * 600, "c.vtt": b"c" * 300, "large.m4s": bytes(SMALL_BYTES + 1)}
    desk = Desk(store_of(tmp_path, content), small_bytes_max=1000)
    lookup = desk.lookup
    lookup.refresh()

    def taken(name: str) -> bool:
        found = lookup.find(b"/h/" + name.encode())
        assert found is not None
        os.pread(found.pack.descriptor, found.size, found.offset)
        lookup.take_in(found)
        assert found.text in (b"", content[name])
        return bool(found.text)

    assert [taken(name) for name in content] == [True, False, True, False]
    first = lookup.kept[b"/h/a.vtt"]
    lookup.forget(first)
    first.text = b""
    lookup.take_in(first)  # another may have come in its place
    assert not first.text
    assert taken("b.vtt")
    kept = lookup.kept[b"/h/b.vtt"]
    lookup.drop()
    lookup.keep(kept)  # as an object that was pulled
    assert not kept.text
    lookup.drop()
    assert taken("a.vtt")
    lookup.spoil("harbour/v", "its device fails")
    lookup.refresh()
    lookup._spoilt.clear()
    assert taken("b.vtt")
    lookup.close()


def test_lookup_gets_room_back_of_what_another_comes_in_the_place_of(tmp_path: Path) -> None:
    desk = Desk(store_of(tmp_path, {"a.vtt": b"a" * 600}), small_bytes_max=1000)
    lookup = desk.lookup
    lookup.refresh()
    for _ in range(3):
        lookup.kept.clear()
        found = lookup.find(b"/h/a.vtt")
        assert found is not None
        os.pread(found.pack.descriptor, found.size, found.offset)
        lookup.take_in(found)
        assert found.text == b"a" * 600
        lookup.keep(lookup.found(found.path, found.pack, found.offset, found.about))
    lookup.close()


def test_lookup_drops_answers_when_asset_is_evicted(tmp_path: Path) -> None:
    desk = Desk(store_of(tmp_path, {"a.m4s": b"abc"}))
    desk.lookup.refresh()
    found = desk.lookup.find(b"/h/a.m4s")
    assert found is not None
    found.pack.sends += 1
    store = Store.open([desk.device])
    store.evict("harbour/v")
    store.close()
    desk.lookup.refresh()
    assert desk.lookup.find(b"/h/a.m4s") is None
    assert Path(f"/proc/self/fd/{found.pack.descriptor}").exists()  # a send goes on from it
    descriptor, found.pack.sends = found.pack.descriptor, 0
    desk.lookup.refresh()
    assert not Path(f"/proc/self/fd/{descriptor}").exists()
    desk.lookup.close()


def test_lookup_misses_until_store_can_be_opened(device: Path) -> None:
    desk = Desk(device)
    desk.trouble = StoreError("nvme0: cannot be read", remedy="mount it")
    desk.lookup.refresh()
    desk.lookup.refresh()
    assert desk.lookup.find(b"/h/small.m3u8") is None
    desk.trouble = None
    desk.lookup.refresh()
    assert desk.lookup.find(b"/h/small.m3u8") is not None
    desk.lookup.close()


def test_lookup_answers_failing_device_as_miss(device: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    desk = Desk(device)
    desk.lookup.refresh()

    def fail(self: StoreReader, path: bytes) -> None:
        raise StoreError("nvme0: input/output error", remedy="replace the device")

    monkeypatch.setattr(StoreReader, "find", fail)
    assert desk.lookup.find(b"/h/small.m3u8") is None
    assert desk.count("delivery_index_errors") == 1
    desk.lookup.close()


def test_lookup_bounds_the_answers_it_keeps(device: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "KEPT_MAX", 1)
    desk = Desk(device)
    desk.lookup.refresh()
    desk.lookup.find(b"/h/small.m3u8")
    desk.lookup.find(b"/h/large.m4s")
    assert list(desk.lookup.kept) == [b"/h/large.m4s"]
    desk.lookup.close()


def test_lookup_passes_over_spoilt_asset_for_a_while(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    now = [100.0]
    monkeypatch.setattr(clock, "monotonic_s", lambda: now[0])
    desk = Desk(store_of(tmp_path, {"a.m4s": b"abc", "b.m4s": b"def"}))
    desk.lookup.refresh()
    assert desk.lookup.find(b"/h/a.m4s") is not None
    desk.lookup.spoil("harbour/v", "its device fails")
    assert desk.lookup.kept == {}
    assert desk.lookup.take_failed() == [(0, "harbour/v", "its device fails")]
    assert desk.lookup.take_failed() == []
    assert desk.lookup.find(b"/h/a.m4s") is None
    now[0] += module.SPOILT_S
    desk.lookup.refresh()
    assert desk.lookup.find(b"/h/b.m4s") is None
    now[0] += 0.1
    desk.lookup.refresh()
    assert desk.lookup.find(b"/h/b.m4s") is not None
    desk.lookup.spoil("harbour/v", "its device fails")
    store = Store.open([desk.device])
    store.evict("harbour/v")
    store.close()
    desk.lookup.refresh()
    assert desk.lookup._spoilt == {}
    desk.lookup.close()


def test_lookup_sends_no_object_from_a_pack_that_made_room_for_another(tmp_path: Path) -> None:
    store = Store.open([tmp_path])
    for number in range(9):
        hold(store, f"harbour/v{number}")
    store.close()
    desk = Desk(tmp_path, packs_max=2)
    desk.lookup.refresh()
    for number in (*range(9), *range(9), 0, 8, 0, 8):
        for path, body in make_contents(f"harbour/v{number}").items():
            found = desk.lookup.find(path.encode())
            assert found is not None
            assert os.pread(found.pack.descriptor, found.size, found.offset) == body
            for kept in desk.lookup.kept.values():
                assert kept.pack.descriptor >= 0
    desk.lookup.close()


def test_lookup_says_once_what_fails_every_request(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    desk = Desk(store_of(tmp_path, {"a.m4s": b"abc"}))
    desk.lookup.refresh()
    number = 0

    def fail(self: StoreReader, device: int, pack: int) -> OpenPack | None:
        nonlocal number
        number += 1
        raise StoreError(f"packs/{number}.pack: too many open files", remedy="raise LimitNOFILE") from OSError(
            errno.EMFILE, "Too many open files"
        )

    with monkeypatch.context() as failing, structlog.testing.capture_logs() as said:
        failing.setattr(StoreReader, "pack", fail)
        for _ in range(3):
            assert desk.lookup.find(b"/h/a.m4s") is None
            assert desk.lookup.find(b"/h/a.m4s") is None
            desk.lookup.refresh()
        assert [line["error"] for line in said] == ["packs/1.pack: too many open files"]
        desk.lookup.refresh()  # a second without trouble
        assert desk.lookup.find(b"/h/a.m4s") is None
        assert len(said) == 2
    desk.lookup.close()
