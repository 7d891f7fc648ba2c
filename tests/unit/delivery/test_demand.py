import pytest

import oca.delivery.demand as demand_module
from oca.common.demand import Wanted
from oca.delivery.demand import Demand
from oca.store.records import PULLED


def test_demand_gives_one_count_per_asset() -> None:
    demand = Demand()
    assert demand.of("a/v") is demand.of("a/v")
    assert demand.of("a/v") is not demand.of("b/v")


def test_demand_takes_each_request_once() -> None:
    demand = Demand()
    count = demand.of("a/v")
    demand.of("b/v")
    count.requests += 2
    count.bytes += 700
    assert demand.take() == [("a/v", 2, 700)]
    assert demand.take() == []
    count.requests += 1
    assert demand.take() == [("a/v", 1, 0)]


def test_demand_forgets_idle_assets_and_keeps_untaken_ones() -> None:
    demand = Demand()
    idle, busy = demand.of("a/v"), demand.of("b/v")
    busy.requests += 1
    demand.forget_idle()
    assert demand.of("a/v") is not idle
    assert demand.of("b/v") is busy


def test_demand_tells_marks_of_an_asset_once_until_they_are_taken() -> None:
    demand = Demand()
    count = demand.of("a/v")
    for mark in (7, 8, 7):
        demand.meet(count, mark)
    ((asset, marks),) = demand.take_met()
    assert (asset, sorted(marks)) == ("a/v", [7, 8])
    assert demand.take_met() == []


def test_demand_meets_sessions_anew_in_another_hour() -> None:
    demand = Demand()
    count = demand.of("a/v")
    demand.meet(count, 7)
    token = count.token
    demand.begin_hour(b"other", 5)
    assert count.token is not token
    assert (demand.salt, demand.hour, demand.take_met()) == (b"other", 5, [])


def test_demand_tells_what_became_of_requests_for_what_is_not_held() -> None:
    demand = Demand()
    for wanted in (Wanted(missed=1), Wanted(1, ranges=1, range_bytes=5), Wanted(redirected=1), Wanted(0, 0, 1, 90)):
        demand.want(b"/a/1.m4s", wanted)
    demand.want(b"/a/2.m4s", Wanted(missed=1))
    assert demand.take_wanted() == {"/a/1.m4s": Wanted(2, 1, 1, 90, 1, 5), "/a/2.m4s": Wanted(1)}
    assert demand.take_wanted() == {}


def test_demand_counts_pulled_objects_as_fetched_and_meets_nobody_there() -> None:
    demand = Demand()
    count = demand.open_pulled(b"/a/1.m4s")
    assert demand.of(PULLED + "x", b"/a/1.m4s") is count is demand.open_pulled(b"/a/1.m4s")
    count.requests += 2
    count.bytes += 200
    demand.meet(count, 7)
    demand.open_pulled(b"/a/idle.m4s")
    demand.want(b"/a/1.m4s", Wanted(fetched=1, fetched_bytes=50))
    assert (demand.take(), demand.take_met()) == ([], [])
    assert demand.take_wanted() == {"/a/1.m4s": Wanted(fetched=3, fetched_bytes=250)}


def test_demand_of_pulled_objects_outlives_them_and_they_leave_room(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(demand_module, "PATHS_MAX", 2)
    demand = Demand()
    for number in range(5):
        path = b"/p/%d" % number
        demand.open_pulled(path).requests += 1
        demand.let_go(path)
        demand.let_go(path)
        assert demand.take_wanted() == {path.decode(): Wanted(fetched=1)}
    demand.open_pulled(b"/p/0").requests += 1
    demand.let_go(b"/p/0")
    for path in (b"/p/0", b"/p/1", b"/p/2"):  # still being sent when they were let go
        demand.of(PULLED + "x", path).requests += 1
    assert demand.take_wanted() == {"/p/0": Wanted(fetched=2), "/p/1": Wanted(fetched=1)}
    assert (demand.take_wanted(), demand.take_dropped()) == ({}, 1)


def test_demand_for_what_is_not_held_is_bounded_and_the_rest_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(demand_module, "PATHS_MAX", 2)
    demand = Demand()
    demand.open_pulled(b"/p/1").requests += 1
    for number in range(3):
        demand.want(b"/a/%d" % number, Wanted(missed=1))
    demand.want(b"/a/1", Wanted(missed=1))
    assert demand.take_wanted() == {"/a/0": Wanted(1), "/a/1": Wanted(2)}
    assert (demand.take_dropped(), demand.take_dropped()) == (2, 0)


def test_demand_knows_whom_another_box_has_counted() -> None:
    demand = Demand(b"sent-on")
    assert demand.was_counted(b"x=1&sent-on&y")
    assert demand.was_counted(b"x=1&sent-on=&y")
    assert not demand.was_counted(b"x=1&sent-on-uncounted&y")
    assert not demand.was_counted(b"x=sent-on")
    assert not Demand().was_counted(b"")
