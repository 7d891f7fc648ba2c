"""What every benchmark writes: machine, commit, method and figures with their bars, as JSON and as a table."""

from __future__ import annotations

import json
import os
import platform
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

ROOT = Path(__file__).parents[1]
RESULTS = ROOT / "benchmarks" / "results"


def figure(
    name: str, value: float, unit: str, *, bar: float | None = None, at_least: float | None = None
) -> dict[str, Any]:
    """One figure; with a bar, whether it holds: at most ``bar``, or ``at_least``."""
    holds = (
        None
        if bar is None and at_least is None
        else (bar is None or value <= bar) and (at_least is None or value >= at_least)
    )
    return {
        "name": name,
        "value": round(value, 4),
        "unit": unit,
        "bar": bar if at_least is None else at_least,
        "holds": holds,
    }


def machine(**versions: str) -> dict[str, Any]:
    """Where it ran, and the versions of what was compared."""
    model = next(
        (line.partition(":")[2].strip() for line in _lines("/proc/cpuinfo") if line.startswith("model name")), "?"
    )
    return {
        "cpus": os.cpu_count(),
        "cpu": model,
        "kernel": platform.release(),
        "memory_bytes": os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES"),
        "python": platform.python_version(),
        "python_of": sys.base_prefix,
        "congestion_control": Path("/proc/sys/net/ipv4/tcp_congestion_control").read_text().strip(),
        "load_average": os.getloadavg()[0],
        **versions,
    }


def write(name: str, *, method: str, figures: Sequence[dict[str, Any]], **more: Any) -> Path:
    """Write ``results/NAME.json``; ``more`` holds the machine and raw runs."""
    RESULTS.mkdir(exist_ok=True)
    path = RESULTS / f"{name}.json"
    document = {"commit": _commit(), "method": method, "figures": list(figures), **more}
    path.write_text(json.dumps(document, indent=2) + "\n")
    return path


def show(title: str, columns: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    """Print a table."""
    table = Table(title=title)
    for number, column in enumerate(columns):
        table.add_column(column, justify="left" if number == 0 else "right")
    for row in rows:
        table.add_row(*row)
    Console(width=120).print(table)


def holds(said: bool | None) -> str:
    """A figure's ``holds`` in a table; empty where it has no bar."""
    return "" if said is None else "yes" if said else "NO"


def _commit() -> str:
    """The commit; with a ``+`` where files differ from it."""
    run = subprocess.run(["git", "rev-parse", "--short", "HEAD"], cwd=ROOT, capture_output=True, text=True, check=False)
    changed = subprocess.run(["git", "diff", "--quiet", "HEAD"], cwd=ROOT, capture_output=True, check=False).returncode
    return (run.stdout.strip() or "unknown") + ("+" if changed else "")


def _lines(path: str) -> list[str]:
    return Path(path).read_text().splitlines()
