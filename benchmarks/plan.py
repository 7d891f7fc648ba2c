"""A night's plans for a large fleet: time, CPU and memory of the first night, and of the next.

Catalogue, capacities and history are made up and written as steering has them; each night is planned and kept by a
process of its own, with those that it starts. With fewer clusters than the full size, what the full size would take is
reckoned from what a cluster more costs, and named so; with no fewer than are planned as a large fleet.
"""

from __future__ import annotations

import argparse
import json
import resource
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import psutil

from benchmarks.figures import figure, machine, show, write
from steering.history.engine import DuckDb
from steering.history.log import Listed, Part, day_text
from steering.plan.tomorrow import KINDRED_SITES_MAX
from steering.settings import Site, SiteAppliance, SteeringSettings
from steering.state.embedded import EmbeddedState
from steering.state.settings import StateTable
from steering.titles.catalogue import AssetSummary, Title, write_title

DAY_NS = 86400 * 10**9
NOW_NS = 20_000 * DAY_NS + DAY_NS // 8
CLUSTERS, BOXES, ASSETS = 5000, 4, 1_000_000
ASSETS_PER_TITLE = 10
CAPACITY_RATIO = 0.05
"""Of the catalogue's bytes, a cluster's space."""
KINDS = ("video",) * 6 + ("audio",) * 2 + ("text", "manifests")
SIZES = (250e6, 600e6, 1.4e9, 2.4e9, 4.4e9, 12e9, 80e6, 80e6, 100e3, 200e3)
FIRST_S_MAX, NEXT_S_MAX, PEAK_BYTES_MAX = 600.0, 120.0, 8e9
METHOD = (
    "make_plans in a process of its own each night: catalogue read, history of each cluster (a row an asset and hour) "
    "read by DuckDB, forecast, choice, placement, plans kept; the next night has a day more of history; clusters of "
    f"{BOXES} boxes with {CAPACITY_RATIO:.0%} of the catalogue's bytes together, 10 Gbit/s each; "
    "CPU and memory are of all processes that plan, what they share counted once, memory looked at every ten seconds"
)
LOOK_S = 10.0


def settings_of(folder: Path, clusters: int) -> SteeringSettings:
    """A fleet of clusters of ``BOXES`` boxes."""
    sites = tuple(
        Site(
            id=f"site-{number:04}",
            region="DE",
            appliance=tuple(
                SiteAppliance(id=f"site-{number:04}-{box}", egress_bits_per_s=10**10) for box in range(BOXES)
            ),
        )
        for number in range(clusters)
    )
    return SteeringSettings(state=StateTable(path=str(folder / "state")), site=sites)


