"""What the replays say: figures with their bars, tables, and a plot."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from benchmarks.figures import figure, show
from benchmarks.forecast.caches import CLAIRVOYANT_POLICIES, POLICIES
from benchmarks.forecast.compare import FREE, MEANS, OURS, WITH_FETCH, Comparison
from benchmarks.forecast.replay import CLAIRVOYANT
from benchmarks.forecast.top import Overlap

CLAIRVOYANT_BAR = 0.95
PEAK_BAR = 0.2
MOVED_BAR = 0.05
LOSS_BAR = 0.005
TOP_BAR = 0.70


def figures_of(source: str, compared: Comparison) -> list[dict[str, Any]]:
    """The bars of one replay. Against caches, the plan as it is, and with the box's own fetch on a miss."""
    figures = []
    for ratio in compared.capacities:
        at = f"{source}, capacity {ratio:.0%}"
        best = max(
            (name for name in POLICIES if name not in CLAIRVOYANT_POLICIES),
            key=lambda name, ratio=ratio: compared.hit_ratio(name, ratio),  # type: ignore[misc]
        )
        ours, free = compared.hit_ratio(OURS, ratio), compared.hit_ratio(FREE, ratio)
        figures += [
            figure(f"{at}: byte hit ratio", ours, "ratio"),
            figure(
                f"{at}: vs the clairvoyant plan",
                ours / compared.hit_ratio(CLAIRVOYANT, ratio),
                "ratio",
                at_least=CLAIRVOYANT_BAR,
            ),
            figure(
                f"{at}: means known vs the clairvoyant plan",
                compared.hit_ratio(MEANS, ratio) / compared.hit_ratio(CLAIRVOYANT, ratio),
                "ratio",
            ),
            figure(
                f"{at}: plan minus {best}, hit ratio", ours - compared.hit_ratio(best, ratio), "ratio", at_least=0.0
            ),
            figure(
                f"{at}: plan with fetch minus {best}, hit ratio",
                compared.hit_ratio(WITH_FETCH, ratio) - compared.hit_ratio(best, ratio),
                "ratio",
                at_least=0.0,
            ),
            *(
                figure(
                    f"{at}: from elsewhere at peak, {name} vs {best}",
                    compared.missed_at_peak(name, ratio) / max(compared.missed_at_peak(best, ratio), 1e-12),
                    "ratio",
                    bar=PEAK_BAR,
                )
                for name in (OURS, WITH_FETCH)
            ),
            figure(f"{at}: moved a night", compared.moved(OURS, ratio), "ratio", bar=MOVED_BAR),
            figure(f"{at}: hit ratio lost to bounded moves", (free - ours) / free, "ratio", bar=LOSS_BAR),
        ]
    return figures


def top_figures(overlap: Overlap) -> list[dict[str, Any]]:
    """Next week's lists."""
    return [
        figure("next week's Top 20: named rightly", overlap.forecast, "ratio", at_least=TOP_BAR),
        figure("next week's Top 20: by last week's list", overlap.repeated, "ratio"),
        figure("next week's Top 20: listed anywhere before, the most that can be named", overlap.known_before, "ratio"),
    ]


def bars(figures: list[dict[str, Any]]) -> None:
    """Print the figures, those with a bar and whether it holds."""
    rows = [
        [each["name"], f"{each['value']:.4f}", "" if each["bar"] is None else f"{each['bar']:g}", _HOLDS[each["holds"]]]
        for each in figures
    ]
    show("Bars", ["figure", "value", "bar", "holds"], rows)


_HOLDS = {None: "", True: "yes", False: "NO"}


def tables(source: str, compared: Comparison) -> None:
    """Print what every plan and policy came to."""
    columns = [
        "way",
        *(
            f"{what}, {ratio:.0%}"
            for ratio in compared.capacities
            for what in ("hits", "vs clairv.", "at peak", "moved")
        ),
    ]
    rows = []
    for name in compared.names():
        row = [name]
        for ratio in compared.capacities:
            hits = compared.hit_ratio(name, ratio)
            planned = (name, ratio) in compared.outcome.tallies
            row += [
                f"{hits:.4f}",
                f"{hits / compared.hit_ratio(CLAIRVOYANT, ratio):.4f}",
                f"{compared.missed_at_peak(name, ratio):.4f}",
                f"{compared.moved(name, ratio):.4f}" if planned else "",
            ]
        rows.append(row)
    show(f"{source}: byte hit ratio; part of the peak hour's bytes from elsewhere; moved a night", columns, rows)
    errors = [[name, f"{compared.error(name):.3f}"] for name in compared.outcome.errors]
    show(f"{source}: error of the forecast, Σ|forecast − bytes| ÷ Σ bytes", ["forecast", "error"], errors)


def plot(path: Path, compared: Mapping[str, Comparison]) -> Path:
    """Hit ratio against capacity, and forecast against what came, of each replay."""
    import matplotlib as mpl

    mpl.use("Agg")
    from matplotlib import pyplot as plt

    chart, rows = plt.subplots(len(compared), 2, figsize=(11, 4 * len(compared)), squeeze=False)
    for (left, right), (source, each) in zip(rows, compared.items(), strict=True):
        for name in (
            CLAIRVOYANT,
            OURS,
            WITH_FETCH,
            "yesterday",
            "LRU",
            "ARC",
            "S3-FIFO",
            "W-TinyLFU",
            "GDSF",
            "Belady",
        ):
            ratios = [each.hit_ratio(name, ratio) for ratio in each.capacities]
            left.plot([100 * ratio for ratio in each.capacities], ratios, marker="o", label=name)
        left.set(xlabel="capacity, % of the catalogue", ylabel="byte hit ratio", title=f"{source}: hit ratio")
        left.legend(fontsize=7)
        days = [day for day, _, _ in each.outcome.daily]
        right.plot(days, [came / 1e12 for _, _, came in each.outcome.daily], label="came")
        right.plot(days, [expected / 1e12 for _, expected, _ in each.outcome.daily], label="forecast")
        right.set(
            xlabel="day", ylabel="TB a day, clusters planned for", title=f"{source}: forecast and what came", ylim=0
        )
        right.legend(fontsize=7)
    chart.tight_layout()
    chart.savefig(path, dpi=110)
    plt.close(chart)
    return path
