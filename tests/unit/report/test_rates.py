import pytest
from hypothesis import given
from hypothesis import strategies as st

from oca.report.rates import Window, bound_below, buckets


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


def test_window_takes_counter_that_is_new_for_no_rise() -> None:
    window = Window(10)
    window.observe(0, {})
    window.observe(1, {"x": 10**9})
    assert window.rise("x") == 0


def test_rates_give_bound_that_a_share_stays_below() -> None:
    keys = buckets(["delivery_first_byte_seconds:0.5", "delivery_first_byte_seconds:sum", "delivery_sent_bytes"])
    assert keys == ["delivery_first_byte_seconds:0.5"]
    counts = {"x:+Inf": 1, "x:0.5": 98, "x:1.0": 1}
    assert bound_below(counts, 0.98) == 0.5
    assert bound_below(counts, 0.99) == 1.0
    assert bound_below(counts, 1) == float("inf")
    assert bound_below({"x:0.5": 0}, 0.99) is None
