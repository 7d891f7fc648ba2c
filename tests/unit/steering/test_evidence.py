from datetime import date

import pytest

from steering.evidence import Demand, Window, debut_share, gather
from steering.shelf import Shelf, shelve
from tests.unit.steering.made_up import DAY_NS, NOW_NS, make_summary, make_title

TODAY = date(1970, 1, 1).toordinal() + NOW_NS // DAY_NS
NOON = NOW_NS + DAY_NS // 2


def shelf(**released: int) -> Shelf:
    return shelve(
        [make_title(name, assets=[make_summary(f"{name}/x")], released_at_ns=at) for name, at in released.items()]
    )


def test_evidence_weighs_days_by_their_age_and_today_by_what_has_passed() -> None:
    demand: Demand = {"s": {"a/x": {TODAY: 50, TODAY - 2: 100, TODAY - 9: 999}, "gone/x": {TODAY: 7}}}
    window = Window.until(NOON, history_days=4, demand=demand)
    assert window.first == TODAY - 4
    made = gather(demand, ["s", "none"], shelf(a=0, b=NOW_NS - DAY_NS), window, half_life_days=2.0)
    assert made.bytes.tolist() == [[100.0, 0.0], [0.0, 0.0]]
    ages = sum(0.5 ** (age / 2) for age in (1, 2, 3, 4))
    assert made.days == pytest.approx([0.5 + ages, 0.5 + 0.5**0.5])
    assert made.volume_days == pytest.approx(0.5 + ages)


def test_evidence_gives_no_days_to_what_comes_out_tomorrow() -> None:
    window = Window.until(NOON, history_days=4, demand={})
    made = gather({}, ["s"], shelf(a=NOW_NS + DAY_NS), window, half_life_days=2.0)
    assert made.days.tolist() == [0.0]
    assert gather({}, ["s"], shelf(), window, half_life_days=2.0).bytes.shape == (1, 0)


def test_window_begins_with_the_first_demand() -> None:
    window = Window.until(NOON, history_days=28, demand={"s": {"a/x": {TODAY - 3: 1}}})
    assert (window.first, window.today, window.elapsed) == (TODAY - 3, TODAY, 0.5)
    assert Window.until(NOON, history_days=28, demand={"s": {"a/x": {TODAY + 1: 1}}}).first == TODAY


def test_debut_share_is_what_new_titles_had_on_their_first_days() -> None:
    demand: Demand = {
        "s": {
            "a/x": {TODAY - day: 80 for day in range(10)},
            "b/x": {TODAY - 5: 20, TODAY - 4: 20, TODAY - 3: 20, TODAY - 2: 900},
            "gone/x": {TODAY: 1},
        }
    }
    window = Window.until(NOON, history_days=28, demand=demand)
    assert debut_share(demand, shelf(a=0, b=NOW_NS - 5 * DAY_NS), window) == pytest.approx(0.2)
    assert debut_share(demand, shelf(a=0), window) == 0
