import numpy as np
import pytest

from steering.plan.evidence import DAY_NS, Window, debut_share, debuts, evidence
from steering.plan.shelf import Shelf, shelve
from steering.plan.watched import Watched
from tests.unit.steering.made_up import NOW_NS, make_summary, make_title

TODAY = NOW_NS // DAY_NS
NOON = NOW_NS + DAY_NS // 2


def shelf(**released: int) -> Shelf:
    return shelve(
        [make_title(name, assets=[make_summary(f"{name}/x")], released_at_ns=at) for name, at in released.items()]
    )


def test_evidence_weighs_days_by_their_age_and_today_by_what_has_passed() -> None:
    window = Window.until(NOON, history_days=4, begun=TODAY - 9)
    assert window.first == TODAY - 4
    assert window.factors(2.0) == pytest.approx([0.25, 0.5**1.5, 0.5, 0.5**0.5, 1])
    watched = Watched.of_dense(np.array([[100.0, 0.0], [0.0, 0.0]]))
    made = evidence(watched, shelf(a=0, b=NOW_NS - DAY_NS), window, half_life_days=2.0)
    ages = sum(0.5 ** (age / 2) for age in (1, 2, 3, 4))
    assert made.days == pytest.approx([0.5 + ages, 0.5 + 0.5**0.5])
    assert made.volume_days == pytest.approx(0.5 + ages)
    assert made.bytes_per_day() == pytest.approx([100 / (0.5 + ages), 0])


def test_evidence_gives_no_days_to_what_comes_out_tomorrow() -> None:
    window = Window.until(NOON, history_days=4, begun=None)
    nothing = Watched.of_dense(np.zeros((1, 1)))
    assert evidence(nothing, shelf(a=NOW_NS + DAY_NS), window, half_life_days=2.0).days.tolist() == [0.0]
    assert len(evidence(Watched.of_dense(np.zeros((1, 0))), shelf(), window, half_life_days=2.0).days) == 0


def test_window_begins_with_the_first_demand() -> None:
    window = Window.until(NOON, history_days=28, begun=TODAY - 3)
    assert (window.first, window.today, window.elapsed) == (TODAY - 3, TODAY, 0.5)
    assert Window.until(NOON, history_days=28, begun=None).first == TODAY
    assert Window.until(NOON, history_days=28, begun=TODAY + 1).first == TODAY


def test_debuts_are_titles_whose_first_days_are_all_in_the_window() -> None:
    window = Window.until(NOON, history_days=28, begun=TODAY - 9)
    released = np.array([0, TODAY - 9, TODAY - 8, TODAY - 3, TODAY - 2, TODAY + 5]) * DAY_NS
    assert debuts(released, window).tolist() == [False, False, True, True, False, False]


def test_debut_share_is_the_mean_over_titles_days_and_sites() -> None:
    assert debut_share(np.array([0.2, 0.2, 0.2]), titles=1, sites=1) == pytest.approx(0.2)
    assert debut_share(np.array([0.2, 0.2, 0.2]), titles=2, sites=2) == pytest.approx(0.05)
    assert debut_share(np.zeros(0), titles=0, sites=0) == 0
