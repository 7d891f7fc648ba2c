"""Steering at the size of a large fleet: ``python -m benchmarks.steering``.

Decisions are counted by the CPU that they cost the service, as a shared machine allows, beside a bare aiohttp answer in
the same run; latency at half the bar's rate is taken from when a question was due.
"""

from __future__ import annotations

import argparse
import gc
import json
import os
import re
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import uvloop

from benchmarks.delivery.load import cpu_ns
from benchmarks.figures import ROOT, figure, machine, show, write
from benchmarks.steering.absorb import absorb
from benchmarks.steering.paced import pace
from benchmarks.steering.restart import ASKED_PER_S, BOX, SHRINKING, SHRINKS_FROM, SHRINKS_TO, restart, tables
from compiled.sources import interpreted, listed

LISTEN = "127.0.74.1:8190"
EARLIER_S = 60
PER_S_BAR = 8_000
SIGNED_BAR = 0.95
TABLE_MS_BAR = 50
SLICE_MS_BAR = 25
METHOD = (
    "one service on core 0 with 1.2 M prefixes (1 M IPv4, /16 to /24, and 0.2 M IPv6, /29 to /48, as a full table has "
    "them, some covering others), each heard by the four appliances of a site, 10,000 appliances in 2,500 sites of "
    "which one in ten serves anyone, 125,000 titles of 8 assets; a site holds the 250 titles that its viewers ask for "
    "most, and those that serve anyone two copies of the first 100,000 besides, 800 each; of boxes 3 % shed, 3 % are "
    "degraded, 1 % failed and 1 % gone, in one site of ten a box holds nine tenths; POST /v1/playback by wrk -t1 -c32 "
    "on core 1 for titles of log-uniform rank in the region of the viewer (24 regions, ranks off the world's by "
    "factors of deviation e) and clients of all prefixes, no question twice in a run, after a minute of other "
    "questions at what it can take, so that one in fifteen is the first for its title, memory in huge pages, as six "
    "minutes after a start, ES256 tokens required, shared by the viewers of a title for 300 s; meanwhile every box "
    "that is not gone is heard every 2 s, 5,000 a second in all, by the fleet's own calls within the service: HTTP, "
    "JSON and signatures of reports are not in it; decisions per core: answers by the CPU time (schedstat) of the "
    "service, reports among it, which other work on the machine makes larger; signed: the share of one in 32 of the "
    "paced answers that name one box or more, with a token for each asset; bare: aiohttp on uvloop with one route and "
    "a body of 14 bytes; pure decision: CPU of Decider.decide, its title at hand, URLs signed, no reports between, "
    "after 120,000 others; p99: 4,000 requests a second, from when each was due, of questions not asked before, by a "
    "process that collects no garbage, then and while tables come; full table: CPU seconds of one appliance's 1.2 M "
    "routes with 200,000 paths, reading BIRD's words and taking batches in; at last, while 2,000 viewers a second ask,"
    " a transit's full table by HTTP from a box that has "
    f"told its own, one of {SHRINKS_FROM:,} routes from another, and {SHRINKS_TO} in its place"
)


class Server:
    """The service under test, and what it said while it filled itself."""

    def __init__(self, folder: Path, scale: float) -> None:
        command = [sys.executable, "-m", "benchmarks.steering.server", "--folder", str(folder), "--listen", LISTEN]
        core = ["taskset", "-c", "0"] if (os.cpu_count() or 1) > 1 else []
        self.process = subprocess.Popen([*core, *command, "--scale", str(scale)], stdout=subprocess.PIPE, text=True)
        self.steps: dict[str, dict[str, Any]] = {}
        assert self.process.stdout is not None
        for line in self.process.stdout:
            step = json.loads(line)
            self.steps[step.pop("step")] = step
            if "serving" in self.steps:
                return
        raise SystemExit("the service ended before it served; see what it said above")

    def stop(self) -> None:
        """End it; it tells how many reports it heard."""
        self.process.terminate()
        for line in self.process.stdout or ():
            step = json.loads(line)
            self.steps[step.pop("step")] = step
        self.process.wait(timeout=30)


def bare(asked: Path, seconds: int) -> float:
    """CPU seconds of the least answer that aiohttp gives."""
    command = ["taskset", "-c", "0", sys.executable, "-m", "benchmarks.steering.bare", LISTEN]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    try:
        assert process.stdout is not None
        assert process.stdout.readline() == "serving\n"
        done, cpu_s, _ = flood(process.pid, asked, seconds)
    finally:
        process.terminate()
        process.wait(timeout=30)
    return cpu_s / done


def flood(pid: int, asked: Path, seconds: int) -> tuple[int, float, int]:
    """As many answers as it gives: how many, CPU seconds of the process, answers that were none."""
    script = Path(__file__).with_name("ask.lua")
    before = cpu_ns([pid])
    run = subprocess.run(
        ["taskset", "-c", "1", "wrk", "-t1", "-c32", f"-d{seconds}s", "-s", str(script), f"http://{LISTEN}"],
        env={**os.environ, "ASKED": str(asked)},
        capture_output=True,
        text=True,
        check=True,
    )
    cpu_s = (cpu_ns([pid]) - before) / 1e9
    done = re.search(r"(\d+) requests in", run.stdout)
    bad = re.search(r"Non-2xx or 3xx responses: (\d+)", run.stdout)
    assert done is not None, run.stdout
    return int(done[1]), cpu_s, int(bad[1]) if bad is not None else 0


