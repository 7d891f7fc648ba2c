from __future__ import annotations

import numpy as np
import pytest

from steering.plan.interval import BINS, CLASSES, classes_of, count
from steering.plan.planner import make_plans
from steering.plan.residuals import _read, learn, of_site, read_intervals
from steering.plan.shelf import shelve
from steering.plan.store import PlanStore
from steering.state.embedded import EmbeddedState
from steering.titles.catalogue import Catalogue, write_title
from steering.titles.unpublish import unpublish
from tests.unit.steering.history.made_up import Told
from tests.unit.steering.made_up import DAY_NS, NOW_NS, make_settings, make_summary, make_title

TODAY = NOW_NS // DAY_NS
TITLE = make_title(
    "t",
    assets=[make_summary("t/a"), make_summary("t/b"), make_summary("t/m", "manifests", 10)],
    released_at_ns=NOW_NS - 9 * DAY_NS,
)
SHELF = shelve([TITLE])


def test_site_counts_what_came_of_what_its_plan_held() -> None:
    places, expected = np.array([0, 1, 2, -1]), np.array([2000.0, 0.0, 50.0, 70.0])
    found = of_site(SHELF, places, expected, np.array([0, 1], np.int32), np.array([1000.0, 9.0]), day=TODAY)
    known = classes_of(expected[:1], SHELF.stored_bytes[:1], np.array([False]))
    assert (found == count(known, expected[:1], np.array([1000.0]))).all()  # no manifests, nothing withdrawn


def test_what_is_new_is_counted_apart() -> None:
    shelf = shelve([make_title("t", assets=TITLE.assets, released_at_ns=NOW_NS - DAY_NS)])
    expected = np.array([2000.0])
    known, new = (
        of_site(each, np.array([0]), expected, np.zeros(0, np.int32), np.zeros(0), day=TODAY) for each in (SHELF, shelf)
    )
    assert np.flatnonzero(known)[0] + CLASSES // 2 * BINS == np.flatnonzero(new)[0]


def night(state: EmbeddedState, days: float) -> None:
    make_plans(state, make_settings(), now_ns=NOW_NS + int(days * DAY_NS))


@pytest.fixture
def watched(state: EmbeddedState) -> EmbeddedState:
    """A title, boxes, and four days of demand, the first of them yesterday."""
    with state.write() as transaction:
        write_title(transaction, TITLE, [])
        for appliance in ("metro-a", "region-a"):
            transaction.put(f"capacity/{appliance}", b"1000000")
    told = Told(state)
    for day in range(4):
        told.demand(24 - 24 * day - 1, t__a=(5, 5000), t__b=(1, 1000))
    return state


@pytest.mark.parametrize(("at", "waits"), [("01:30", 0), ("11:00", 0), ("13:00", 1), ("23:30", 1)])
def test_nights_learn_from_each_day_once(watched: EmbeddedState, at: str, waits: int) -> None:
    """At whatever time of the day, UTC; a plan made after noon is for the next day, and is known a night later."""
    hours, minutes = at.split(":")
    hour = int(hours) + int(minutes) / 60

    def plan(days: int) -> None:
        night(watched, days + hour / 24)

    for days in range(waits + 1):
        plan(days)
        assert _read(watched)[1].sum() == 0  # no plan was made for yesterday
    plan(1 + waits)
    day, counts = _read(watched)
    assert (day, counts.sum()) == (TODAY + waits, 4.0)  # of two assets at two sites
    plan(1 + waits)
    assert _read(watched)[1].sum() == 4.0
    plan(2 + waits)
    day, more = _read(watched)
    assert day == TODAY + waits + 1
    assert 7.5 < more.sum() < 8.0  # what was there fades
    ahead = [key for key, _ in watched.scan("expected/")]
    assert len(ahead) == 2 * waits  # of both sites, for the day that is not over


def test_what_was_expected_outlives_a_second_planning_and_another_catalogue(watched: EmbeddedState) -> None:
    night(watched, 0.6)
    night(watched, 1.6)
    with watched.write() as transaction:
        write_title(transaction, make_title("another", assets=[make_summary("another/a")]), [])
    night(watched, 1.7)
    night(watched, 2.6)
    assert _read(watched)[1].sum() == 4.0


def test_night_after_a_gap_learns_nothing_of_plans_for_other_days(watched: EmbeddedState) -> None:
    night(watched, 0)
    night(watched, 3)
    assert _read(watched)[1].sum() == 0


def test_counts_of_another_release_are_begun_anew(watched: EmbeddedState) -> None:
    with watched.write() as transaction:
        transaction.put("about/residuals", b"\x82\xa3day\x05\xa6counts\xc4\x04abcd")
    assert _read(watched)[0] == 0
    assert read_intervals(watched).factors.shape == (CLASSES, 2)
    learn(watched, SHELF, [], lambda _: None, names="", now_ns=NOW_NS)


@pytest.mark.parametrize("left", [(), ("mill",)])
def test_nights_learn_on_when_titles_are_taken_out(watched: EmbeddedState, left: tuple[str, ...]) -> None:
    """Their plans had expected something of them, and it came."""
    with watched.write() as transaction:
        for name in left:
            write_title(transaction, make_title(name), [])
    night(watched, 0.3)
    unpublish(["t"], watched, now_ns=NOW_NS)
    night(watched, 1.3)
    plan = PlanStore(watched).plan("metro", "metro-a", Catalogue(watched))
    assert {item.asset.partition("/")[0] for item in plan.assets} == {"mill"} if plan is not None else not left
    assert not _read(watched)[1].any()
    with watched.write() as transaction:
        write_title(transaction, TITLE, [])
    night(watched, 2.3)
    night(watched, 3.3)
    assert _read(watched)[1].sum() == 4.0
