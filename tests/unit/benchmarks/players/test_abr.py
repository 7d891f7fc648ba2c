from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from benchmarks.players.abr import Throughput, choose_rung

LADDER = (334_000, 1_100_000, 5_100_000)


def test_throughput_knows_nothing_first() -> None:
    throughput = Throughput()
    throughput.add(1000, 0)
    assert throughput.bits_per_s == 0


@given(st.floats(min_value=1e5, max_value=1e9), st.lists(st.floats(min_value=0.1, max_value=30), min_size=1))
def test_throughput_equals_steady_rate(rate: float, took_s: list[float]) -> None:
    throughput = Throughput()
    for seconds in took_s:
        throughput.add(round(rate * seconds / 8), seconds)
    assert throughput.bits_per_s == pytest.approx(rate, rel=0.02)


def test_throughput_falls_faster_than_rises() -> None:
    falling, rising = Throughput(), Throughput()
    for size in (1_000_000, 100_000):
        falling.add(size, 2)
    for size in (100_000, 1_000_000):
        rising.add(size, 2)
    mean = 550_000 * 8 / 2
    assert falling.bits_per_s < mean
    assert rising.bits_per_s < mean * 1.2


@pytest.mark.parametrize(
    ("current", "throughput", "rung"),
    [
        (None, 0, 0),  # nothing known: begin low
        (0, 1_500_000, 0),  # 1.1 Mb/s is more than 70 % of it
        (0, 1_600_000, 1),
        (1, 1_200_000, 1),  # staying needs 95 %
        (1, 1_100_000, 0),
        (0, 50_000_000, 2),
        (2, 100_000, 0),  # even the lowest is too much: the lowest
    ],
)
def test_rung_keeps_margin_for_rising(current: int | None, throughput: float, rung: int) -> None:
    assert choose_rung(LADDER, current, throughput) == rung
