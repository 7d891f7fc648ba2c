from hypothesis import given
from hypothesis import strategies as st

from oca.report.schedule import RETRY_S_MAX, clock_ahead_s, next_report_in_s

CHANCE = st.floats(min_value=0, max_value=1, exclude_max=True)


@given(st.floats(min_value=0.2, max_value=300), CHANCE)
def test_schedule_spreads_reports_around_interval(interval_s: float, chance: float) -> None:
    assert 0.89 * interval_s <= next_report_in_s(interval_s, 0, chance) <= 1.11 * interval_s


@given(st.floats(min_value=0.2, max_value=300), st.integers(1, 10**9), CHANCE)
def test_schedule_tries_again_within_seconds(interval_s: float, failures: int, chance: float) -> None:
    assert 0 < next_report_in_s(interval_s, failures, chance) <= min(RETRY_S_MAX, interval_s)


def test_schedule_backs_off_step_by_step() -> None:
    assert [next_report_in_s(60, failures, 0.0) for failures in (1, 2, 3, 4, 5)] == [0.25, 0.5, 1.0, 2.0, 2.5]


def test_schedule_tells_how_far_clock_is_off_beyond_doubt() -> None:
    second = 10**9
    assert clock_ahead_s(100 * second, 100 * second, 101 * second) == 0
    assert clock_ahead_s(100 * second, 101 * second, 101 * second) == 0
    assert clock_ahead_s(100 * second, 90 * second, 101 * second) == 10
    assert clock_ahead_s(100 * second, 103 * second, 101 * second) == -2
