from msgspec.structs import replace

from fill.tracker import FillTracker
from oca.store.fill_record import RUNNING_AGE_NS_MAX, SERVED_SPAN_NS, FilledNight, Pause, is_running


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
