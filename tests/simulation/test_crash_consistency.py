"""A power cut at any point of a fill leaves every indexed object right, every promise kept, and no space lost.

The cuts are drawn from a seed, which ``SEED`` sets and a failure prints.
"""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Callable, Iterator
from contextlib import closing
from itertools import islice
from pathlib import Path

import pytest

from oca.common.errors import StoreError
from oca.store import files
from oca.store.device import Device
from oca.store.quarantine import set_aside
from oca.store.reader import StoreReader
from oca.store.store import Store
from oca.store.verify import verify
from tests.simulation.disk import Effect, Recorder, Sync, SyncFolder, cuts, lay_out
from tests.unit.store.made_up import hold, make_contents, make_manifest

pytestmark = pytest.mark.no_cover  # traced, they take twice as long; the modules have tests of their own

SEED = int(os.environ.get("SEED") or 1)
Held = dict[str, str]


def revision(asset: str, seed: int = 0) -> str:
    return make_manifest(make_contents(asset, seed=seed), asset).revision


def steps(store: Store) -> list[tuple[Callable[[], object], Held, set[str]]]:
    """What a night does; what is held after each step, and which assets are between two states while it runs."""
    one, two, three = revision("a/one"), revision("b/two"), revision("c/three")
    newer = revision("a/one", seed=1)
    return [
        (lambda: hold(store, "a/one"), {"a/one": one}, {"a/one"}),
        (lambda: hold(store, "b/two"), {"a/one": one, "b/two": two}, {"b/two"}),
        (lambda: hold(store, "a/one", seed=1), {"a/one": newer, "b/two": two}, {"a/one"}),
        (lambda: interrupted(store), {"a/one": newer, "b/two": two}, set()),
        (lambda: store.evict("b/two"), {"a/one": newer}, {"b/two"}),
        (lambda: hold(store, "c/three"), {"a/one": newer, "c/three": three}, {"c/three"}),
        (lambda: quarantine(store, "a/one"), {"c/three": three}, {"a/one"}),
        (lambda: hold(store, "b/two"), {"b/two": two, "c/three": three}, {"b/two"}),
    ]


def interrupted(store: Store) -> None:
    """Part of an asset comes, and goes on later in the night."""
    contents = make_contents("c/three")
    staged = store.stage(make_manifest(contents, "c/three"))
    first, second, *_ = contents.values()
    staged.write(first)
    assert staged.finish_object()
    staged.write(second[:2000])
    staged.close()


def quarantine(store: Store, asset: str) -> None:
    for device in store.devices():
        for number, entry in device.index.packs().items():
            if entry.asset == asset:
                set_aside(device, number, "damaged")


@pytest.fixture
def root() -> Iterator[Path]:
    """In memory, where there is a place for it: thousands of stores are opened, and each syncs."""
    place = Path("/dev/shm")
    with tempfile.TemporaryDirectory(prefix="oca-cut-", dir=place if os.access(place, os.W_OK) else None) as name:
        yield Path(name) / "root"


def record(root: Path, devices: int) -> tuple[Recorder, list[tuple[Held, set[str]]]]:
    """A night on so many devices, and what is held after each step of it."""
    folders = [root / f"nvme{number}" for number in range(devices)]
    for folder in folders:
        folder.mkdir(parents=True)
    one_pack = 60_000 if devices > 1 else 0  # so that a newer revision goes to another device than the older one
    with closing(Store.open(folders, device_bytes_max=one_pack)) as store:
        recorder = Recorder(root)
        night = steps(store)
        with recorder.recording():
            for number, (step, _, _) in enumerate(night, start=1):
                step()
                recorder.done(number)
    return recorder, [({}, set()), *((held, moving) for _, held, moving in night)]


def check(folders: list[Path], before: Held, after: Held, moving: set[str]) -> str:
    """What is wrong with a store after a cut, when ``moving`` assets were between two states; empty: nothing."""
    with closing(StoreReader.open(folders)) as reader:  # as a worker that starts before anybody has mended it
        unserved = [fault for fault in verify(reader.devices()).faults if "does not name" not in fault.what]
        if unserved:
            return f"delivery would find {unserved}"
    with closing(Store.open(folders)) as store:
        if store.failed:
            return f"a device is left out: {store.failed}"
        faults = verify(store.devices()).faults
        if faults:
            return f"faults: {faults}"
        held = {one.asset: one.revision for one in store.assets()}
        for asset in {*held, *before, *after}:
            allowed = {before.get(asset), after.get(asset)} if asset in moving else {before.get(asset)}
            if held.get(asset) not in allowed:
                return f"{asset}: holds {held.get(asset)}, one of {allowed} was promised"
        store.discard_staging(set())
        wrong = lost(store)
        if wrong:
            return wrong
        hold(store, "z/next")
        return "" if not verify(store.devices()).faults else "it cannot go on"


