import pytest
from hypothesis import given
from hypothesis import strategies as st

from oca.report.rates import Window


def test_window_knows_no_rate_before_second_reading() -> None:
    window = Window(10)
    assert (window.rise("x"), window.rate_per_s("x"), window.ratio("x", "y")) == (0, 0, 0)
    window.observe(0, {"x": 5})
    assert (window.rise("x"), window.rate_per_s("x")) == (0, 0)


def test_window_forgets_what_is_older_than_span() -> None:
    window = Window(10)
    for second in range(100):
        window.observe(second, {"x": 1000 if second > 50 else 0, "y": second * 2})
    assert window.rise("x") == 0
    assert window.rate_per_s("y") == pytest.approx(2)


def test_window_says_whether_its_span_is_covered() -> None:
    window = Window(10)
    covered = []
    for second in (0, 9, 10, 25):
        window.observe(second, {})
        covered.append(window.is_covered)
    assert covered == [False, False, True, True]


def test_window_gives_part_of_whole() -> None:
    window = Window(10)
    window.observe(0, {"part": 0, "whole": 0})
    window.observe(1, {"part": 3, "whole": 12})
    assert window.ratio("part", "whole") == 0.25
    assert window.ratio("part", "none") == 0


def test_window_takes_counter_that_started_anew_for_no_rise() -> None:
    window = Window(10)
    window.observe(0, {"x": 100})
    window.observe(0, {"x": 5})
    assert (window.rise("x"), window.rate_per_s("x")) == (0, 0)


@given(st.lists(st.tuples(st.floats(0, 5), st.integers(0, 100)), max_size=60))
def test_window_covers_its_span_and_stays_bounded(steps: list[tuple[float, int]]) -> None:
    window = Window(10)
    now, count = 0.0, 0
    for elapsed, more in steps:
        now, count = now + elapsed, count + more
        window.observe(now, {"x": count})
        assert window.rise("x") >= 0
        assert window.rate_per_s("x") >= 0
