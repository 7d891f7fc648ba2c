import numpy as np
import pytest

from benchmarks.forecast.charts import generate_charts
from benchmarks.forecast.compare import FREE, OURS, PLANS, WITH_FETCH, Comparison, compare, forecasters
from benchmarks.forecast.demand import Demand, round_curve
from benchmarks.forecast.replay import CLAIRVOYANT, WARM_UP_DAYS
from benchmarks.forecast.report import figures_of


@pytest.fixture(scope="module")
def compared() -> Comparison:
    charts = generate_charts(weeks=6, countries=3)
    demand = Demand(charts, round_curve())
    made = forecasters(demand)
    return compare(demand, made, PLANS, capacities=(0.1, 0.2), planned=np.array([0, 2]), days=WARM_UP_DAYS + 14)


def test_compare_finds_nothing_better_than_the_clairvoyant_plan(compared: Comparison) -> None:
    for name in PLANS:
        if name != WITH_FETCH:
            assert compared.hit_ratio(name, 0.1) <= compared.hit_ratio(CLAIRVOYANT, 0.1) + 1e-9
    assert 0.5 < compared.hit_ratio(OURS, 0.1) < compared.hit_ratio(OURS, 0.2) <= 1


def test_compare_gives_bounded_moves_that_move_less(compared: Comparison) -> None:
    assert compared.moved(OURS, 0.1) < compared.moved(FREE, 0.1)


def test_compare_counts_what_fetches_still_miss(compared: Comparison) -> None:
    assert 0 < compared.missed_at_peak(WITH_FETCH, 0.1) < 1
    assert compared.hit_ratio("Belady", 0.1) >= compared.hit_ratio("LRU", 0.1)


def test_figures_say_of_each_bar_whether_it_holds(compared: Comparison) -> None:
    figures = {each["name"]: each for each in figures_of("charts", compared)}
    found = figures["charts, capacity 10%: vs the clairvoyant plan"]
    assert found["holds"] == (found["value"] >= found["bar"] == 0.95)
    moved = figures["charts, capacity 20%: moved a night"]
    assert moved["holds"] == (moved["value"] <= moved["bar"] == 0.05)
