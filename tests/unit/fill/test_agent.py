from __future__ import annotations

import asyncio
import errno
import os
from collections.abc import Awaitable, Callable, Iterator, Mapping
from pathlib import Path

import aiohttp
import msgspec
import pytest
from aiohttp import web

from fill.agent import FillAgent, held_asset
from fill.fetch import ObjectFetcher
from fill.pace import Pacer
from fill.rank import SourceRank
from fill.steering_client import SteeringClient
from fill.tables import BudgetTable, FillTable, LadderTable
from fill.tracker import FillTracker
from oca.common.box import SteeringTable
from oca.common.identity import Credentials
from oca.common.messages import FillPlan
from oca.store.reader import StoreReader
from oca.store.store import Store
from tests.unit.store.made_up import hold
from tests.waiting import WAIT_S

from .conftest import Source, SteeringDouble, behave, make_files, make_manifest

QUICK = FillTable(
    parallel_assets=2,
    connect_timeout_s=WAIT_S,
    stall_timeout_s=WAIT_S,
    source_rate_bytes_per_s_min=0,
    rounds_max=2,
    backoff_s=0.01,
    backoff_s_max=0.02,
)
NewSource = Callable[[Mapping[str, bytes]], Awaitable[Source]]
FILES = {name: make_files(name, [50_000, 0, 70_001]) for name in ("t/a", "t/b", "t/c")}
ALL = {path: body for files in FILES.values() for path, body in files.items()}


class Filler:
    """A store, a steering double and what is between them."""

    def __init__(self, store: Store, steering: SteeringDouble, session: aiohttp.ClientSession) -> None:
        self.store = store
        self.steering = steering
        self.session = session
        self.tracker = FillTracker("fra1-a", started_at_ns=1)
        self.rank = SourceRank(half_life_s=600, slow_answer_s=2)
        self.ladder = LadderTable(look_interval_s=0.1)
        self.budget = BudgetTable()

    def agent(self, **changes: int) -> FillAgent:
        self.tracker = FillTracker("fra1-a", started_at_ns=1)
        client = SteeringClient(
            self.session, [self.steering.url], appliance="fra1-a", credentials=Credentials(SteeringTable(), "fra1-a")
        )
        table = msgspec.structs.replace(QUICK, **changes)
        fetcher = ObjectFetcher(self.session, table, Pacer(), self.rank)
        return FillAgent(
            self.store,
            client,
            fetcher,
            self.tracker,
            table,
            ladder=self.ladder,
            budget=self.budget,
            rank=self.rank,
            dice=lambda: 0.5,
        )

    async def fill(self, plan: FillPlan, **changes: int) -> dict[str, str]:
        await self.agent(**changes).fill(plan)
        self.tracker.ended()
        return self.tracker.failures

    @property
    def held(self) -> dict[str, str]:
        return {pack.asset: pack.revision for pack in self.store.assets()}


def open_store(device: Path, *, bytes_max: int = 10**9) -> Store:
    return Store.open([device], device_bytes_max=bytes_max, reserve_ratio=0.0)


@pytest.fixture
def store(device: Path) -> Iterator[Store]:
    opened = open_store(device)
    yield opened
    opened.close()


@pytest.fixture
def filler(store: Store, steering: SteeringDouble, session: aiohttp.ClientSession) -> Filler:
    return Filler(store, steering, session)


def small(filler: Filler, device: Path, bytes_max: int) -> None:
    """Open the store anew with less room."""
    filler.store.close()
    filler.store = open_store(device, bytes_max=bytes_max)


def read(device: Path, path: str) -> bytes | None:
    """An object as delivery would send it."""
    reader = StoreReader.open([device])
    try:
        found = reader.find(path.encode())
        opened = reader.pack(found.device, found.pack) if found else None
        if found is None or opened is None:
            return None
        with open(opened.descriptor, "rb", closefd=False) as file:
            file.seek(found.offset)
            return file.read(found.bytes)
    finally:
        reader.close()


async def test_fill_brings_planned_assets_whole(filler: Filler, device: Path, new_source: NewSource) -> None:
    origin = await new_source(ALL)
    manifests = [make_manifest(asset, files, [origin.as_source()]) for asset, files in FILES.items()]
    assert await filler.fill(filler.steering.offer(*manifests)) == {}
    assert filler.held == {manifest.asset: manifest.revision for manifest in manifests}
    assert {path: read(device, path) for path in ALL} == ALL
    progress = filler.tracker.snapshot(9)
    assert (progress.state, progress.assets_done, progress.bytes_done) == ("done", 3, sum(map(len, ALL.values())))
    assert await filler.fill(filler.steering.offer(*manifests)) == {}
    assert len(origin.requests) == 6, "a held asset is not fetched again, an empty object is not asked for"


