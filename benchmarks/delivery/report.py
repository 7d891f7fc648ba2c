"""What the runs say: ratios against nginx and the floor, with their bars, as figures, tables and a plot."""

from __future__ import annotations

import statistics
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from benchmarks.delivery.load import Run
from benchmarks.delivery.material import SIZES
from benchmarks.delivery.paced import Paced
from benchmarks.figures import figure

OURS = "oca"
CPU_BARS = {"4 KiB": 1.3, "64 KiB": 1.0, "1 MiB": 0.8, "2.5 MB": 0.8, "16 MiB": 0.8}
TLS_BARS = {"64 KiB": 1.0, "1 MiB": 1.0, "2.5 MB": 1.0, "16 MiB": 1.0}
FLOOR_BAR = 1.15
FILE_RESPONSE_BAR = 0.2
CONNECTION_BYTES_BAR = 16 * 1024
_LATENCIES = ("p50_us", "p99_us", "p999_us")
NGINX = ("nginx", "nginx nopush")


def median(runs: Sequence[Run], server: str, size: str, what: str) -> float:
    """Median of one attribute of one server's runs at one size."""
    return float(statistics.median(getattr(run, what) for run in runs if (run.server, run.size) == (server, size)))


def rival(runs: Sequence[Run], size: str) -> str:
    """Nginx as it is cheapest at that size."""
    return min(NGINX, key=lambda server: median(runs, server, size, "cpu_us"))


def plain_figures(runs: Sequence[Run], fresh: Sequence[Run]) -> list[dict[str, Any]]:
    """Ours beside nginx, with and without everything on, and with header blocks never seen before."""
    figures = []
    for size in SIZES:
        other = rival(runs, size)
        ours, theirs = (
            {what: median(runs, server, size, what) for what in ("cpu_us", "bytes_per_s", *_LATENCIES)}
            for server in (OURS, other)
        )
        figures += [
            figure(f"cpu per request vs nginx, {size}", ours["cpu_us"] / theirs["cpu_us"], "ratio", bar=CPU_BARS[size]),
            figure(
                f"p99 latency vs nginx, {size}",
                ours["p99_us"] / min(median(runs, server, size, "p99_us") for server in NGINX),
                "ratio",
                bar=1.0,
            ),
            figure(f"throughput vs nginx, {size}", ours["bytes_per_s"] / theirs["bytes_per_s"], "ratio"),
            figure(f"cpu per request, {size}", ours["cpu_us"], "µs"),
            figure(f"cpu per request as it comes, {size}", median(runs, "oca plain", size, "cpu_us"), "µs"),
            figure(f"cpu per request, every header block new, {size}", median(fresh, OURS, size, "cpu_us"), "µs"),
            figure(f"cpu per GiB, {size}", ours["cpu_us"] * 2**30 / SIZES[size] / 1e6, "s"),
            figure(f"nginx cpu per request, {size}", theirs["cpu_us"], "µs"),
            figure(f"nginx cpu per GiB, {size}", theirs["cpu_us"] * 2**30 / SIZES[size] / 1e6, "s"),
            *(figure(f"{what[:-3]} latency, {size}", ours[what], "µs") for what in _LATENCIES),
            *(figure(f"nginx {what[:-3]} latency, {size}", theirs[what], "µs") for what in _LATENCIES),
        ]
    return figures


def other_figures(runs: Sequence[Run], names: Sequence[str]) -> list[dict[str, Any]]:
    """Ours beside the floor, and the other servers as they did."""
    figures = []
    for size in SIZES:
        ratio = median(runs, OURS, size, "cpu_us") / median(runs, "floor", size, "cpu_us")
        figures.append(figure(f"cpu vs floor, {size}", ratio, "ratio", bar=FLOOR_BAR if size == "1 MiB" else None))
        figures += [
            figure(f"{name} cpu per request, {size}", median(runs, name, size, "cpu_us"), "µs") for name in names
        ]
    if "aiohttp" in names:
        ratio = median(runs, OURS, "1 MiB", "cpu_us") / median(runs, "aiohttp", "1 MiB", "cpu_us")
        figures.append(figure("cpu vs aiohttp FileResponse, 1 MiB", ratio, "ratio", bar=FILE_RESPONSE_BAR))
    largest = max(SIZES, key=lambda size: SIZES[size])
    return figures + [
        figure(f"{name} private memory", median(runs, name, largest, "rss_bytes"), "bytes") for name in (OURS, *names)
    ]


