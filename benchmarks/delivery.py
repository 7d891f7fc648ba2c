"""One delivery worker against one nginx worker: ``python -m benchmarks.delivery``.

CPU per request is what an operator pays for, and what a shared machine can measure: schedstat of the server's
tasks before and after each run. Both servers run at once, on one core; wrk has the other; they take turns.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import re
import shutil
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import uvloop
from msgspec import Struct

from benchmarks.figures import RESULTS, figure, machine, show, write
from oca.common.log import configure_logging
from oca.delivery.settings import DeliveryTable
from oca.delivery.supervisor import Supervisor
from oca.store.importing import describe_folder, import_folder
from oca.store.store import Store

SIZES = {"4 KiB": 4096, "64 KiB": 65536, "1 MiB": 2**20, "2.5 MB": 2_500_000}
BARS = {"4 KiB": 1.3, "64 KiB": 1.0, "1 MiB": 0.8, "2.5 MB": 0.8}
FILES = 16
CONNECTIONS = 32
ADDRESS = "127.0.0.61"
PORTS = {"oca": 18061, "nginx": 18062, "nginx nopush": 18063}
SERVER_CORE, LOAD_CORE = 0, 1
METHOD = (
    f"one worker each on core {SERVER_CORE}, wrk -t1 -c{CONNECTIONS} on core {LOAD_CORE}, {FILES} files a size in the "
    "page cache, 13 browser header fields, plain HTTP/1.1 keep-alive on loopback; runs alternate; medians; CPU by "
    "schedstat of the worker's tasks; nginx: sendfile, open_file_cache, no access log, the same CORS fields, with and "
    "without tcp_nopush, the cheaper of the two at each size taken as nginx"
)
NGINX_CONF = """
worker_processes 1; daemon off; pid {folder}/nginx.pid; error_log {folder}/error.log warn;
{user} worker_cpu_affinity {affinity};
events {{ worker_connections 4096; multi_accept on; }}
http {{
  access_log off; sendfile on; tcp_nodelay on; keepalive_requests 1000000000; keepalive_timeout 75s; etag on;
  open_file_cache max=4096 inactive=600s; open_file_cache_valid 600s; open_file_cache_min_uses 1;
  types {{ video/iso.segment m4s; }}
  client_body_temp_path {folder}/t1; proxy_temp_path {folder}/t2; fastcgi_temp_path {folder}/t3;
  uwsgi_temp_path {folder}/t4; scgi_temp_path {folder}/t5;
  add_header Access-Control-Allow-Origin *; add_header Timing-Allow-Origin *;
  add_header Access-Control-Expose-Headers "Content-Length, Content-Range, Date, ETag, Last-Modified";
  add_header Cache-Control "public, max-age=86400";
  server {{ listen {address}:{port}; root {root}; tcp_nopush off; }}
  server {{ listen {address}:{port_nopush}; root {root}; tcp_nopush on; }}
}}
"""


class Run(Struct, frozen=True):
    """One run of wrk against one server."""

    server: str
    size: str
    requests: int
    cpu_us: float
    bytes_per_s: float
    p50_us: int
    p99_us: int


def paths(size: str) -> list[str]:
    """URL paths of the files of one size."""
    return [f"/bench/{SIZES[size]}-{number}.m4s" for number in range(FILES)]


def prepare(folder: Path) -> Path:
    """Write the files, and import them into a store; returns its device."""
    source = folder / "www" / "bench"
    source.mkdir(parents=True)
    for size, size_bytes in SIZES.items():
        for path in paths(size):
            (folder / "www" / path[1:]).write_bytes(os.urandom(size_bytes))
    device = folder / "device"
    device.mkdir()
    store = Store.open([device])
    manifest, files = describe_folder(source, asset="bench/segments", mount="/bench")
    import_folder(store, manifest, files)
    store.close()
    folder.chmod(0o755)
    return device


def start_nginx(folder: Path) -> subprocess.Popen[bytes]:
    """Debian's nginx with one worker; its master is the returned process."""
    conf = folder / "nginx.conf"
    conf.write_text(
        NGINX_CONF.format(
            folder=folder,
            root=folder / "www",
            address=ADDRESS,
            port=PORTS["nginx"],
            port_nopush=PORTS["nginx nopush"],
            affinity="".join("1" if core == SERVER_CORE else "0" for core in reversed(range(os.cpu_count() or 1))),
            user="user root;" if os.geteuid() == 0 else "",
        )
    )
    return subprocess.Popen(["nginx", "-c", str(conf), "-p", str(folder)], stderr=subprocess.DEVNULL)


