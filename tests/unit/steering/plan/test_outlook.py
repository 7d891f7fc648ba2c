from __future__ import annotations

from typing import Any

import numpy as np
from msgspec.structs import replace

from steering.plan.expected import Listed
from steering.plan.ground import Terms, ground
from steering.plan.outlook import NIGHTS_KEPT, Came, Night, came, followed, keep_night, night_of, read_nights, summed
from steering.plan.placement import Box
from steering.plan.shelf import shelve
from steering.plan.site_plan import SitePlan
from steering.state.embedded import EmbeddedState
from tests.unit.steering.made_up import DAY_NS, make_title

HOUR_NS = DAY_NS // 24
PLAIN = Night(day=10, made_at_ns=1, expected_bytes=100, expected_held_bytes=80, moved_bytes=7, assets=3, copies=4)


def test_night_tells_what_a_plan_expects() -> None:
    shelf = shelve([make_title()])
    held, before = np.zeros((2, 4), np.bool_), np.zeros((2, 4), np.bool_)
    held[0, 0] = held[1, 0] = held[0, 1] = before[0, 0] = True
    expected = np.array([10.0, 20.0, 30.0, 40.0])
    boxes = [Box("a", 1, 1e9), Box("b", 2, 1e9)]
    land = ground(shelf, "", Terms(), now_ns=20 * DAY_NS)
    made = SitePlan("metro", boxes, np.arange(4), held, before, expected, expected, land, Listed(expected, land))
    night = night_of(made, shelf, now_ns=20 * DAY_NS + 2 * HOUR_NS)
    assert (night.day, night.expected_bytes, night.expected_held_bytes) == (20, 100, 30)
    assert (night.assets, night.copies, night.moved_bytes) == (2, 3, int(shelf.stored_bytes[0] + shelf.stored_bytes[1]))
    assert night_of(made, shelf, now_ns=20 * DAY_NS + 13 * HOUR_NS).day == 21
    assert came(made, np.array([0, 3], np.int32), np.array([5.0, 7.0]), day=19) == Came(19, 12, 5)


def test_nights_follow_each_other_and_learn_what_came() -> None:
    nights = followed([], PLAIN, None)
    nights = followed(nights, replace(PLAIN, day=11), Came(10, 90, 60))
    assert [(night.day, night.came_bytes, night.came_held_bytes) for night in nights] == [(10, 90, 60), (11, -1, -1)]
    again = followed(nights, replace(PLAIN, day=11, moved_bytes=1), Came(9, 1, 1))
    assert [(night.day, night.came_bytes, night.moved_bytes) for night in again] == [(10, 90, 7), (11, -1, 1)]


def test_nights_are_kept_for_some_weeks() -> None:
    nights: list[Night] = []
    for day in range(NIGHTS_KEPT + 5):
        nights = followed(nights, replace(PLAIN, day=day), None)
    assert [night.day for night in nights] == list(range(5, NIGHTS_KEPT + 5))


def test_nights_of_sites_are_added_up_where_what_came_is_known() -> None:
    known: dict[str, Any] = {"came_bytes": 90, "came_held_bytes": 60}
    metro = [replace(PLAIN, **known), replace(PLAIN, day=11)]
    region = [replace(PLAIN, **known, made_at_ns=5), replace(PLAIN, day=11)]
    far = [replace(PLAIN), replace(PLAIN, day=11)]
    first, second = summed([metro, region, far])
    assert (first.day, first.sites, first.expected_bytes, first.came_bytes, first.came_held_bytes) == (
        10,
        2,
        200,
        180,
        120,
    )
    assert (first.made_at_ns, first.moved_bytes) == (5, 14)
    assert (second.day, second.sites, second.expected_bytes, second.came_bytes) == (11, 3, 300, -1)
    assert summed([]) == []


def test_nights_are_kept_in_the_state(state: EmbeddedState) -> None:
    assert read_nights(state, "metro") == []
    with state.write() as transaction:
        keep_night(transaction, "metro", PLAIN, None)
    with state.write() as transaction:
        keep_night(transaction, "metro", replace(PLAIN, day=11), Came(10, 5, 4))
    assert [night.came_bytes for night in read_nights(state, "metro")] == [5, -1]