async def test_fill_takes_from_peer_and_leaves_it_when_it_lies(filler: Filler, new_source: NewSource) -> None:
    peer, origin = await new_source(FILES["t/a"]), await new_source(FILES["t/a"])

    async def lie(request: web.Request, body: bytes) -> web.StreamResponse:
        return await behave(request, body[:-1] + b"\xff")

    manifest = make_manifest("t/a", FILES["t/a"], [peer.as_source("peer"), origin.as_source()])
    assert await filler.fill(filler.steering.offer(manifest)) == {}
    assert (len(peer.requests), len(origin.requests)) == (2, 0)
    filler.store.evict("t/a")
    peer.behaviour = lie
    assert await filler.fill(filler.steering.offer(manifest)) == {}
    assert (len(peer.requests), len(origin.requests)) == (3, 2)
    assert filler.held == {"t/a": manifest.revision}


async def test_fill_never_commits_what_no_source_has_right(filler: Filler, device: Path, new_source: NewSource) -> None:
    origin = await new_source({path: body[:-1] + b"\xff" for path, body in FILES["t/a"].items() if body})
    origin.files.update(FILES["t/b"])
    bad = make_manifest("t/a", FILES["t/a"], [origin.as_source()])
    good = make_manifest("t/b", FILES["t/b"], [origin.as_source()])
    failures = await filler.fill(filler.steering.offer(bad, good))
    assert failures == {
        "t/a": f"/t/a/seg-0.m4s: {origin.url}: sends other bytes than the digest says",
    }
    assert filler.held == {"t/b": good.revision}
    assert read(device, "/t/a/seg-0.m4s") is None


async def test_fill_goes_on_when_steering_does_not_know_an_asset(filler: Filler, new_source: NewSource) -> None:
    origin = await new_source(ALL)
    manifests = [make_manifest(asset, FILES[asset], [origin.as_source()]) for asset in ("t/a", "t/b")]
    plan = filler.steering.offer(*manifests)
    del filler.steering.manifests["t/a"]
    failures = await filler.fill(plan)
    assert list(failures) == ["t/a"]
    assert "answers 404 to assets/t/a" in failures["t/a"]
    assert list(filler.held) == ["t/b"]


async def test_fill_asks_no_more_of_steering_that_stays_away(filler: Filler, new_source: NewSource) -> None:
    plan = filler.steering.offer(*(make_manifest(asset, files, []) for asset, files in FILES.items()))
    asked: list[str] = []

    def fail(request: web.Request) -> web.Response:
        asked.append(request.path)
        return web.Response(status=500)

    filler.steering.answer = fail
    failures = await filler.fill(plan)
    assert sorted(failures) == ["t/a", "t/b", "t/c"]
    assert all("answers 500" in why for why in failures.values())
    assert len(asked) <= 8, "two assets at a time, four attempts each, none for the third"


async def test_fill_refuses_manifest_that_contradicts_itself(filler: Filler, new_source: NewSource) -> None:
    origin = await new_source(ALL)
    manifest = make_manifest("t/a", FILES["t/a"], [origin.as_source()])
    filler.steering.offer(msgspec.structs.replace(manifest, bytes=manifest.bytes + 1))
    assert filler.steering.plan is not None
    failures = await filler.fill(filler.steering.plan)
    assert "add up" in failures["t/a"]
    assert origin.requests == []


async def test_fill_evicts_only_as_far_as_space_is_needed(filler: Filler, device: Path, new_source: NewSource) -> None:
    origin = await new_source(ALL)
    manifests = {asset: make_manifest(asset, files, [origin.as_source()]) for asset, files in FILES.items()}
    await filler.fill(filler.steering.offer(manifests["t/a"]))
    await filler.fill(filler.steering.offer(manifests["t/a"], manifests["t/b"]))
    small(filler, device, 280_000)
    assert await filler.fill(filler.steering.offer(manifests["t/c"])) == {}
    assert sorted(filler.held) == ["t/b", "t/c"], "the longest held of the unwanted gave way, the other stayed"
    assert filler.tracker.snapshot(9).assets_evicted == 1


