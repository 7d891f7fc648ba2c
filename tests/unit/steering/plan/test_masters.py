from __future__ import annotations

from msgspec.structs import replace

from steering.plan.masters import PROGRESS_AGE_NS_MAX, is_master, may_bring
from tests.unit.steering.made_up import make_progress

CLUSTER = [f"m-{letter}" for letter in "abcd"]


def test_masters_are_as_many_as_set_and_spread_over_the_cluster() -> None:
    counts = dict.fromkeys(CLUSTER, 0)
    for number in range(400):
        for masters in (2, 1):
            chosen = [name for name in CLUSTER if is_master(name, f"t/{number}", CLUSTER, masters=masters)]
            assert len(chosen) == masters
        counts[chosen[0]] += 1
    assert min(counts.values()) > 20


def test_masters_stay_when_another_leaves() -> None:
    for number in range(50):
        asset = f"t/{number}"
        master = next(name for name in CLUSTER if is_master(name, asset, CLUSTER, masters=1))
        left = [name for name in CLUSTER if name != master]
        others = [name for name in left if is_master(name, asset, left, masters=1)]
        assert len(others) == 1
        gone = [name for name in CLUSTER if name != others[0]]
        assert is_master(master, asset, gone, masters=1)


def test_master_alone_is_master() -> None:
    assert is_master("m-a", "t/v", [], masters=1)


def test_masters_are_those_whose_fill_runs_or_has_yet_to() -> None:
    running = replace(make_progress(), state="running", updated_at_ns=1000)
    ended = replace(make_progress(), state="incomplete", started_at_ns=500, updated_at_ns=1000)
    done = replace(ended, state="done")
    assert may_bring(None, planned_at_ns=0, now_ns=0)
    assert may_bring(running, planned_at_ns=0, now_ns=1000 + PROGRESS_AGE_NS_MAX)
    assert not may_bring(running, planned_at_ns=0, now_ns=1001 + PROGRESS_AGE_NS_MAX)
    assert may_bring(ended, planned_at_ns=500, now_ns=0)
    assert not may_bring(ended, planned_at_ns=499, now_ns=0)
    assert may_bring(done, planned_at_ns=499, now_ns=1000 + PROGRESS_AGE_NS_MAX)  # its report may just not have come
    assert not may_bring(done, planned_at_ns=499, now_ns=1001 + PROGRESS_AGE_NS_MAX)
