from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from steering.history.daily import Day, Days, Joint, weighed
from steering.plan.names import Numbers
from steering.plan.watched import Watched

SITES, ASSETS = ["a", "b", "c"], ["t/a", "t/b", "t/c", "u/a"]
SHELF = ["t/a", "t/c", "u/a", "v/a"]
WHOLE = st.integers(0, 2**40)
TABLE = st.lists(st.lists(WHOLE, min_size=4, max_size=4), min_size=3, max_size=3)


def day_of(values: list[list[int]]) -> Day:
    return Day.of(SITES, ASSETS, Watched.of_dense(np.array(values, float).reshape(len(SITES), len(ASSETS))))


def days_of(*parts: Day, fresh: Any = None, yesterday: int = 0) -> Days:
    none = [np.zeros(len(SHELF), np.bool_)] * len(parts)
    factors = np.array([0.5**ago for ago in reversed(range(len(parts)))])
    places = [part.numbers.places_in(Numbers.of(SHELF)) for part in parts]
    return Days(parts, factors, places=places, width=len(SHELF), yesterday=yesterday, fresh=fresh or none)


def test_day_has_only_sites_that_wanted_anything() -> None:
    day = day_of([[1, 0, 0, 0], [0, 0, 0, 0], [0, 0, 0, 3]])
    assert (day.sites, day.wanted.dense().tolist()) == (["a", "c"], [[1, 0, 0, 0], [0, 0, 0, 3]])
    assert day.between("b", "b").sites == []
    assert day.between("z", "a").wanted.clusters == 0
    joined = Day.joined([day.between("a", "a"), day.between("b", "c")], ASSETS)
    assert (joined.sites, joined.wanted.dense().tolist()) == (day.sites, day.wanted.dense().tolist())


def test_sums_are_of_what_is_on_the_shelf_and_totals_of_all() -> None:
    first, last = day_of([[9, 8, 7, 1], [0] * 4, [0, 5, 0, 0]]), day_of([[1, 0, 0, 0], [2, 0, 0, 2], [0] * 4])
    fresh = [np.zeros(4, np.bool_), np.array([True, False, False, False])]
    found = days_of(first, last, fresh=fresh, yesterday=1).sums(["a", "b", "c", "d"])
    assert found.watched.dense().tolist() == [[4 + 1, 3, 0, 0], [2, 0, 2, 0], [0] * 4, [0] * 4]
    assert found.yesterday.dense().tolist() == [[1, 0, 0, 0], [2, 0, 2, 0], [0] * 4, [0] * 4]
    assert found.totals.tolist() == [[25, 0, 5, 0], [1, 4, 0, 0]]
    assert found.fresh.tolist() == [[0, 0, 0, 0], [1, 2, 0, 0]]


def test_sums_of_days_without_demand_are_nothing() -> None:
    none = Day([], [], Watched.of_dense(np.zeros((0, 0))))
    found = days_of(none, none, yesterday=-1).sums(["x"])
    assert found.watched.dense().tolist() == [[0.0] * 4]
    assert found.yesterday.clusters == 1
    assert not found.totals.any()


@given(TABLE, TABLE)
def test_sums_are_the_same_for_some_sites_as_for_all(one: list[list[int]], other: list[list[int]]) -> None:
    days = days_of(day_of(one), day_of(other))
    wanted = days.sums(SITES)
    for low, high in ((0, 1), (1, 3)):
        found = days.sums(SITES[low:high])
        assert found.watched.dense().tolist() == wanted.watched.dense()[low:high].tolist()
        assert found.yesterday.dense().tolist() == wanted.yesterday.dense()[low:high].tolist()
        assert found.totals.tolist() == wanted.totals[:, low:high].tolist()


@given(TABLE, TABLE)
def test_joint_day_is_its_parts_added_up(one: list[list[int]], other: list[list[int]]) -> None:
    names = (["b", "c", "d"], ["t/b", "u/a", "v/a", "v/b"])
    parts = day_of(one), Day.of(*names, Watched.of_dense(np.array(other, float)))
    joint = Joint.of(*parts)
    wanted: dict[tuple[str, str], int] = {}
    for (sites, assets), values in (((SITES, ASSETS), one), (names, other)):
        for site, row in zip(sites, values, strict=True):
            for asset, value in zip(assets, row, strict=True):
                wanted[site, asset] = wanted.get((site, asset), 0) + value
    assert list(joint.sites) == sorted({site for (site, _), value in wanted.items() if value})
    assert list(joint.assets) == ["t/a", "t/b", "t/c", "u/a", "v/a", "v/b"]
    assert joint.numbers.places_in(Numbers.of(["v/b", "t/a"])).tolist() == [1, -1, -1, -1, -1, 0]
    assert joint.entries >= len([value for value in wanted.values() if value])
    for first, last in (("a", "z"), ("b", "c"), ("d", "d"), ("x", "z")):
        found = joint.between(first, last)
        assert list(found.sites) == [site for site in joint.sites if first <= site <= last]
        assert found.wanted.dense().tolist() == [
            [wanted.get((site, asset), 0) for asset in joint.assets] for site in found.sites
        ]


@pytest.mark.parametrize("factor", [1.0, 0.7, 0.001])
def test_weighed_days_are_rounded_down_and_added_up(factor: float) -> None:
    days = [Watched.of_dense(np.array(values, float)) for values in ([[10, 0], [0, 3]], [[7, 1], [0, 0]])]
    found = weighed(days, np.array([factor, 1.0]))
    wanted = np.floor(factor * days[0].dense()) + days[1].dense()
    assert found.dense().tolist() == wanted.tolist()
