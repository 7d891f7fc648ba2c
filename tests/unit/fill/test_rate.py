from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fill.rate import ByteRate, PaceFloor


def test_rate_without_cap_never_waits() -> None:
    assert ByteRate(0).take(10**12, now=0.0) == 0.0


@given(st.lists(st.integers(1, 300_000), min_size=1, max_size=200), st.integers(10_000, 10**8), st.integers(1, 8))
def test_rate_keeps_cap_over_a_whole_fetch(chunks: list[int], cap: int, readers: int) -> None:
    rate, now = ByteRate(cap), 100.0
    free_at = [now] * readers
    for chunk in chunks:  # whoever is free first reads next, when it is granted
        reader = free_at.index(min(free_at))
        now = max(now, free_at[reader])
        free_at[reader] = now + rate.take(chunk, now)
    assert (max(free_at) - 100.0) * cap == pytest.approx(sum(chunks), abs=2.0)


def test_rate_shares_cap_between_fetches() -> None:
    rate = ByteRate(1000, burst_s=0.1)
    assert rate.take(600, now=10.0) == pytest.approx(0.6)
    assert rate.take(500, now=10.0) == pytest.approx(1.1)


def test_rate_saves_no_more_than_its_burst() -> None:
    rate = ByteRate(1000, burst_s=0.1)
    rate.take(100, now=0.0)
    assert rate.take(600, now=1e6) == pytest.approx(0.5)


def test_rate_ignores_time_that_runs_backwards() -> None:
    rate = ByteRate(1000, burst_s=0.1)
    rate.take(100, now=10.0)
    assert rate.take(400, now=5.0) == pytest.approx(0.5)
    assert rate.take(500, now=10.0) == pytest.approx(1.0)


def test_rate_takes_back_what_was_not_read() -> None:
    rate = ByteRate(1000)
    assert rate.take(500, now=10.0) == pytest.approx(0.5)
    rate.give_back(400)
    assert rate.take(100, now=10.0) == pytest.approx(0.2)
    ByteRate(0).give_back(100)


def test_rate_keeps_another_cap_from_its_change_on() -> None:
    rate = ByteRate(1000)
    rate.take(5000, now=10.0)
    rate.change(100, now=11.0)
    assert rate.take(100, now=12.0) == pytest.approx(0.9)
    rate.change(100, now=13.0)
    assert rate.take(0, now=12.0) == pytest.approx(0.9), "the same cap changes nothing"
    rate.change(0, now=14.0)
    assert rate.take(10**9, now=14.0) == 0.0


def test_pace_floor_judges_each_span_of_waiting() -> None:
    floor = PaceFloor(100, span_s=10.0)
    assert floor.held(1, waited_s=9.0)
    assert not floor.held(1, waited_s=1.0)
    assert floor.held(1, waited_s=9.0)
    assert floor.held(2000, waited_s=5.0)


def test_pace_floor_of_nothing_is_always_kept() -> None:
    assert PaceFloor(0, span_s=1.0).held(0, waited_s=60.0)
