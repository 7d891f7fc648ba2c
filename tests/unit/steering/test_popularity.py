from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from steering.popularity import smoothed_bytes_per_day


def smoothed(daily: dict[int, int], *, first: int = 90, today: int = 100, elapsed: float = 0.5) -> float:
    return smoothed_bytes_per_day(daily, first_day=first, today=today, elapsed_of_today=elapsed, half_life_days=2)


def test_mean_of_even_days_is_that_day() -> None:
    assert smoothed(dict.fromkeys(range(90, 100), 1000) | {100: 500}) == pytest.approx(1000)


def test_younger_days_count_more() -> None:
    assert smoothed({99: 1000}) > 3 * smoothed({94: 1000}) > 0


def test_running_day_counts_by_what_has_passed() -> None:
    assert smoothed({100: 500}, first=100) == pytest.approx(1000)
    assert smoothed({100: 500}, first=100, elapsed=0.0) == pytest.approx(500 * 24)


def test_new_title_is_not_held_back_by_days_before_it() -> None:
    assert smoothed({99: 1000}, first=99, elapsed=0.0) == pytest.approx(1000)


def test_no_demand_is_zero() -> None:
    assert smoothed({}) == 0.0
    assert smoothed({100: 7}, first=101) == 0.0
    assert smoothed({50: 7}) == 0.0


@given(st.dictionaries(st.integers(90, 100), st.integers(0, 2**50)), st.floats(0.05, 1))
def test_mean_lies_within_the_days(daily: dict[int, int], elapsed: float) -> None:
    rates = [daily.get(day, 0) for day in range(90, 100)] + [daily.get(100, 0) / elapsed]
    assert min(rates) * 0.999 <= smoothed(daily, elapsed=elapsed) <= max(rates) * 1.001