async def test_fill_skips_what_finds_no_room_and_goes_on(filler: Filler, device: Path, new_source: NewSource) -> None:
    huge = make_files("t/huge", [400_000])
    origin = await new_source({**ALL, **huge})
    small(filler, device, 200_000)
    manifests = [
        make_manifest("t/huge", huge, [origin.as_source()]),
        make_manifest("t/a", FILES["t/a"], [origin.as_source()]),
    ]
    failures = await filler.fill(filler.steering.offer(*manifests))
    assert list(failures) == ["t/huge"]
    assert failures["t/huge"].startswith("no room: needs 398.6 KiB")
    assert list(filler.held) == ["t/a"]


async def test_fill_replaces_older_revision_and_never_evicts_the_new_one(
    filler: Filler, device: Path, new_source: NewSource
) -> None:
    renewed = {path: body[::-1] for path, body in FILES["t/a"].items()}
    origin = await new_source(FILES["t/a"])
    await filler.fill(filler.steering.offer(make_manifest("t/a", FILES["t/a"], [origin.as_source()])))
    origin.files = {**renewed, **FILES["t/b"]}
    small(filler, device, 264_000)
    manifests = [
        make_manifest("t/a", renewed, [origin.as_source()]),
        make_manifest("t/b", FILES["t/b"], [origin.as_source()]),
    ]
    assert await filler.fill(filler.steering.offer(*manifests)) == {}
    assert filler.held == {manifest.asset: manifest.revision for manifest in manifests}
    assert read(device, "/t/a/seg-0.m4s") == renewed["/t/a/seg-0.m4s"]


async def test_fill_makes_room_on_one_device_when_the_sum_would_do(
    tmp_path: Path, steering: SteeringDouble, session: aiohttp.ClientSession, new_source: NewSource
) -> None:
    devices = [tmp_path / "nvme0", tmp_path / "nvme1"]
    for folder in devices:
        folder.mkdir()
    store = Store.open(devices, device_bytes_max=150_000, reserve_ratio=0.0)
    filler = Filler(store, steering, session)
    old = {name: make_files(name, [60_000]) for name in ("t/x", "t/y")}
    new = make_files("t/new", [110_000])
    origin = await new_source({**old["t/x"], **old["t/y"], **new})
    for name, files in old.items():
        await filler.fill(steering.offer(make_manifest(name, files, [origin.as_source()])))
    assert {pack.device for pack in store.assets()} == {0, 1}
    assert await filler.fill(steering.offer(make_manifest("t/new", new, [origin.as_source()]))) == {}
    assert len(store.assets()) == 2
    store.close()


async def test_fill_that_is_stopped_goes_on_inside_the_object(
    filler: Filler, device: Path, new_source: NewSource, monkeypatch: pytest.MonkeyPatch
) -> None:
    origin = await new_source(FILES["t/a"])
    arrived = asyncio.Event()

    async def hang(request: web.Request, body: bytes) -> web.StreamResponse:
        response = web.StreamResponse(headers={"Content-Length": str(len(body))})
        await response.prepare(request)
        await response.write(body[:30_000])
        await origin.released.wait()
        return response

    origin.behaviour = hang
    manifest = make_manifest("t/a", FILES["t/a"], [origin.as_source()])
    plan = filler.steering.offer(manifest)
    agent = filler.agent()
    count_moves = filler.tracker.moved

    def moved(asset: str, bytes_done: int) -> None:
        count_moves(asset, bytes_done)
        if bytes_done == 30_000:
            arrived.set()

    monkeypatch.setattr(filler.tracker, "moved", moved)
    running = asyncio.get_running_loop().create_task(agent.fill(plan))
    await arrived.wait()
    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await running
    assert filler.held == {}
    origin.behaviour = behave
    small(filler, device, 10**9)
    assert await filler.fill(plan) == {}
    assert origin.requests == [
        ("/t/a/seg-0.m4s", ""),
        ("/t/a/seg-0.m4s", "bytes=30000-49999"),
        ("/t/a/seg-2.m4s", ""),
    ]
    assert filler.held == {"t/a": manifest.revision}