def tls_figures(runs: Sequence[Run]) -> list[dict[str, Any]]:
    """Ours beside nginx, both with TLS in user space."""
    figures = []
    for size in SIZES:
        ours, theirs = median(runs, "oca tls", size, "cpu_us"), median(runs, "nginx tls", size, "cpu_us")
        figures.append(figure(f"tls cpu per request vs nginx, {size}", ours / theirs, "ratio", bar=TLS_BARS.get(size)))
        figures.append(figure(f"tls cpu per request, {size}", ours, "µs"))
        figures.append(figure(f"nginx tls cpu per request, {size}", theirs, "µs"))
    return figures


def paced_figures(runs: Sequence[Paced]) -> list[dict[str, Any]]:
    """Ten thousand players: ours with its bars, nginx beside it."""
    figures = []
    for run in runs:
        of = f"{run.server}, {run.connections} players"
        zero, memory = (0, CONNECTION_BYTES_BAR) if run.server == OURS else (None, None)
        figures += [
            figure(f"errors, {of}", run.errors, "responses", bar=zero),
            figure(f"stalls, {of}", run.stalls, "responses", bar=zero),
            figure(
                f"memory a connection, {of}",
                run.connection_bytes,
                "bytes",
                bar=memory,
            ),
            figure(f"throughput, {of}", run.bytes_per_s, "bytes/s"),
            figure(f"cpu per request, {of}", run.cpu_us, "µs"),
            figure(f"p50 latency, {of}", run.p50_us, "µs"),
            figure(f"p99 latency, {of}", run.p99_us, "µs"),
            figure(f"p99.9 latency, {of}", run.p999_us, "µs"),
        ]
    return figures


def rows(figures: Sequence[dict[str, Any]]) -> list[list[str]]:
    """A table's rows: every figure with a bar."""
    return [
        [each["name"], f"{each['value']:,.2f}", each["unit"], f"≤ {each['bar']:g}", "yes" if each["holds"] else "NO"]
        for each in figures
        if each["bar"] is not None
    ]


def table(runs: Sequence[Run], names: Sequence[str]) -> list[list[str]]:
    """CPU per request of every server at every size."""
    return [[size, *(f"{median(runs, name, size, 'cpu_us'):.1f}" for name in names)] for size in SIZES]


def plot(runs: Sequence[Run], names: Sequence[str], path: Path) -> None:
    """CPU per request of each server, as a share of nginx's cheaper setting."""
    import matplotlib as mpl

    mpl.use("Agg")
    from matplotlib import pyplot as plt

    chart, axes = plt.subplots(figsize=(9, 4))
    width = 0.8 / len(names)
    others = {size: median(runs, rival(runs, size), size, "cpu_us") for size in SIZES}
    for place, name in enumerate(names):
        ratios = [median(runs, name, size, "cpu_us") / others[size] for size in SIZES]
        bars = axes.bar([at + place * width for at in range(len(SIZES))], ratios, width, label=name)
        if name == OURS:
            axes.bar_label(bars, [f"{ratio:.2f}" for ratio in ratios], fontsize=8)
    centres = [at + 0.4 - width / 2 for at in range(len(SIZES))]
    axes.scatter(centres, [CPU_BARS[size] for size in SIZES], marker="_", s=2400, color="#c1121f", label="bar")
    axes.axhline(1, color="#555555", linewidth=1)
    axes.set_xticks(centres, list(SIZES))
    axes.set(ylabel="CPU per request, nginx = 1", title="CPU per segment request, lower is better", yscale="log")
    axes.legend(loc="center left", bbox_to_anchor=(1, 0.5))
    chart.tight_layout()
    chart.savefig(path, dpi=120)
    plt.close(chart)