def children(pid: int) -> list[int]:
    """Processes that ``pid`` started."""
    return [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


def cpu_ns(pid: int) -> int:
    """CPU time of a process in nanoseconds, by schedstat of its tasks."""
    return sum(int(task.read_text().split()[0]) for task in Path(f"/proc/{pid}/task").glob("*/schedstat"))


async def load(server: str, pid: int, size: str, seconds: int, *, heads: str = "same") -> Run:
    """Drive one server for a while; with ``heads`` "new" no two header blocks are the same."""
    before = cpu_ns(pid)
    wrk = await asyncio.create_subprocess_exec(
        *("taskset", "-c", str(LOAD_CORE), "wrk", "-t1", f"-c{CONNECTIONS}", f"-d{seconds}s"),
        *("-s", str(Path(__file__).with_name("wrk.lua")), f"http://{ADDRESS}:{PORTS[server]}/", "--"),
        *(heads, *paths(size)),
        stdout=asyncio.subprocess.PIPE,
    )
    said, _ = await wrk.communicate()
    spent_ns = cpu_ns(pid) - before
    found = re.search(rb"JSON (.*)", said)
    if wrk.returncode or found is None:
        raise SystemExit(f"wrk failed against {server}: {said.decode()[-400:]}")
    told: dict[str, int] = json.loads(found[1])
    if told["errors"] or not told["requests"]:
        raise SystemExit(f"{server} at {size}: {told['errors']} errors in {told['requests']} requests")
    return Run(
        server,
        size,
        told["requests"],
        spent_ns / told["requests"] / 1000,
        told["bytes"] / told["duration_us"] * 1e6,
        told["p50_us"],
        told["p99_us"],
    )


async def measure(folder: Path, *, rounds: int, seconds: int) -> tuple[list[Run], list[Run]]:
    """Start both servers and let them take turns. Returns the runs, and ours with ever-changing header blocks."""
    device = prepare(folder)
    settings = DeliveryTable(listen=(f"{ADDRESS}:{PORTS['oca']}",), workers=1)
    supervisor = Supervisor(settings, [device], appliance="bench")
    nginx = start_nginx(folder)
    try:
        await supervisor.start()
        ours = supervisor.workers()[0].pid
        os.sched_setaffinity(ours, {SERVER_CORE})
        theirs = await worker_of(nginx)
        pids = {"oca": ours, "nginx": theirs, "nginx nopush": theirs}
        runs, changing = [], []
        for size in SIZES:
            for server, pid in pids.items():
                await load(server, pid, size, 1)  # warm: page cache, open files, look-ups
            for number in range(rounds):
                order = list(pids.items())
                for server, pid in order[number % 3 :] + order[: number % 3]:
                    runs.append(await load(server, pid, size, seconds))
                    print(f"{size:7} {server:13} {runs[-1].cpu_us:8.1f} µs/request", file=sys.stderr, flush=True)
            changing.append(await load("oca", ours, size, seconds, heads="new"))
        sent = supervisor.counters()
        if sent["delivery_sendfile_bytes"] < sum(run.requests * SIZES[run.size] for run in runs if run.server == "oca"):
            raise SystemExit("not every body left by sendfile")
        return runs, changing
    finally:
        nginx.terminate()
        await supervisor.stop(1)
        await asyncio.to_thread(nginx.wait)


async def worker_of(nginx: subprocess.Popen[bytes]) -> int:
    """Process id of nginx's worker, once it serves."""
    for _ in range(100):
        if nginx.poll() is not None:
            raise SystemExit("nginx did not start; is another benchmark running?")
        if found := children(nginx.pid):
            return found[0]
        await asyncio.sleep(0.05)
    raise SystemExit("nginx started no worker")


def median(runs: list[Run], server: str, size: str, what: str) -> float:
    """Median of one attribute of one server's runs at one size."""
    return float(statistics.median(getattr(run, what) for run in runs if (run.server, run.size) == (server, size)))


def summarise(runs: list[Run], changing: list[Run]) -> tuple[list[dict[str, Any]], list[list[str]]]:
    """Figures and table rows; nginx counts with the cheaper of its two settings."""
    figures, rows = [], []
    for size in SIZES:
        rival = min(("nginx", "nginx nopush"), key=lambda server: median(runs, server, size, "cpu_us"))
        cpu, cpu_rival = median(runs, "oca", size, "cpu_us"), median(runs, rival, size, "cpu_us")
        speed, speed_rival = median(runs, "oca", size, "bytes_per_s"), median(runs, rival, size, "bytes_per_s")
        p99, p99_rival = median(runs, "oca", size, "p99_us"), median(runs, rival, size, "p99_us")
        fresh = median(changing, "oca", size, "cpu_us")
        figures += [
            figure(f"cpu per request vs nginx, {size}", cpu / cpu_rival, "ratio", bar=BARS[size]),
            figure(f"throughput vs nginx, {size}", speed / speed_rival, "ratio"),
            figure(f"cpu per request, {size}", cpu, "µs"),
            figure(f"nginx cpu per request, {size}", cpu_rival, "µs"),
            figure(f"cpu per request, every header block new, {size}", fresh, "µs"),
            figure(f"throughput, {size}", speed, "bytes/s"),
            figure(f"nginx throughput, {size}", speed_rival, "bytes/s"),
            figure(f"p99 latency vs nginx, {size}", p99 / p99_rival, "ratio"),
        ]
        holds = "yes" if cpu / cpu_rival <= BARS[size] else "NO"
        rows.append(
            [
                size,
                f"{cpu:.1f}",
                f"{fresh:.1f}",
                f"{cpu_rival:.1f} ({'nopush' if rival != 'nginx' else 'plain'})",
                f"{cpu / cpu_rival:.2f}",
                f"≤ {BARS[size]} {holds}",
                f"{speed / 1e9:.2f}",
                f"{speed_rival / 1e9:.2f}",
                f"{speed / speed_rival:.2f}",
                f"{p99 / p99_rival:.2f}",
            ]
        )
    return figures, rows


def plot(runs: list[Run], path: Path) -> None:
    """CPU per request of both, as a share of nginx's cheaper setting."""
    import matplotlib as mpl

    mpl.use("Agg")
    from matplotlib import pyplot as plt

    chart, axes = plt.subplots(figsize=(8, 3.6))
    rivals = {s: min(median(runs, n, s, "cpu_us") for n in ("nginx", "nginx nopush")) for s in SIZES}
    ratios = [median(runs, "oca", size, "cpu_us") / rivals[size] for size in SIZES]
    bars = axes.bar(list(SIZES), ratios, color="#2a6f97", width=0.55, label="delivery worker")
    axes.bar_label(bars, [f"{ratio:.2f}" for ratio in ratios])
    axes.scatter(list(SIZES), list(BARS.values()), marker="_", s=1400, color="#c1121f", label="bar")
    axes.axhline(1, color="#555555", linewidth=1, label="nginx")
    axes.set(ylabel="CPU per request, nginx = 1", title="CPU per segment request, lower is better")
    axes.margins(y=0.15)
    axes.legend(loc="center left", bbox_to_anchor=(1, 0.5))
    chart.tight_layout()
    chart.savefig(path, dpi=120)
    plt.close(chart)


def main() -> int:
    """Run, print, write. A bar that does not hold is said in the table and the file, not by the exit code."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=5, help="runs of each server at each size")
    parser.add_argument("--seconds", type=int, default=2, help="length of a run")
    options = parser.parse_args()
    for needed in ("nginx", "wrk", "taskset"):
        if shutil.which(needed) is None:
            print(f"{needed} is missing; run scripts/debian.sh", file=sys.stderr)
            return 1
    if (os.cpu_count() or 1) <= LOAD_CORE:
        print("two cores are needed: one for the server, one for the load", file=sys.stderr)
        return 1
    configure_logging(level="warning")
    with tempfile.TemporaryDirectory(prefix="oca-bench-") as name:
        runs, changing = uvloop.run(measure(Path(name), rounds=options.rounds, seconds=options.seconds))
    figures, rows = summarise(runs, changing)
    columns = ["size", "µs", "µs new heads", "nginx µs", "ratio", "bar", "GB/s", "nginx GB/s", "ratio", "p99 ratio"]
    show("CPU per request and throughput, one worker on one core", columns, rows)
    nginx = subprocess.run(["nginx", "-v"], capture_output=True, text=True, check=True).stderr.strip()
    path = write("delivery", machine=machine(nginx=nginx), method=METHOD, figures=figures)
    plot(runs, RESULTS / "delivery.png")
    print(f"written: {path} and delivery.png")
    return 0


if __name__ == "__main__":
    sys.exit(main())