def lost(store: Store) -> str:
    """Files that take space and are nobody's."""
    for device in store.devices():
        named = {device.pack_path(number) for number in device.index.packs()}
        there = {path for path in device.folder.rglob("*") if path.is_file()}
        known = {device.folder / "lock", device.folder / "index" / "data.mdb", device.folder / "index" / "lock.mdb"}
        if there - named - known or device.index.doomed():
            return f"space is lost: {there - named - known}, {device.index.doomed()}"
    return ""


def find_fault(recorder: Recorder, states: list[tuple[Held, set[str]]], root: Path, devices: int = 1) -> str:
    """The first cut after which something is wrong; empty: there is none."""
    copy = root.with_name("copy")
    tried = 0
    for point, promised, found in cuts(recorder, SEED, by_chance=8):
        lay_out(found, recorder.start.folders, root, copy)
        wrong = check_promise(copy, devices, states, promised)
        shutil.rmtree(copy)
        tried += 1
        if wrong:
            effects = [type(effect).__name__ for effect in recorder.effects[max(0, point - 3) : point + 1]]
            return f"seed {SEED}, cut {tried} after effect {point} ({effects}): {wrong}"
    assert tried > 500, tried
    return ""


def check_promise(copy: Path, devices: int, states: list[tuple[Held, set[str]]], promised: int) -> str:
    before, _ = states[promised]
    after, moving = states[min(promised + 1, len(states) - 1)]
    try:
        return check([copy / f"nvme{number}" for number in range(devices)], before, after, moving)
    except StoreError as error:
        return f"cannot be opened or used: {error}"


@pytest.mark.timeout(600)
@pytest.mark.parametrize("devices", [1, 3])
def test_power_cut_at_any_point_leaves_store_right(root: Path, devices: int) -> None:
    recorder, states = record(root, devices)
    assert find_fault(recorder, states, root, devices) == ""


def evict_file_first(device: Device, number: int) -> None:
    files.remove(device.pack_path(number))
    files.sync_folder(device.packs)
    device.index.doom(number, device.index.paths_of({number}))
    device.index.bury([number])


@pytest.mark.timeout(600)
def test_second_power_cut_while_first_is_mended_leaves_store_right(root: Path) -> None:
    recorder, states = record(root, 1)
    first, second = root.with_name("first"), root.with_name("second")
    mended = 0
    for point, promised, found in islice(cuts(recorder, SEED, by_chance=1), SEED % 4, None, 4):
        lay_out(found, recorder.start.folders, root, first)
        mending = Recorder(first)
        with mending.recording():
            Store.open([first / "nvme0"]).close()
        mended += len(mending.effects) > 1
        for again, _, left in cuts(mending, SEED, by_chance=1) if len(mending.effects) > 1 else ():
            lay_out(left, mending.start.folders, first, second)
            wrong = check_promise(second, 1, states, promised)
            shutil.rmtree(second)
            assert not wrong, f"seed {SEED}, after effect {point}, then after {again} of the mending: {wrong}"
        shutil.rmtree(first)
    assert mended > 5, mended


@pytest.mark.timeout(600)
@pytest.mark.parametrize("left_out", [Sync, SyncFolder])
def test_power_cut_finds_fault_where_an_effect_is_missing(root: Path, left_out: type[Effect]) -> None:
    recorder, states = record(root, 1)
    recorder.effects = [effect for effect in recorder.effects if not isinstance(effect, left_out)]
    assert find_fault(recorder, states, root)


@pytest.mark.timeout(600)
def test_power_cut_finds_fault_where_eviction_unlinks_first(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with monkeypatch.context() as patch:
        patch.setattr(Device, "evict", evict_file_first)
        recorder, states = record(root, 1)
    assert find_fault(recorder, states, root)
