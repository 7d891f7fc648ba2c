"""Steering at the size of a large fleet: ``python -m benchmarks.steering``.

Decisions are counted by the CPU that they cost the service, as a shared machine allows, beside a bare aiohttp answer in
the same run; latency at half the bar's rate is taken from when a question was due.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import re
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

from benchmarks.delivery.load import cpu_ns
from benchmarks.figures import figure, machine, show, write
from benchmarks.steering.absorb import absorb
from benchmarks.steering.paced import pace

LISTEN = "127.0.74.1:8190"
PER_S_BAR = 8_000
READY_S_MAX = 900
METHOD = (
    "one service on core 0 with 1.2 M prefixes (1 M IPv4, 0.2 M IPv6), each heard by the four appliances of a site, "
    "10,000 appliances in 2,500 sites of which one in ten serves anyone, 125,000 titles of 8 assets, each appliance "
    "holding 100 titles that all hold and 150 of its site's; POST /v1/playback by wrk -t1 -c32 on core 1 for titles of "
    "log-uniform rank and clients of all prefixes, ES256 tokens required; decisions per core: answers by the CPU time "
    "(schedstat) of the service; bare: aiohttp on uvloop with one route and a body of 14 bytes; pure decision: CPU of "
    "Decider.decide, URLs signed; p99: 4,000 requests a second, from when each was due; full table: CPU seconds of one "
    "appliance's 1.2 M routes with 200,000 paths, reading BIRD's words and taking batches in"
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
        self.process.terminate()
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


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.steering", description="Steering at full size.")
    parser.add_argument("--scale", type=float, default=1.0, help="1: the size of the bars")
    parser.add_argument("--seconds", type=int, default=10, help="length of each run")
    options = parser.parse_args()
    table = absorb(options.scale)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        server = Server(folder, options.scale)
        try:
            flood(server.process.pid, folder / "asked.txt", 2)
            done, cpu_s, bad = flood(server.process.pid, folder / "asked.txt", options.seconds)
            paced = asyncio.run(
                pace(
                    LISTEN,
                    (folder / "asked.txt").read_text().splitlines(),
                    per_s=PER_S_BAR / 2,
                    seconds=float(options.seconds),
                )
            )
        finally:
            server.stop()
        bare_s = bare(folder / "asked.txt", 4)
    steps = server.steps
    figures = [
        figure("signed playback decisions per second and core", done / cpu_s, "1/s", at_least=PER_S_BAR),
        figure("CPU of a signed playback decision", cpu_s / done * 1e6, "µs"),
        figure("CPU of a bare aiohttp answer", bare_s * 1e6, "µs"),
        figure("pure decision, median", steps["decisions"]["median_us"], "µs", bar=40),
        figure("memory of the service", steps["serving"]["bytes"] / 1e9, "GB", bar=2),
        figure("p99 at 4,000 a second", paced["p99_s"] * 1000, "ms", bar=5),
        figure("full table taken in by steering", table["take_cpu_s"], "CPU s", bar=10),
        figure("full table taken in again whole", table["take_again_cpu_s"], "CPU s", bar=10),
        figure("full table read from BIRD and told by the box", table["read_cpu_s"] + table["tell_cpu_s"], "CPU s"),
        figure("longest slice of a table between answers", table["slice_cpu_s_max"] * 1000, "ms"),
        figure("refused or lost answers", bad + paced["faults"], "answers", bar=0),
    ]
    show(
        "steering",
        ("figure", "value", "unit", "bar", "holds"),
        [
            (each["name"], f"{each['value']:,.2f}", each["unit"], str(each["bar"] or ""), _word(each["holds"]))
            for each in figures
        ],
    )
    loop_us = steps["decisions"]["loop_us"]
    print(f"meanwhile 1,000 additions took {loop_us:.0f} µs of CPU, and the load average was {os.getloadavg()[0]:.1f}")
    if options.scale == 1:
        path = write(
            "steering", method=METHOD, figures=figures, machine=machine(), steps=steps, paced=paced, table=table
        )
        print(f"written to {path}")
    return 0


def _word(holds: bool | None) -> str:
    return {None: "", True: "yes", False: "no"}[holds]


if __name__ == "__main__":
    sys.exit(main())
