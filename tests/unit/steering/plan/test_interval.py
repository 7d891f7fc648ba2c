from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from steering.plan.forecast import Floats
from steering.plan.interval import (
    _BACK_TEST,
    AGES,
    BINS,
    CLASSES,
    ENOUGH,
    VOLUMES,
    Intervals,
    classes_of,
    count,
    empty,
    faded,
)

SIZE = 1e9


def days(ratios: Floats, views: float = 10.0, *, new: bool = False) -> Floats:
    """Counts of days on which so much came, of assets of which ``views`` were expected."""
    expected = np.full(len(ratios), views * SIZE)
    classes = classes_of(expected, np.full(len(ratios), SIZE), np.full(len(ratios), new))
    return count(classes, expected, expected * ratios)


def interval(counts: Floats, views: float = 10.0, *, new: bool = False) -> tuple[float, float]:
    low, high = Intervals(counts).of(np.array([views * SIZE]), np.array([SIZE]), np.array([new]))
    return float(low[0] / SIZE), float(high[0] / SIZE)


@pytest.mark.parametrize(
    ("views", "volume"),
    [(0.0, 0), (0.01, 0), (0.0624, 0), (0.0626, 1), (0.3, 2), (1.0, 3), (3.9, 3), (4.0, 4), (1e9, VOLUMES - 1)],
)
def test_class_is_by_whole_views_a_day_and_by_age(views: float, volume: int) -> None:
    made = classes_of(np.array([views * SIZE] * 2), np.array([SIZE] * 2), np.array([False, True]))
    assert made.tolist() == [volume, volume + VOLUMES]
    assert volume + VOLUMES < CLASSES == AGES * VOLUMES


@pytest.mark.parametrize("views", [0.25, 1.0, 16.0, 256.0])
def test_interval_has_four_days_in_five_of_days_it_was_not_made_from(views: float) -> None:
    chance = np.random.default_rng(5)
    size, new = np.full(20_000, SIZE), np.zeros(20_000, np.bool_)

    def drawn() -> tuple[Floats, Floats]:
        """Expected by one class, and whole views that came."""
        expected = views * 4 ** chance.random(20_000)
        views_came = chance.poisson(expected * chance.lognormal(0, 0.3, 20_000)).astype(np.float64)
        return expected * SIZE, views_came * SIZE

    expected, came = drawn()
    intervals = Intervals(count(classes_of(expected, size, new), expected, came))
    expected, came = drawn()
    low, high = intervals.of(expected, size, new)
    assert 0.75 <= ((low <= came) & (came <= high)).mean() <= 0.85


def test_interval_leaves_out_a_tenth_on_each_side() -> None:
    low, high = interval(days(np.linspace(0.5, 1.5, 10_001)))
    assert low == pytest.approx(6.0, rel=0.01)
    assert high == pytest.approx(14.0, rel=0.01)


def test_interval_begins_at_nothing_where_nothing_often_comes() -> None:
    ratios = np.concatenate([np.zeros(2000), np.linspace(0.5, 1.5, 8000)])
    low, high = interval(days(ratios))
    assert low == 0.0
    assert high == pytest.approx(12.5, rel=0.01)  # all of the fifth that is left out lies above
    assert interval(days(np.concatenate([np.zeros(950), np.ones(50)]))) == (0.0, 0.0)


def test_interval_ends_where_ratios_are_counted_no_further() -> None:
    assert interval(days(np.full(1000, 1e6))) == (640.0, 640.0)


def test_interval_of_a_class_with_little_past_is_that_of_the_back_test() -> None:
    some = days(np.ones(int(ENOUGH) - 1))
    known = classes_of(np.array([10 * SIZE]), np.array([SIZE]), np.array([False]))
    assert interval(some) == pytest.approx(tuple(10 * factor for factor in _BACK_TEST[int(known[0])]))
    assert interval(days(np.ones(int(ENOUGH)))) != interval(some)
    assert np.asarray(_BACK_TEST).shape == (CLASSES, 2)


def test_back_test_is_the_one_that_was_measured() -> None:
    path = Path(__file__).parents[4] / "benchmarks/results/forecast-interval.json"
    measured = [(row["low"], row["high"]) for row in json.loads(path.read_bytes())["runs"]["catalogue"]]
    assert np.asarray(_BACK_TEST) == pytest.approx(np.asarray(measured), abs=0.0051)
    assert all(0 <= low <= high for low, high in _BACK_TEST)


def test_counts_fade_by_half_in_two_weeks() -> None:
    counts = days(np.ones(8))
    assert faded(counts, 14).sum() == pytest.approx(4)
    assert counts.shape == empty().shape == (CLASSES, BINS)