async def test_fill_forgets_parts_that_the_plan_no_longer_names(
    filler: Filler, device: Path, new_source: NewSource
) -> None:
    origin = await new_source(ALL)
    left = filler.store.stage(make_manifest("t/c", FILES["t/c"], []))
    left.write(b"x" * 1000)
    left.close()
    assert len(list((device / "staging").iterdir())) == 1
    await filler.fill(filler.steering.offer(make_manifest("t/a", FILES["t/a"], [origin.as_source()])))
    assert list((device / "staging").iterdir()) == []


async def test_fill_names_asset_whose_path_another_holds(filler: Filler, new_source: NewSource) -> None:
    origin = await new_source(ALL)
    holder = make_manifest("t/a", FILES["t/a"], [origin.as_source()])
    claimer = make_manifest("t/b", FILES["t/a"], [origin.as_source()])
    await filler.fill(filler.steering.offer(holder))
    failures = await filler.fill(filler.steering.offer(holder, claimer))
    assert list(failures) == ["t/b"]
    assert "t/a" in failures["t/b"]
    assert list(filler.held) == ["t/a"]


async def test_fill_gives_up_what_fits_on_no_single_device_and_evicts_nothing_for_it(
    tmp_path: Path, steering: SteeringDouble, session: aiohttp.ClientSession, new_source: NewSource
) -> None:
    devices = [tmp_path / "nvme0", tmp_path / "nvme1"]
    for folder in devices:
        folder.mkdir()
    store = Store.open(devices, device_bytes_max=100_000, reserve_ratio=0.0)
    filler = Filler(store, steering, session)
    origin = await new_source({})
    kept, big = make_files("t/kept", [50_000]), make_files("t/big", [120_000])
    origin.files = {**kept, **big}
    await filler.fill(steering.offer(make_manifest("t/kept", kept, [origin.as_source()])))
    failures = await filler.fill(steering.offer(make_manifest("t/big", big, [origin.as_source()])))
    assert list(failures) == ["t/big"]
    assert "on one device" in failures["t/big"]
    assert list(filler.held) == ["t/kept"]
    store.close()


async def test_fill_leaves_new_revision_when_its_older_one_was_to_give_way(
    filler: Filler, device: Path, new_source: NewSource
) -> None:
    renewed = {path: body[::-1] for path, body in FILES["t/a"].items()}
    grown = make_files("t/b", [400_000])
    origin = await new_source(FILES["t/a"])
    await filler.fill(filler.steering.offer(make_manifest("t/a", FILES["t/a"], [origin.as_source()])))
    origin.files = {**renewed, **grown}
    small(filler, device, 260_000)
    first = make_manifest("t/a", renewed, [origin.as_source()])
    plan = filler.steering.offer(first, make_manifest("t/b", FILES["t/b"], []))
    filler.steering.manifests["t/b"] = make_manifest("t/b", grown, [origin.as_source()])  # published anew since
    failures = await filler.fill(plan, parallel_assets=1)
    assert list(failures) == ["t/b"]
    assert filler.held == {"t/a": first.revision}


async def test_fill_names_asset_that_the_device_cannot_take_and_goes_on(
    filler: Filler, new_source: NewSource, monkeypatch: pytest.MonkeyPatch
) -> None:
    origin = await new_source(ALL)
    manifests = [make_manifest(asset, FILES[asset], [origin.as_source()]) for asset in ("t/a", "t/b")]
    write, written, full = os.pwrite, 0, False

    def pwrite(descriptor: int, data: bytes | memoryview, offset: int, /) -> int:
        nonlocal written, full
        written += len(data)
        if written > 30_000 and not full:
            full = True
            raise OSError(errno.ENOSPC, "No space left on device")
        return write(descriptor, data, offset)

    monkeypatch.setattr(os, "pwrite", pwrite)
    failures = await filler.fill(filler.steering.offer(*manifests), parallel_assets=1)
    assert list(failures) == ["t/a"]
    assert "No space left on device" in failures["t/a"]
    assert list(filler.held) == ["t/b"]


async def test_fill_evicts_no_revision_that_was_committed_meanwhile(filler: Filler) -> None:
    old, new = FILES["t/a"], {path: body[::-1] for path, body in FILES["t/a"].items()}
    agent = filler.agent()
    for files in (old, new):
        staged = filler.store.stage(make_manifest("t/a", files, []))
        for body in files.values():
            staged.write(body)
            assert staged.finish_object()
        if files is old:
            staged.commit()
    was_to_go = held_asset(filler.store.assets()[0])
    agent._commit(staged)  # queued on the store's thread before the eviction that was decided on earlier
    assert not agent._evict(was_to_go)
    assert filler.held == {"t/a": make_manifest("t/a", new, []).revision}


