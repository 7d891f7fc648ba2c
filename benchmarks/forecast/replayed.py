"""One of the demands replayed, in a process of its own."""

from __future__ import annotations

import argparse

import numpy as np
from numpy.typing import NDArray

from benchmarks.forecast.charts import generate_charts, read_charts
from benchmarks.forecast.compare import OURS, PLANS, Comparison, compare, forecasters
from benchmarks.forecast.coverage import Coverage
from benchmarks.forecast.demand import Demand, read_curve, round_curve
from benchmarks.forecast.replay import replay

CAPACITIES = (0.05, 0.1)
DEMANDS = {"charts": False, "catalogue": True}
"""By name, whether the rank law goes on below the lists."""


def replayed(
    options: argparse.Namespace, name: str, days: int, planned: NDArray[np.int64]
) -> tuple[Comparison | None, Coverage]:
    """What the plans and caches came to, None where they are not asked for; and how the interval held."""
    charts = read_charts(options.charts) if options.charts else generate_charts()
    curve = read_curve(options.curve) if options.curve else round_curve()
    demand = Demand(charts, curve, tail=DEMANDS[name], seed=options.seed)
    made = forecasters(demand)
    coverage = Coverage(demand.world)
    if options.intervals:
        replay(demand, {OURS: made["ours"]}, {}, capacities=(), planned=planned, coverage=coverage, days=days)
        return None, coverage
    compared = compare(demand, made, PLANS, capacities=CAPACITIES, planned=planned, days=days, coverage=coverage)
    return compared, coverage
