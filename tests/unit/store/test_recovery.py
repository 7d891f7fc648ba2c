"""After a kill at any instruction every indexed object is right and no space is lost."""

from __future__ import annotations

import errno
import os
import random
import re
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from oca.common.errors import StoreError
from oca.store import files, pack, tail
from oca.store.index import Index
from oca.store.outage import bring_back
from oca.store.outages import keep, outages
from oca.store.reader import StoreReader
from oca.store.rebuild import rebuild
from oca.store.recovery import Recovered, plan_mending, recover
from oca.store.store import Store
from oca.store.verify import verify
from tests.unit.store.made_up import fill, flip_byte, hold, make_contents, make_manifest

FILE_EFFECTS = ("write_at", "cut", "sync", "sync_folder", "move", "remove")
INDEX_EFFECTS = ("admit", "doom", "bury")


class Killed(BaseException):
    """Stands for SIGKILL: nothing of ours catches it."""


class Effects:
    """Counts effects and strikes at one of them, before or after it is done."""

    def __init__(self, strike_at: int, strike: Callable[[], None], *, after: bool) -> None:
        self.done = 0
        self.struck = False
        self._strike_at = strike_at
        self._strike = strike
        self._after = after

    def wrap(self, effect: Callable[..., Any]) -> Callable[..., Any]:
        def struck(*arguments: Any, **named: Any) -> Any:
            self.done += 1
            now = self.done == self._strike_at
            if now and not self._after:
                self.struck = True
                self._strike()
            result = effect(*arguments, **named)
            if now and self._after:
                self.struck = True
                self._strike()
            return result

        return struck


@contextmanager
def injected(effects: Effects) -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(tail, "STEP_BYTES", pack.PAGE_BYTES)  # so that there is something between writes to strike at
        for name in FILE_EFFECTS:
            patch.setattr(files, name, effects.wrap(getattr(files, name)))
        for name in INDEX_EFFECTS:
            patch.setattr(Index, name, effects.wrap(getattr(Index, name)))
        yield


def live_a_day(store: Store, done: list[int] | None = None) -> None:
    """Commit, commit beside it, replace, evict, commit again; ``done`` grows with each step that returned."""
    steps: list[Callable[[], object]] = [
        lambda: hold(store, "a/one", seed=0),
        lambda: hold(store, "b/two"),
        lambda: hold(store, "a/one", seed=1),
        lambda: store.evict("b/two"),
        lambda: hold(store, "c/three"),
    ]
    for number, step in enumerate(steps):
        step()
        if done is not None:
            done.append(number)


def revision(asset: str, seed: int = 0) -> tuple[str, str]:
    return asset, make_manifest(make_contents(asset, seed=seed), asset).revision


AFTER_STEPS = [
    set(),
    {revision("a/one")},
    {revision("a/one"), revision("b/two")},
    {revision("a/one", 1), revision("b/two")},
    {revision("a/one", 1)},
    {revision("a/one", 1), revision("c/three")},
]


def check(devices: list[Path]) -> set[tuple[str, str]]:
    """Reopen as after a restart; everything indexed is right, and nothing else takes space."""
    store = Store.open(devices)
    try:
        proof = verify(store.devices())
        assert proof.faults == []
        assert not store.failed
        for device in store.devices():
            assert device.index.doomed() == set()
            lying = {path.name: path.stat().st_size for path in device.packs.iterdir()}
            assert sum(lying.values()) == sum(entry.bytes for entry in device.index.packs().values())
            for part in device.staging.iterdir():
                assert part.suffix == ".part"
        assets = [held.asset for held in store.assets()]
        assert len(assets) == len(set(assets))
        return {(held.asset, held.revision) for held in store.assets()}
    finally:
        store.close()


def count_effects(devices: list[Path]) -> int:
    effects = Effects(-1, lambda: None, after=False)
    store = Store.open(devices)
    with injected(effects):
        live_a_day(store)
    store.close()
    return effects.done


