from fill.tracker import FillTracker
from oca.store.fill_record import RUNNING_AGE_NS_MAX, Pause, is_running


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
