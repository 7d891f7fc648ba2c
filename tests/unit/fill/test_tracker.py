from __future__ import annotations

import msgspec

from fill.tracker import SHOWN_MAX, FillTracker
from oca.common.messages import FillProgress, PlannedAsset

PLAN = "c" * 32


def planned(asset: str, size: int = 100) -> PlannedAsset:
    return PlannedAsset(asset=asset, revision="a" * 32, bytes=size, popularity=1.0, why="")


def tracker(*assets: str) -> FillTracker:
    fill = FillTracker("fra1-a", started_at_ns=5)
    fill.planned(PLAN, [planned(asset) for asset in assets])
    return fill


def test_tracker_sums_assets_on_their_way() -> None:
    fill = tracker("t/a", "t/b", "t/c")
    fill.fetching("t/a", bytes_done=40)
    fill.asked("t/a", "http://peer")
    fill.moved("t/a", 60)
    fill.came("peer", 30)
    fill.came("peer", 5)
    fill.came("origin", 7)
    fill.verifying("t/b", bytes_total=110)
    fill.fetching("t/b", bytes_done=0)
    fill.committed_asset("t/b")
    fill.evicted(500)
    seen = fill.snapshot(9)
    assert (seen.appliance, seen.plan, seen.state, seen.started_at_ns, seen.updated_at_ns) == (
        "fra1-a",
        PLAN,
        "running",
        5,
        9,
    )
    assert (seen.bytes_total, seen.bytes_done) == (310, 170)
    assert (seen.assets_total, seen.assets_done, seen.assets_failed, seen.assets_evicted) == (3, 1, 0, 1)
    assert (seen.bytes_evicted, seen.bytes_by_source) == (500, {"peer": 35, "origin": 7})
    assert [(entry.asset, entry.state, entry.source) for entry in seen.current] == [
        ("t/a", "fetching", "http://peer"),
        ("t/c", "queued", ""),
        ("t/b", "committed", ""),
    ]


def test_tracker_ends_done_when_everything_is_held() -> None:
    fill = tracker("t/a")
    fill.fetching("t/a", bytes_done=0)
    fill.committed_asset("t/a")
    fill.ended()
    assert (fill.snapshot(9).state, fill.snapshot(9).reason, fill.snapshot(9).assets_done) == ("done", "", 1)


def test_tracker_ends_incomplete_with_count_of_failures() -> None:
    fill = tracker("t/a", "t/b")
    fill.failed("t/a", 100, "no source")
    fill.failed("t/x", 7, "no room")
    fill.committed_asset("t/b")
    fill.ended()
    seen = fill.snapshot(9)
    assert (seen.state, seen.reason) == ("incomplete", "2 of 3 assets could not be had")
    assert fill.failures == {"t/a": "no source", "t/x": "no room"}
    assert seen.bytes_total == 207


def test_tracker_ends_incomplete_with_given_reason() -> None:
    fill = tracker()
    fill.ended(why="stopped")
    assert (fill.snapshot(9).state, fill.snapshot(9).reason) == ("incomplete", "stopped")


def test_tracker_tells_what_each_asset_waits_for() -> None:
    fill = tracker("t/a", "t/b")
    fill.waiting("t/a", "waits for a peer")
    fill.verifying("t/b", bytes_total=100)
    assert [(entry.asset, entry.state, entry.reason) for entry in fill.snapshot(9).current] == [
        ("t/b", "verifying", ""),
        ("t/a", "waiting", "waits for a peer"),
    ]
    fill.fetching("t/a", bytes_done=10)
    first = fill.snapshot(9).current[0]
    assert (first.asset, first.state, first.reason) == ("t/a", "fetching", "")


def test_tracker_forgets_an_earlier_pass() -> None:
    fill = tracker("t/a", "t/b")
    fill.fetching("t/a", bytes_done=60)
    fill.failed("t/a", 100, "no room")
    fill.planned(PLAN, [planned("t/a", 90)])
    seen = fill.snapshot(9)
    assert (seen.bytes_total, seen.bytes_done, seen.assets_failed) == (190, 0, 0)


def test_tracker_says_why_it_is_held_back() -> None:
    fill = tracker("t/a")
    fill.held_back("stopped: busy")
    assert fill.snapshot(9).reason == "stopped: busy"


def test_tracker_bounds_what_it_sends() -> None:
    fill = tracker(*(f"t/a{number}" for number in range(SHOWN_MAX + 50)))
    fill.failed("t/a149", 100, "x" * 1000)
    seen = fill.snapshot(9)
    assert len(seen.current) == SHOWN_MAX
    assert seen.current[0].asset == "t/a149"
    assert msgspec.json.decode(msgspec.json.encode(seen), type=FillProgress) == seen