async def test_fill_waits_for_peer_where_it_is_no_master(filler: Filler, new_source: NewSource) -> None:
    origin, peer = await new_source(ALL), await new_source(ALL)
    waiting = msgspec.structs.replace(make_manifest("t/a", FILES["t/a"], [origin.as_source()]), master=False)
    own = make_manifest("t/b", FILES["t/b"], [origin.as_source()])
    filling = asyncio.get_running_loop().create_task(filler.fill(filler.steering.offer(waiting, own)))
    while "t/b" not in filler.held:
        await asyncio.wait({filling}, timeout=0.01)
        assert not filling.done()
    assert {path for path, _ in origin.requests} == {"/t/b/seg-0.m4s", "/t/b/seg-2.m4s"}
    shown = {entry.asset: entry for entry in filler.tracker.snapshot(9).current}
    assert shown["t/a"].state == "waiting"
    assert shown["t/a"].reason.startswith("waits for a peer to bring it, ")
    sources = [peer.as_source("peer"), origin.as_source()]
    filler.steering.manifests["t/a"] = msgspec.structs.replace(waiting, sources=sources)
    assert await filling == {}
    assert {path for path, _ in peer.requests} == {"/t/a/seg-0.m4s", "/t/a/seg-2.m4s"}
    assert len(origin.requests) == 2


async def test_fill_waits_no_longer_than_set(filler: Filler, new_source: NewSource) -> None:
    origin = await new_source(ALL)
    waiting = msgspec.structs.replace(make_manifest("t/a", FILES["t/a"], [origin.as_source()]), master=False)
    filler.ladder = LadderTable(peer_wait_s=0.2, tier_wait_s=0.2, look_interval_s=0.1)
    started = asyncio.get_running_loop().time()
    assert await filler.fill(filler.steering.offer(waiting)) == {}
    assert asyncio.get_running_loop().time() - started >= 0.4
    assert len(origin.requests) == 2


async def test_fill_goes_on_elsewhere_when_its_peer_fails(filler: Filler, new_source: NewSource) -> None:
    origin, peer = await new_source(ALL), await new_source({})
    manifest = make_manifest("t/a", FILES["t/a"], [peer.as_source("peer"), origin.as_source()])
    filler.ladder = LadderTable(peer_wait_s=0.1, look_interval_s=0.1)
    plan = filler.steering.offer(msgspec.structs.replace(manifest, master=False))
    assert await filler.fill(plan) == {}
    assert (len(peer.requests), len(origin.requests)) == (2, 2), "the peer is asked once at each look"


async def test_fill_leaves_out_what_costs_more_than_it_serves(filler: Filler, new_source: NewSource) -> None:
    origin = await new_source(ALL)
    manifests = [make_manifest(asset, FILES[asset], [origin.as_source()]) for asset in ("t/a", "t/b")]
    plan = filler.steering.offer(*manifests)
    dear = msgspec.structs.replace(plan.assets[0], popularity=0.1)
    filler.budget = BudgetTable(efficiency_min=2.0, days=4.0)
    assert await filler.fill(msgspec.structs.replace(plan, assets=[dear, plan.assets[1]])) == {}
    assert list(filler.held) == ["t/b"]
    assert [entry.asset for entry in filler.tracker.left_out] == ["t/a"]
    assert "0.40 times its size" in filler.tracker.left_out[0].reason
    assert filler.tracker.snapshot(9).state == "done"


async def test_fill_spreads_what_is_expected_to_be_watched_over_devices(
    filler: Filler, device: Path, new_source: NewSource
) -> None:
    other = device.with_name("nvme1")
    other.mkdir()
    filler.store.close()
    cold = Store.open([other])
    hold(cold, "cold/one", objects=400)  # so that by free space alone all would go to the first device
    cold.close()
    filler.store = Store.open([device, other], device_bytes_max=10**9, reserve_ratio=0.0)
    origin = await new_source(ALL)
    manifests = [make_manifest(asset, files, [origin.as_source()]) for asset, files in FILES.items()]
    assert await filler.fill(filler.steering.offer(*manifests), parallel_assets=1) == {}
    assert {held.device for held in filler.store.assets() if held.asset in FILES} == {0, 1}
    filler.store.close()