def ask(
    server: Server, folder: Path, seconds: int, scale: float, *, earlier_s: int
) -> tuple[tuple[int, float, int], dict[str, dict[str, float]]]:
    """As ``flood`` has it; then at a fixed rate, and while a table comes, and while one shrinks, from core 1."""
    os.sched_setaffinity(0, {max(os.sched_getaffinity(0))})
    flood(server.process.pid, folder / "earlier.txt", earlier_s)
    flooded = flood(server.process.pid, folder / "asked.txt", seconds)
    asked = (folder / "later.txt").read_text().splitlines()
    gc.disable()  # Python's collector would stop whoever asks for milliseconds, and they would count as the service's
    told: dict[str, dict[str, float]] = {}
    told["paced"] = uvloop.run(pace(LISTEN, asked, per_s=PER_S_BAR / 2, seconds=float(seconds)))
    asked = asked[len(asked) // 2 :] + asked[: len(asked) // 2]
    whole, large, small = tables(scale, folder, LISTEN)
    told["restarted"] = uvloop.run(restart(LISTEN, BOX, whole, asked))
    told["grown"] = uvloop.run(restart(LISTEN, SHRINKING, large, asked))
    told["shrunk"] = uvloop.run(restart(LISTEN, SHRINKING, small, asked))
    return flooded, told


def figures_of(
    flooded: tuple[int, float, int],
    told: dict[str, dict[str, float]],
    steps: dict[str, dict[str, Any]],
    absorbed: dict[str, Any],
    *,
    bare_s: float,
    seconds: int,
) -> list[dict[str, Any]]:
    """What is told at the end, with the bars."""
    done, cpu_s, bad = flooded
    table_ms, shrunk_ms = (
        max(told[name]["p99_s"] for name in names) * 1000 for names in (("restarted", "grown"), ("shrunk",))
    )
    return [
        figure("signed playback decisions per second and core", done / cpu_s, "1/s", at_least=PER_S_BAR),
        figure("CPU of a signed playback decision", cpu_s / done * 1e6, "µs"),
        figure("CPU of a bare aiohttp answer", bare_s * 1e6, "µs"),
        figure("pure decision, median", steps["decisions"]["median_us"], "µs", bar=40),
        figure("pure decision, tokens bound to the client by ES256", steps["bound ES256"]["median_us"], "µs"),
        figure("pure decision, tokens bound to the client by HS256", steps["bound HS256"]["median_us"], "µs"),
        figure("share of a core that the service had meanwhile", cpu_s / seconds, "cores"),
        figure("1,000 additions in Python, as a measure of the core", steps["decisions"]["loop_us"], "µs"),
        figure("memory of the service", steps["serving"]["bytes"] / 1e9, "GB", bar=2),
        figure("the same at the end, with what was asked and the tables", steps["reports"]["bytes"] / 1e9, "GB", bar=2),
        figure("p99 at 4,000 a second", told["paced"]["p99_s"] * 1000, "ms", bar=5),
        figure("answers with a signed box, of those", told["paced"]["signed"], "share", at_least=SIGNED_BAR),
        figure("reports taken meanwhile", steps["reports"]["per_s"], "1/s"),
        figure("CPU of a report, which the decisions bear", steps["reports"]["cpu_us"], "µs"),
        figure("full table taken in by steering", absorbed["take_cpu_s"], "CPU s", bar=10),
        figure("full table taken in again whole", absorbed["take_again_cpu_s"], "CPU s", bar=10),
        figure(
            "full table read from BIRD and told by the box", absorbed["read_cpu_s"] + absorbed["tell_cpu_s"], "CPU s"
        ),
        figure("longest slice of a table between answers", absorbed["slice_cpu_s_max"] * 1000, "ms", bar=SLICE_MS_BAR),
        figure(f"p99 at {ASKED_PER_S:,} a second while a full table comes", table_ms, "ms", bar=TABLE_MS_BAR),
        figure(f"p99 at {ASKED_PER_S:,} a second while one shrinks", shrunk_ms, "ms", bar=TABLE_MS_BAR),
        figure("refused or lost answers", bad + sum(each["faults"] for each in told.values()), "answers", bar=0),
    ]


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.steering", description="Steering at full size.")
    parser.add_argument("--scale", type=float, default=1.0, help="1: the size of the bars")
    parser.add_argument("--seconds", type=int, default=10, help="length of each run")
    parser.add_argument("--earlier", type=int, default=EARLIER_S, help="seconds of questions before what is measured")
    options = parser.parse_args()
    absorbed = absorb(options.scale)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        server = Server(folder, options.scale)
        try:
            flooded, told = ask(server, folder, options.seconds, options.scale, earlier_s=options.earlier)
        finally:
            server.stop()
        bare_s = bare(folder / "asked.txt", 4)
    figures = figures_of(flooded, told, server.steps, absorbed, bare_s=bare_s, seconds=options.seconds)
    show(
        "steering",
        ("figure", "value", "unit", "bar", "holds"),
        [
            (each["name"], f"{each['value']:,.2f}", each["unit"], str(each["bar"] or ""), _word(each["holds"]))
            for each in figures
        ],
    )
    compiled = not interpreted(listed(ROOT))
    print(f"decided by {'compiled' if compiled else 'interpreted'} modules")
    loop_us = server.steps["decisions"]["loop_us"]
    print(f"meanwhile 1,000 additions took {loop_us:.0f} µs of CPU, and the load average was {os.getloadavg()[0]:.1f}")
    if options.scale == 1:
        path = write(
            "steering",
            method=METHOD,
            figures=figures,
            machine=machine(),
            compiled=compiled,
            steps=server.steps,
            table=absorbed,
            **told,
        )
        print(f"written to {path}")
    return 0


def _word(holds: bool | None) -> str:
    return {None: "", True: "yes", False: "no"}[holds]


if __name__ == "__main__":
    sys.exit(main())