@pytest.mark.no_cover
@pytest.mark.parametrize("after", [False, True])
def test_store_recovers_from_kill_at_every_effect(make_device: Callable[[str], Path], after: bool) -> None:
    total = count_effects([make_device("counted")])
    assert total > 60
    for strike_at in range(1, total + 1):
        devices = [make_device(f"nvme{strike_at}")]
        store = Store.open(devices)
        effects = Effects(strike_at, _kill, after=after)
        done: list[int] = []
        with injected(effects), pytest.raises(Killed):
            live_a_day(store, done)
        for device in store.devices():  # what the system does for a killed process
            device.close()
        assert check(devices) in AFTER_STEPS[len(done) : len(done) + 2]
        store = Store.open(devices)
        live_a_day(store)
        store.close()
        assert check(devices) == AFTER_STEPS[-1]


@pytest.mark.no_cover
@pytest.mark.parametrize("code", [errno.ENOSPC, errno.EIO])
@pytest.mark.parametrize("after", [False, True])
def test_store_reports_failure_at_every_effect_and_stays_whole(
    make_device: Callable[[str], Path], code: int, after: bool
) -> None:
    total = count_effects([make_device("counted")])

    def fail() -> None:
        with files.explained(Path("device"), "do it"):
            raise OSError(code, os.strerror(code))

    for strike_at in range(1, total + 1, 2):
        devices = [make_device(f"nvme{strike_at}")]
        store = Store.open(devices)
        effects = Effects(strike_at, fail, after=after)
        with injected(effects), suppress(StoreError):
            live_a_day(store)
        assert effects.struck
        for outage in outages(devices).values():  # EIO costs the device, until an operator brings it back
            assert code == errno.EIO
            keep(devices, bring_back(outage, "mended", now_ns=outage.at_ns))
            store.close()
            store = Store.open(devices)
        live_a_day(store)  # else the same process goes on
        assert {(held.asset, held.revision) for held in store.assets()} == AFTER_STEPS[-1]
        assert [fault for fault in verify(store.devices()).faults if "does not name" not in fault.what] == []
        store.close()
        assert check(devices) == AFTER_STEPS[-1]


def test_store_orders_effects_of_commit_and_eviction_against_power_loss(device: Path) -> None:
    store = Store.open([device])
    staged = fill(store.stage(make_manifest(make_contents())), make_contents())
    order: list[str] = []

    def noted(name: str, effect: Callable[..., Any]) -> Callable[..., Any]:
        def note(*arguments: Any, **named: Any) -> Any:
            order.append(name)
            return effect(*arguments, **named)

        return note

    with pytest.MonkeyPatch.context() as patch:
        for name in FILE_EFFECTS:
            patch.setattr(files, name, noted(name, getattr(files, name)))
        for name in INDEX_EFFECTS:
            patch.setattr(Index, name, noted(name, getattr(Index, name)))
        staged.commit()
        assert order == ["write_at", "write_at", "cut", "sync", "move", "sync_folder", "sync_folder", "admit"]
        order.clear()
        store.evict("harbour/video-240p")
        assert order == ["doom", "remove", "sync_folder", "bury"]
    store.close()


def test_store_recovers_from_kill_between_two_devices(make_device: Callable[[str], Path]) -> None:
    devices = [make_device("nvme0"), make_device("nvme1")]
    for folder, seed in zip(devices, (0, 1), strict=True):
        store = Store.open([folder])
        newer = hold(store, "a/one", seed=seed)
        store.close()
    assert check(devices) == {("a/one", newer.revision)}


CHILD = """
import sys
from pathlib import Path
from tests.unit.store.made_up import hold
from oca.store.store import Store
store = Store.open([Path(sys.argv[1])])
print("ready", flush=True)
number = 0
while True:
    hold(store, f"a/asset-{number % 3}", seed=number)
    if number % 4 == 3:
        store.evict(f"a/asset-{(number + 1) % 3}")
    number += 1
    print(number, flush=True)
"""


@pytest.mark.parametrize("seed", range(6))
def test_store_recovers_from_sigkill(device: Path, seed: int) -> None:
    lines = random.Random(seed).randrange(1, 30)
    with subprocess.Popen(
        [sys.executable, "-c", CHILD, str(device)], stdout=subprocess.PIPE, text=True, env={**os.environ, **_PATH}
    ) as child:
        assert child.stdout is not None
        for _ in range(lines):
            assert child.stdout.readline()
        child.send_signal(signal.SIGKILL)
    check([device])


