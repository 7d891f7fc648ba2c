from __future__ import annotations

import numpy as np
import pytest

from benchmarks.forecast.coverage import Coverage
from benchmarks.forecast.demand import World
from benchmarks.forecast.interval_report import interval_figures, interval_table
from steering.plan.forecast import Families

ASSETS = 400
NONE = np.zeros(ASSETS, np.int64)
SIZE = 1e9


def covered(spread: float, later_spread: float) -> Coverage:
    """Ten days judged, after ten that scatter so far."""
    families = Families(np.arange(ASSETS), NONE, NONE)
    coverage = Coverage(World(families, np.full(ASSETS, SIZE), NONE, 20, np.full(24, 1 / 24)))
    chance = np.random.default_rng(3)
    expected = np.full((2, ASSETS), 20 * SIZE)
    for day in range(20):
        came = expected * chance.lognormal(0, spread if day < 10 else later_spread, expected.shape)
        coverage.observe(day, expected, came, counted=day >= 10)
    return coverage


def test_coverage_is_four_fifths_where_days_stay_as_they_were() -> None:
    coverage = covered(0.3, 0.3)
    assert 0.77 <= coverage.watched <= 0.83
    assert coverage.by_bytes == pytest.approx(coverage.watched)
    assert sum(row["days"] for row in coverage.as_rows()) == 10 * 2 * ASSETS
    assert [each["holds"] for each in interval_figures("x", coverage)] == [True, True, None]


def test_coverage_falls_where_days_scatter_more_than_those_before() -> None:
    coverage = covered(0.1, 1.0)
    assert coverage.watched < 0.75
    assert [each["holds"] for each in interval_figures("x", coverage)] == [False, True, None]


def test_coverage_judges_no_class_without_a_past(capsys: pytest.CaptureFixture[str]) -> None:
    coverage = covered(0.3, 0.3)
    few = Coverage(coverage.world)
    few.observe(0, np.full((1, ASSETS), SIZE), np.full((1, ASSETS), SIZE), counted=True)
    assert (few.judged.sum(), few.watched) == (0, 0.0)
    interval_table("x", coverage)
    assert "80 % interval" in capsys.readouterr().out
