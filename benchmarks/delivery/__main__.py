"""The delivery worker beside nginx and others: ``python -m benchmarks.delivery``.

CPU per request is what an operator pays for, and what a shared machine can measure: schedstat of the server's
tasks before and after each run. Servers run at once, on one core; wrk has the other; they take turns.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import uvloop

from benchmarks.delivery import servers
from benchmarks.delivery.appliance import appliance, as_it_comes, everything, secure
from benchmarks.delivery.load import CONNECTIONS, Run, drive
from benchmarks.delivery.material import FILES, SIZES, certify, prepare
from benchmarks.delivery.paced import PERIOD_MS, Paced, pace
from benchmarks.delivery.report import OURS, other_figures, paced_figures, plain_figures, plot, rows, table, tls_figures
from benchmarks.delivery.servers import LOAD_CORE, SERVER_CORE, Peer
from benchmarks.figures import RESULTS, machine, show, write
from oca.common.log import configure_logging

PORT = 18061
METHOD = (
    f"one worker each on core {SERVER_CORE}, wrk -t1 -c{CONNECTIONS} on core {LOAD_CORE}, {FILES} files a size in the "
    "page cache, 13 browser header fields, HTTP/1.1 keep-alive on loopback; runs alternate; medians; latency to the "
    "last byte; CPU by schedstat of the server's tasks; ours with everything on: a signed token in each path, counters "
    "and histograms, access log, limits; nginx: sendfile, open_file_cache, no access log, no token, same CORS fields, "
    "with and without tcp_nopush, the cheaper of the two at each size taken as nginx; varnish and trafficserver from "
    "their memory; floor: read, send, sendfile in C and no more; players: one object each "
    f"{PERIOD_MS} ms on a connection each, both cores shared by server and load, bodies dropped in the kernel"
)
LARGE_S = 3
"""Least length of a run with the largest objects, which take a second each when all connections ask at once."""
NEEDED = ("nginx", "wrk", "taskset", "setpriv", "cc", "varnishd", "traffic_server", "h2o", "openssl")


async def measure(
    folder: Path, *, rounds: int, seconds: int, players_s: int
) -> tuple[list[Run], list[Run], list[Paced], list[str]]:
    """Start every server and let them take turns.

    Returns:
        The runs; ours with ever-changing header blocks; those of many players; the names of the other servers.
    """
    device = prepare(folder)
    certify(folder)
    runs: list[Run] = []
    fresh: list[Run] = []
    async with contextlib.AsyncExitStack() as stack:
        start = stack.enter_async_context
        ours = await start(appliance(OURS, device, everything(PORT, folder)))
        plain = await start(appliance("oca plain", device, as_it_comes(PORT + 1)))
        nginx, nopush, nginx_tls = await start(servers.nginx(folder, PORT + 2))
        floor = await start(servers.floor(folder, PORT + 5))
        main = [ours, plain, nginx, nopush, floor]
        encrypted = [await start(appliance("oca tls", device, secure(PORT + 10, folder))), nginx_tls]
        others = [
            await start(servers.h2o(folder, PORT + 6)),
            await start(servers.varnish(folder, PORT + 7, nginx.port)),
            await start(servers.trafficserver(folder, PORT + 8, nginx.port)),
            await start(servers.file_response(folder, PORT + 9)),
        ]
        for size in SIZES:
            for peer in (*main, *others):
                await drive(peer, size, _length(size, 1))  # warm: page cache, open files, look-ups, memory
            for number in range(rounds):
                turn = number % len(main)
                runs += [await _told(peer, size, seconds) for peer in (*main[turn:], *main[:turn])]
                if number % 2 == 0:
                    runs += [await _told(peer, size, seconds) for peer in others]
            for peer in encrypted:
                await drive(peer, size, _length(size, 1, encrypted=True))
            for number in range(rounds):
                runs += [await _told(peer, size, seconds) for peer in encrypted[:: 1 if number % 2 else -1]]
            fresh.append(await drive(ours, size, _length(size, seconds), heads="new"))
    paced = []
    async with servers.nginx(folder, PORT + 2) as (nginx, *_):
        _share_cores(nginx)
        paced.append(await pace(nginx, folder, seconds=players_s))
    async with appliance(OURS, device, everything(PORT, folder, workers=2), pinned=False) as both:
        paced.append(await pace(both, folder, seconds=players_s))
    return runs, fresh, paced, [floor.name, *(peer.name for peer in others)]


async def _told(peer: Peer, size: str, seconds: int) -> Run:
    run = await drive(peer, size, _length(size, seconds, encrypted=peer.scheme == "https"))
    print(f"{size:7} {peer.name:13} {run.cpu_us:8.1f} µs/request", file=sys.stderr, flush=True)
    return run


def _length(size: str, seconds: int, *, encrypted: bool = False) -> int:
    return max(seconds, LARGE_S) if SIZES[size] > (2**19 if encrypted else 2**22) else seconds


def _share_cores(peer: Peer) -> None:
    for pid in peer.pids:
        os.sched_setaffinity(pid, set(range(os.cpu_count() or 1)))


def versions() -> dict[str, str]:
    """What the servers call themselves."""
    asked = {"nginx": ["nginx", "-v"], "varnish": ["varnishd", "-V"], "h2o": ["h2o", "--version"]}
    asked["trafficserver"] = ["traffic_server", "-V"]
    said = {name: subprocess.run(argv, capture_output=True, text=True, check=False) for name, argv in asked.items()}
    return {name: (run.stdout + run.stderr).strip().splitlines()[0] for name, run in said.items()}


def missing() -> str:
    """What stands in the way; empty: nothing."""
    lacking = [program for program in NEEDED if shutil.which(program) is None]
    if lacking:
        return f"missing: {', '.join(lacking)}; run scripts/debian.sh bench"
    if (os.cpu_count() or 1) <= LOAD_CORE:
        return "two cores are needed: one for the server, one for the load"
    return ""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run, print, write. A bar that does not hold is said in the table and the file, not by the exit code."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=5, help="runs of each server at each size (the others': half)")
    parser.add_argument("--seconds", type=int, default=2, help="length of a run")
    parser.add_argument("--players-seconds", type=int, default=20, help="length of the run with 10,000 players")
    options = parser.parse_args(arguments)
    if why := missing():
        print(why, file=sys.stderr)
        return 1
    configure_logging(level="warning")
    with tempfile.TemporaryDirectory(prefix="oca-bench-") as name:
        runs, fresh, paced, others = uvloop.run(
            measure(Path(name), rounds=options.rounds, seconds=options.seconds, players_s=options.players_seconds)
        )
    figures: list[dict[str, Any]] = [
        *plain_figures(runs, fresh),
        *other_figures(runs, others),
        *tls_figures(runs),
        *paced_figures(paced),
    ]
    names = [OURS, "oca plain", "nginx", "nginx nopush", *others, "oca tls", "nginx tls"]
    show("CPU per request, µs, one worker on one core", ["size", *names], table(runs, names))
    show("Bars", ["figure", "value", "unit", "bar", "holds"], rows(figures))
    path = write("delivery", machine=machine(**versions()), method=METHOD, figures=figures)
    plot(runs, [OURS, "nginx nopush", *others], RESULTS / "delivery.png")
    print(f"written: {path} and delivery.png")
    return 0


if __name__ == "__main__":
    sys.exit(main())
