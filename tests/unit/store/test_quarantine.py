"""A bad pack is out of service at once, and the next fill mends it without fetching what is good of it."""

from __future__ import annotations

import errno
from contextlib import closing
from pathlib import Path

import pytest

from oca.common.errors import StoreError, StoreFullError
from oca.store import files
from oca.store.index import Index
from oca.store.quarantine import held_bytes, set_aside
from oca.store.reader import StoreReader
from oca.store.rebuild import rebuild
from oca.store.store import Store
from oca.store.use import look
from oca.store.verify import verify
from tests.unit.store.made_up import fill, flip_byte, hold, make_contents, make_manifest

ASSET = "harbour/video-240p"
PATH = f"/{ASSET}/seg-00000.m4s".encode()
BAD = 4096 + 2 * 8192 + 5
"""A byte of the third object."""


@pytest.fixture
def bad(device: Path) -> Path:
    """The pack of ``ASSET``, damaged in its third object; another asset beside it."""
    with closing(Store.open([device])) as store:
        hold(store)
        hold(store, "a/sound")
    flip_byte(device / "packs" / "00000001.pack", BAD)
    return device / "packs" / "00000001.pack"


def quarantine(device: Path) -> list[str]:
    with closing(StoreReader.open([device])) as reader:
        return verify(reader.devices(), quarantine=True).quarantined


def test_quarantine_takes_pack_out_of_service_of_reader_that_is_open(device: Path, bad: Path) -> None:
    with closing(StoreReader.open([device])) as reader:
        version = reader.version()
        assert reader.find(PATH) is not None
        assert quarantine(device) == [ASSET]
        assert reader.version() != version
        reader.refresh()
        assert reader.find(PATH) is None
        assert reader.find(b"/a/sound/seg-00000.m4s") is not None
        (on,) = reader.devices()
        assert held_bytes(on)[0] == look(on).quarantined == 1
        assert look(on).space.staged == held_bytes(on)[1] > 0
    assert not bad.exists()


def test_fill_mends_quarantined_pack_from_its_first_wrong_object_on(device: Path, bad: Path) -> None:
    quarantine(device)
    with closing(Store.open([device])) as store:
        assert list((device / "quarantine").iterdir()) == []
        staged = store.stage(make_manifest(make_contents()))
        assert staged.position() == (2, 0)
        fill(staged, make_contents()).commit()
        assert [held.asset for held in store.assets()] == ["a/sound", ASSET]
        assert verify(store.devices()).faults == []


def test_quarantine_of_pack_that_cannot_be_read_is_removed_by_fill(device: Path, bad: Path) -> None:
    with closing(StoreReader.open([device])) as reader:
        set_aside(reader.devices()[0], 1, "unreadable")
    with closing(Store.open([device])) as store:
        assert list((device / "quarantine").iterdir()) == list((device / "staging").iterdir()) == []
        assert [held.asset for held in store.assets()] == ["a/sound"]


@pytest.mark.parametrize("offset", [0, 30])
def test_quarantine_of_pack_without_header_is_removed_by_fill(device: Path, bad: Path, offset: int) -> None:
    flip_byte(bad, offset)
    assert quarantine(device) == [ASSET]
    with closing(Store.open([device])) as store:
        assert list((device / "quarantine").iterdir()) == list((device / "staging").iterdir()) == []
        assert hold(store).asset == ASSET


def test_quarantine_is_not_undone_by_recovery_or_rebuild(device: Path, bad: Path) -> None:
    quarantine(device)
    assert rebuild(0, device).assets == 1
    with closing(Store.open([device])) as store:
        assert [held.asset for held in store.assets()] == ["a/sound"]


def test_quarantine_beside_running_fill_takes_nothing_from_its_part(device: Path, bad: Path) -> None:
    with closing(Store.open([device])) as store:
        newer = make_contents(seed=1)
        staged = store.stage(make_manifest(newer))
        assert quarantine(device) == [ASSET]
        fill(staged, newer).commit()
        assert [held.revision for held in store.assets() if held.asset == ASSET] == [make_manifest(newer).revision]
        assert verify(store.devices()).faults == []


@pytest.mark.parametrize("step", ["doom", "move", "bury"])
@pytest.mark.parametrize("after", [False, True])
def test_quarantine_killed_at_any_step_loses_no_space_and_serves_nothing_bad(
    device: Path, bad: Path, monkeypatch: pytest.MonkeyPatch, step: str, after: bool
) -> None:
    class Killed(BaseException):
        pass

    owner: object = files if step == "move" else Index
    done = getattr(owner, step)

    def strike(*arguments: object) -> None:
        if after:
            done(*arguments)
        raise Killed

    with monkeypatch.context() as patch:
        patch.setattr(owner, step, strike)
        with pytest.raises(Killed):
            quarantine(device)
    named_still = step == "doom" and not after
    with closing(Store.open([device])) as store:
        held = [held.asset for held in store.assets()]
        assert (ASSET in held) == named_still
        on_device = {path.name for path in (device / "packs").iterdir()}
        assert on_device == ({"00000001.pack", "00000002.pack"} if named_still else {"00000002.pack"})
        assert not (device / "quarantine").exists() or not list((device / "quarantine").iterdir())


def test_quarantine_on_full_device_makes_room_instead(device: Path, bad: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    doom = Index.doom
    failed: list[int] = []

    def full_once(index: Index, number: int, paths: list[bytes]) -> None:
        if not failed:
            failed.append(number)
            raise StoreFullError("full", remedy="none", free_bytes={})
        doom(index, number, paths)

    monkeypatch.setattr(Index, "doom", full_once)
    assert quarantine(device) == [ASSET]
    assert not bad.exists()


def test_quarantine_on_device_that_takes_no_writes_says_so(
    device: Path, bad: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object) -> None:
        raise StoreError("cannot be written", remedy="none") from OSError(errno.EROFS, "read-only")

    monkeypatch.setattr(Index, "doom", fail)
    with closing(StoreReader.open([device])) as reader:
        proof = verify(reader.devices(), quarantine=True)
    assert proof.quarantined == []
    assert [fault.kind for fault in proof.faults] == ["damaged", "device"]
    assert bad.exists()
