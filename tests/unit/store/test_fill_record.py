import pytest
from msgspec.structs import replace

from fill.tracker import FillTracker
from oca.common.messages import FillProgress
from oca.store.fill_record import (
    RUNNING_AGE_NS_MAX,
    SERVED_SPAN_NS,
    FilledNight,
    FillFigures,
    Pause,
    is_running,
    with_progress,
)

RUNNING = FillProgress(
    appliance="fra1-a",
    plan="c" * 32,
    state="running",
    started_at_ns=5,
    updated_at_ns=2_000_000_000,
    bytes_total=900,
    bytes_done=300,
    assets_total=9,
    assets_done=3,
    assets_failed=2,
    assets_evicted=4,
    bytes_evicted=70,
    bytes_by_source={"peer": 250, "origin": 60},
    current=[],
)
BEFORE = FillFigures(
    done=7, incomplete=1, bytes_by_source={"origin": 1000}, assets_in=20, bytes_in=990, assets_failed=5, done_at_ns=9
)


def test_record_tells_running_fill_from_killed_one() -> None:
    tracker = FillTracker("fra1-a", started_at_ns=5)
    running = tracker.snapshot(1000)
    assert is_running(running, 1000 + RUNNING_AGE_NS_MAX)
    assert not is_running(running, 1001 + RUNNING_AGE_NS_MAX)
    assert not is_running(None, 0)
    tracker.ended()
    assert not is_running(tracker.snapshot(1000), 1000)


def test_pause_holds_until_it_ends() -> None:
    assert Pause(since_ns=5, until_ns=100).holds(99)
    assert not Pause(since_ns=5, until_ns=100).holds(100)
    assert Pause(since_ns=5).holds(10**18)


def test_night_tells_its_efficiency_once_something_is_known() -> None:
    night = FilledNight(
        night="2026-11-25", started_at_ns=0, ended_at_ns=10, bytes_in=100, bytes_by_source={"peer": 60, "origin": 50}
    )
    assert (night.efficiency, night.efficiency_is_final, night.fetched_bytes) == (None, False, 110)
    later = replace(night, served_bytes=250, served_until_ns=5)
    assert (later.efficiency, later.efficiency_is_final) == (2.5, False)
    assert replace(later, served_until_ns=10 + SERVED_SPAN_NS).efficiency_is_final
    assert replace(later, bytes_in=0).efficiency is None


def test_figures_count_fill_that_runs_but_not_what_it_may_yet_have() -> None:
    assert with_progress(BEFORE, RUNNING, bytes_in=290) == FillFigures(
        done=7,
        incomplete=1,
        bytes_by_source={"origin": 1060, "peer": 250},
        assets_in=23,
        bytes_in=1280,
        assets_out=4,
        bytes_out=70,
        assets_failed=5,
        done_at_ns=9,
    )


@pytest.mark.parametrize(
    ("state", "done", "incomplete", "done_at_ns"), [("done", 8, 1, 2_000_000_000), ("incomplete", 7, 2, 9)]
)
def test_figures_count_ends(state: str, done: int, incomplete: int, done_at_ns: int) -> None:
    after = with_progress(BEFORE, replace(RUNNING, state=state), bytes_in=290)
    assert (after.done, after.incomplete, after.done_at_ns, after.assets_failed) == (done, incomplete, done_at_ns, 7)
