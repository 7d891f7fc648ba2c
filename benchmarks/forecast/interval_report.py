"""What the forecast's interval showed: figures with their bars, a table by class, and a plot."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from benchmarks.figures import figure, show
from benchmarks.forecast.coverage import Coverage
from steering.plan.interval import ENOUGH

LEAST, MOST = 0.75, 0.85


def interval_figures(source: str, coverage: Coverage) -> list[dict[str, Any]]:
    """Part of the days on which what came lay inside, of days that the interval was not made from."""
    watched = "of assets expected to be viewed once a day or more"
    return [
        figure(f"{source}: inside the 80 % interval, {watched}", coverage.watched, "ratio", at_least=LEAST),
        figure(f"{source}: the same, at most", coverage.watched, "ratio", bar=MOST),
        figure(f"{source}: inside, each day of an asset by the bytes expected", coverage.by_bytes, "ratio"),
    ]


def interval_table(source: str, coverage: Coverage) -> None:
    """Print each class that any day was of."""
    columns = ["views expected, from", "title", "days of assets", "inside", "low × forecast", "high × forecast"]
    rows = [
        [
            f"{row['views_from']:g}",
            "new" if row["new"] else "known",
            f"{row['days']:,}",
            f"{row['inside']:.3f}",
            f"{row['low']:.2f}",
            f"{row['high']:.2f}",
        ]
        for row in coverage.as_rows()
        if row["days"]
    ]
    show(f"{source}: 80 % interval of the forecast, judged by days it was not made from", columns, rows)


def plot_intervals(path: Path, covered: Mapping[str, Coverage]) -> Path:
    """Part inside, and the interval around the forecast, by the views that were expected."""
    import matplotlib as mpl

    mpl.use("Agg")
    from matplotlib import pyplot as plt

    chart, rows = plt.subplots(len(covered), 2, figsize=(11, 4 * len(covered)), squeeze=False)
    for (left, right), (source, coverage) in zip(rows, covered.items(), strict=True):
        shown = [row for row in coverage.as_rows() if row["days"] >= ENOUGH and row["views_from"]]
        for new, label in ((False, "known titles"), (True, "new titles")):
            some = [row for row in shown if row["new"] is new]
            at = [row["views_from"] for row in some]
            (line,) = left.plot(at, [row["inside"] for row in some], marker="o", label=label)
            low, high = ([row[name] for row in some] for name in ("low", "high"))
            right.fill_between(at, low, high, alpha=0.3, color=line.get_color(), label=label)
        left.axhspan(LEAST, MOST, alpha=0.15, color="grey")
        left.set(xscale="log", ylim=(0.5, 1), ylabel="days inside", title=f"{source}: inside the 80 % interval")
        right.axhline(1, color="grey", linewidth=1)
        right.set(xscale="log", ylabel="× forecast", title=f"{source}: the interval, as after the last day")
        for each in (left, right):
            each.set_xlabel("whole views a day expected of an asset, from")
            each.legend(fontsize=8)
    chart.tight_layout()
    chart.savefig(path, dpi=110)
    plt.close(chart)
    return path