_PATH = {"PYTHONPATH": str(Path(__file__).parents[3])}


def test_recovery_takes_in_pack_that_a_kill_left_unnamed(device: Path) -> None:
    store = Store.open([device])
    hold(store)
    (entry,) = store.devices()[0].index.packs()
    store.devices()[0].index.doom(entry, store.devices()[0].paths_of(entry))
    store.devices()[0].index.bury([entry])
    pack = device / "packs" / "00000001.pack"
    assert recover(store.devices()[0]).taken_in == [f"took in harbour/video-240p from {pack}"]
    assert recover(store.devices()[0]) == Recovered([], [])
    store.close()
    assert len(check([device])) == 1


@pytest.mark.parametrize(
    ("name", "content"), [("00000009.pack", b"cut short"), ("9.pack", b""), ("notes.txt", b"mine"), ("0.pack", b"")]
)
def test_recovery_removes_what_is_no_whole_pack(device: Path, name: str, content: bytes) -> None:
    Store.open([device]).close()
    (device / "packs" / name).write_bytes(content)
    (device / "staging" / "left.part").write_bytes(content)
    store = Store.open([device])
    assert [list(folder.iterdir()) for folder in (device / "packs", device / "staging")] == [[], []]
    store.close()


@pytest.mark.parametrize("code", [errno.EIO, errno.EMFILE, errno.ENOSPC])
def test_recovery_removes_nothing_because_a_device_fails(device: Path, code: int) -> None:
    store = Store.open([device])
    hold(store)
    staged = store.stage(make_manifest(make_contents("b/two"), "b/two"))
    store.close()
    shutil.rmtree(device / "index")

    def fail(*_: object, **__: object) -> Any:
        with files.explained(device, "do it"):
            raise OSError(code, os.strerror(code))

    for name in ("read_at", "open_read"):
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(files, name, fail)
            with pytest.raises(StoreError, match=re.escape(os.strerror(code))):
                Store.open([device])
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Index, "admit", fail)
        with pytest.raises(StoreError, match=re.escape(os.strerror(code))):
            rebuild(0, device)
    assert staged.path.exists()
    assert {asset for asset, _ in check([device])} == {"harbour/video-240p"}


@pytest.mark.parametrize("damage", ["gone", "cut"])
def test_recovery_forgets_asset_whose_pack_is_gone_or_cut(device: Path, damage: str) -> None:
    store = Store.open([device])
    hold(store)
    hold(store, "b/two")
    store.close()
    path = device / "packs" / "00000001.pack"
    if damage == "gone":
        path.unlink()
    else:
        path.write_bytes(path.read_bytes()[:-1])
    assert {asset for asset, _ in check([device])} == {"b/two"}
    reader = StoreReader.open([device])
    assert reader.find(b"/harbour/video-240p/seg-00000.m4s") is None
    reader.close()


def test_recovery_keeps_staged_parts(device: Path) -> None:
    store = Store.open([device])
    contents = make_contents()
    staged = store.stage(make_manifest(contents))
    staged.write(contents["/harbour/video-240p/seg-00000.m4s"][:500])
    store.close()
    store = Store.open([device])
    staged = store.stage(make_manifest(contents))
    assert staged.position() == (0, 500)
    fill(staged, contents).commit()
    store.close()


def test_recovery_leaves_damaged_objects_to_verify(device: Path) -> None:
    store = Store.open([device])
    hold(store)
    store.close()
    flip_byte(device / "packs" / "00000001.pack", 5000)
    store = Store.open([device])
    (fault,) = verify(store.devices()).faults
    assert fault.what == "/harbour/video-240p/seg-00000.m4s: its bytes do not match its digest"
    store.close()


NUMBERS = st.sets(st.integers(1, 20))


@given(indexed=NUMBERS, doomed=NUMBERS, present=NUMBERS)
def test_mending_accounts_for_every_pack(indexed: set[int], doomed: set[int], present: set[int]) -> None:
    indexed -= doomed
    mending = plan_mending(indexed, doomed, present)
    assert mending.bury == sorted(doomed)
    assert mending.take_in == sorted(present - doomed - indexed)


def _kill() -> None:
    raise Killed
