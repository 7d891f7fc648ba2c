"""Replay demand night by night: the plan beside a clairvoyant one, simple forecasts, and pull-through caches."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from importlib.metadata import version
from multiprocessing import get_context
from pathlib import Path

import numpy as np

from benchmarks.figures import machine, write
from benchmarks.forecast.charts import generate_charts, read_charts
from benchmarks.forecast.demand import HOURS_PER_DAY, LADDER
from benchmarks.forecast.interval_report import interval_figures, interval_table, plot_intervals
from benchmarks.forecast.replay import SEED_DAYS, WARM_UP_DAYS
from benchmarks.forecast.replayed import DEMANDS, replayed
from benchmarks.forecast.report import bars, figures_of, plot, tables, top_figures
from benchmarks.forecast.top import predict_lists

METHOD = (
    "walk-forward: each night's plan knows the days before it, and of titles not seen yet that they come out tomorrow; "
    f"first plan after {SEED_DAYS} days, counted after {WARM_UP_DAYS}; demand composed: who watches what from charts "
    f"by country, flat over a week, Poisson around {HOURS_PER_DAY:,.0f} hours a day and cluster; sizes from a ladder "
    f"of {len(LADDER)} renditions and run times; a view is a whole asset; charts: only what is listed is watched; "
    "catalogue: the rank law goes on below the lists; caches by libCacheSim over the same views, as warm as the plans"
)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run, print, write. A bar that does not hold is said in the table and the file, not by the exit code."""
    parser = _parser()
    options = parser.parse_args(arguments)
    charts = read_charts(options.charts) if options.charts else generate_charts()
    days = 7 * min(options.weeks or len(charts.weeks), len(charts.weeks))
    if days <= WARM_UP_DAYS or options.clusters < 1:
        parser.error(f"nothing to count: give at least {WARM_UP_DAYS // 7 + 1} weeks and 1 cluster")
    planned = np.unique(np.linspace(0, len(charts.countries) - 1, options.clusters).astype(int))
    print(f"replaying {days} days, {len(planned)} of {len(charts.countries)} clusters", file=sys.stderr)
    figures, compared = [], {}
    intervals, covered = [], {}
    with ProcessPoolExecutor(len(DEMANDS), get_context("spawn")) as pool:
        replaying = {name: pool.submit(replayed, options, name, days, planned) for name in DEMANDS}
        for name, each in replaying.items():
            comparison, covered[name] = each.result()
            if comparison is not None:
                compared[name] = comparison
                tables(name, comparison)
                figures += figures_of(name, comparison)
            interval_table(name, covered[name])
            intervals += interval_figures(name, covered[name])
    intervals += top_figures(predict_lists(charts))
    bars([*figures, *intervals])
    data = {
        "charts": options.charts.name if options.charts else "made-up charts, for trying this out: no evidence",
        "weeks": days // 7,
        "clusters": len(planned),
        "curve": str(options.curve and options.curve.name),
    }
    made_up = "" if options.charts else "-made-up"
    path = write(
        "forecast-interval" + made_up,
        method=METHOD,
        figures=intervals,
        machine=machine(numpy=version("numpy")),
        data=data,
        runs={name: each.as_rows() for name, each in covered.items()},
    )
    print(f"written: {path}, {plot_intervals(path.with_suffix('.png'), covered)}")
    if not options.intervals:
        path = write(
            "forecast" + made_up,
            method=METHOD,
            figures=figures,
            machine=machine(libcachesim=version("libcachesim"), numpy=version("numpy")),
            data=data,
            runs={name: each.as_rows() for name, each in compared.items()},
        )
        print(f"written: {path}, {plot(path.with_suffix('.png'), compared)}")
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="make bench-forecast", description=__doc__)
    parser.add_argument(
        "--charts", type=Path, help="lists by country, Netflix's form, .tsv or .tsv.gz; else made-up ones"
    )
    parser.add_argument("--curve", type=Path, help="lines 'time, requests' over a day every 315 s; else a round curve")
    parser.add_argument("--clusters", type=int, default=6, help="countries that are planned for; all are learned from")
    parser.add_argument("--weeks", type=int, help="only the first so many weeks")
    parser.add_argument("--seed", type=int, default=6, help="of the views that are drawn")
    parser.add_argument(
        "--intervals",
        action="store_true",
        help="the forecast's interval and next week's lists alone, a tenth of the work: no plans, no caches",
    )
    return parser


if __name__ == "__main__":
    sys.exit(main())