def prepare(folder: Path, *, clusters: int, assets: int, watched: int, days: int) -> None:
    """Write catalogue, capacities and history."""
    chance = np.random.default_rng(6)
    state = EmbeddedState.open(folder / "state", bytes_max=2**36)
    scale = chance.lognormal(0, 0.5, assets // ASSETS_PER_TITLE)
    for start in range(0, len(scale), 5000):
        with state.write() as transaction:
            for number in range(start, min(start + 5000, len(scale))):
                write_title(transaction, _title(number, float(scale[number])), [])
    space = int(CAPACITY_RATIO * sum(SIZES) * float(scale.sum()) / BOXES)
    with state.write() as transaction:
        for site in settings_of(folder, clusters).site:
            for appliance in site.appliance:
                transaction.put(f"capacity/{appliance.id}", str(space).encode())
    for day in range(days):
        add_day(folder, state, NOW_NS // DAY_NS - days + day, clusters=clusters, assets=assets, watched=watched)
    state.close()


def add_day(folder: Path, state: EmbeddedState, day: int, *, clusters: int, assets: int, watched: int) -> None:
    """A day of history: each cluster watches some assets, few of them much, most of them popular elsewhere too.

    Bytes are those of whole plays: an asset's size so many times.
    """
    path = folder / "state" / "history" / f"day={day_text(day)}" / "0.parquet"
    path.parent.mkdir(parents=True, exist_ok=True)
    rung = "CASE WHEN hash(w, s, 'k') % 10 < 9 THEN (hash(w, s, 'r') % 6)::INT ELSE 6 + (hash(w, s, 'r') % 4)::INT END"
    sizes = f"list_extract({[int(size) for size in SIZES]}, rung + 1)"
    title = f"(hash((pow(u, 3) * {assets // ASSETS_PER_TITLE})::BIGINT) % {assets // ASSETS_PER_TITLE})"
    query = f"""COPY (SELECT format('site-{{:04d}}', s) AS site, format('t{{:06d}}/a{{}}', {title}, rung) AS asset,
        ({day} * 24 + 12 + hash(w, s, {day}) % 12)::INTEGER AS hour, plays AS requests, plays * {sizes} AS bytes
        FROM (SELECT s, w, u, {rung} AS rung, (1 + 0.2 / pow(u + 0.001, 0.9))::BIGINT AS plays
        FROM (SELECT s, w, (hash(w, s, {day}, 'u') % 1000003) / 1000003.0 AS u
        FROM range({clusters}) a(s), range({watched}) b(w) ORDER BY s)))
        TO '{path}' (FORMAT parquet, COMPRESSION zstd)"""
    local = DuckDb(folder / "spill", memory_bytes_max=2**30)
    with local._connected((), {}) as connection:
        connection.execute(query)
    from steering.history.files import digest

    part = Part(clusters * watched, path.stat().st_size, digest(path))
    with state.write() as transaction:
        transaction.put(Listed(day, path.name, part).key, msgspec.msgpack.encode(part))


def _title(number: int, scale: float) -> Title:
    name = f"t{number:06}"
    assets = [
        AssetSummary(
            asset=f"{name}/a{rung}",
            kind=kind,  # type: ignore[arg-type]
            revision=f"{number:032x}",
            bytes=int(size * scale),
            objects=100,
            entry=f"/{name}/{rung}.m3u8",
            bitrate_bits_per_s=int(size),
            peak_bits_per_s=int(size),
            modified_at_ns=0,
        )
        for rung, (kind, size) in enumerate(zip(KINDS, SIZES, strict=True))
    ]
    released_at_ns = (number * 7919 % 4000) * DAY_NS
    return Title(name, name, f"/{name}", "", [], released_at_ns, 0, 5400.0, "", True, assets, [], [])


def night(folder: Path, clusters: int, number: int) -> dict[str, float]:
    """Plan one night, in this process."""
    from steering.plan.planner import make_plans

    settings = settings_of(folder, clusters)
    state = EmbeddedState.open(folder / "state", bytes_max=2**36)
    with Memory() as memory:
        began_s = time.perf_counter()
        planned = make_plans(state, settings, now_ns=NOW_NS + number * DAY_NS)
        took_s = time.perf_counter() - began_s
    state.close()
    used = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return {
        "appliances": planned,
        "wall_s": took_s,
        "cpu_s": sum(each.ru_utime + each.ru_stime for each in used),
        "peak_bytes": max(memory.peak_bytes, used[0].ru_maxrss * 1024),
    }


class Memory:
    """The most that this process and those that it starts have in memory, mapped files among it; looks now and then."""

    def __init__(self) -> None:
        self.peak_bytes, self._shared_before = 0, self._shared_bytes()
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._look, daemon=True)

    def __enter__(self) -> Memory:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self._thread.join()

    def _look(self) -> None:
        while not self._over.wait(LOOK_S):
            own = psutil.Process()
            found = sum(self._own_bytes(each.pid) for each in (own, *own.children(recursive=True)))
            self.peak_bytes = max(self.peak_bytes, found + self._shared_bytes() - self._shared_before)

    @staticmethod
    def _own_bytes(pid: int) -> int:
        """But for shared memory: that counts for all of them, mapped or not."""
        try:
            lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
        except OSError:  # it has ended
            return 0
        return sum(1024 * int(line.split()[1]) for line in lines if line.startswith(("Pss_Anon:", "Pss_File:")))

    @staticmethod
    def _shared_bytes() -> int:
        return int(psutil.virtual_memory().shared)


def run(clusters: int, options: argparse.Namespace) -> list[dict[str, float]]:
    """The first night, and the next one."""
    with tempfile.TemporaryDirectory(prefix="oca-bench-plan-") as made:
        folder = Path(made)
        size = {"clusters": clusters, "assets": options.assets, "watched": options.watched}
        print(f"making a fleet of {clusters} clusters and {options.assets:,} assets", file=sys.stderr)
        prepare(folder, **size, days=options.days)
        nights = []
        for number in range(2):
            print(f"planning night {number + 1}", file=sys.stderr)
            command = [sys.executable, "-m", "benchmarks.plan", "--night", str(number), "--folder", made]
            done = subprocess.run([*command, "--clusters", str(clusters)], capture_output=True, text=True, check=True)
            nights.append(json.loads(done.stdout))
            state = EmbeddedState.open(folder / "state", bytes_max=2**36)
            add_day(folder, state, NOW_NS // DAY_NS + number, **size)
            state.close()
        return nights


def figures_of(
    clusters: int, nights: Sequence[dict[str, float]], few: Sequence[dict[str, float]], fewer: int
) -> list[dict[str, Any]]:
    """What was measured, and, where it was less than all, what all would take by what a cluster more costs."""
    figures = []
    for name, bar, measured, less in zip(("first", "next"), (FIRST_S_MAX, NEXT_S_MAX), nights, few, strict=True):
        at = f"{name} night, {int(measured['appliances']):,} appliances"
        full = clusters >= CLUSTERS
        figures += [
            figure(f"{at}: wall time", measured["wall_s"], "s", bar=bar if full else None),
            figure(f"{at}: CPU", measured["cpu_s"], "s"),
            figure(f"{at}: peak memory", measured["peak_bytes"], "bytes", bar=PEAK_BYTES_MAX if full else None),
        ]
        if not full:
            each_s = (measured["cpu_s"] - less["cpu_s"]) / (clusters - fewer)
            all_s = measured["cpu_s"] + each_s * (CLUSTERS - clusters)
            reckoned = f"{name} night, reckoned for {CLUSTERS * BOXES:,} appliances"
            figures += [
                figure(f"{at}: CPU that a cluster more takes", each_s, "s"),
                figure(f"{reckoned}: CPU over two cores", all_s / 2, "s", bar=bar),
            ]
    return figures


def main(arguments: Sequence[str] | None = None) -> int:
    """Run, print, write."""
    parser = argparse.ArgumentParser(prog="make bench-plan", description=__doc__)
    parser.add_argument("--clusters", type=int, default=CLUSTERS, help=f"of {BOXES} boxes each")
    parser.add_argument("--assets", type=int, default=ASSETS)
    parser.add_argument("--watched", type=int, default=2500, help="assets that a cluster watches in a day")
    parser.add_argument("--days", type=int, default=14, help="of history before the first night")
    parser.add_argument("--night", type=int, help=argparse.SUPPRESS)
    parser.add_argument("--folder", type=Path, help=argparse.SUPPRESS)
    options = parser.parse_args(arguments)
    if options.night is not None:
        print(json.dumps(night(options.folder, options.clusters, options.night)))
        return 0
    fewer = max(options.clusters // 4, KINDRED_SITES_MAX + 1)
    if options.clusters <= fewer or options.assets < ASSETS_PER_TITLE or options.days < 1 or options.watched < 1:
        parser.error(f"give more than {fewer} clusters, which are planned otherwise, 10 assets, 1 watched a day, 1 day")
    nights = run(options.clusters, options)
    few = run(fewer, options) if options.clusters < CLUSTERS else nights
    figures = figures_of(options.clusters, nights, few, fewer)
    show(
        "A night's plans",
        ["figure", "value", "bar"],
        [[each["name"], f"{each['value']:,.2f} {each['unit']}", str(each["bar"] or "")] for each in figures],
    )
    size = {
        "clusters": options.clusters,
        "assets": options.assets,
        "watched_a_day": options.watched,
        "days": options.days,
    }
    print(write("plan", method=METHOD, figures=figures, machine=machine(numpy=np.__version__), size=size))
    return 0


if __name__ == "__main__":
    sys.exit(main())
