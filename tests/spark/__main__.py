"""The history's queries on a real Spark cluster beside DuckDB, with a worker killed amid one: `make test-spark`.

A master and two workers run as processes on loopback. Every query must come to the same rows on both engines; then one
worker is killed with all its processes while its tasks run, and the rows must be the same again. PySpark is half a GiB
and needs Java 17, so that this is apart from `make test`; what came of it is written to outcome.json.
"""

from __future__ import annotations

import json
import os
import platform
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Mapping
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.figures import ROOT
from steering.history import queries
from steering.history.engine import Columns, DuckDb, Engine, open_engine
from steering.history.settings import HistoryTable

OUTCOME = Path(__file__).with_name("outcome.json")
MASTER, WORKERS, DRIVER = "127.0.110.1", ("127.0.110.2", "127.0.110.3"), "127.0.110.4"
PORT = 7077
WAIT_S = 60.0
DAYS, ROWS_PER_DAY, SITES, ASSETS = 4, 250_000, 200, 20_000
QUERIES = {
    "totals": ("days",),
    "watched": ("days", "sites", "shelf"),
    "fresh": ("debuts",),
    "by_day": (),
    "hourly": (),
}


class Cluster:
    """A master and two workers of one core."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._processes: list[subprocess.Popen[bytes]] = []
        self._start("master.Master", MASTER, "--port", str(PORT), "--webui-port", "0")
        self._wait("master", lambda: "New state: ALIVE" in self._said(0))
        for number, host in enumerate(WORKERS, start=1):
            work = folder / f"work-{number}"
            self._start(
                "worker.Worker", host, "--cores", "1", "--memory", "1g", "--webui-port", "0", "--work-dir", str(work),
                self.url,
            )  # fmt: skip
        self._wait("workers", lambda: self._said(0).count("Registering worker") == len(WORKERS))

    @property
    def url(self) -> str:
        return f"spark://{MASTER}:{PORT}"

    def kill_worker(self) -> None:
        """The last one, and its executor with it: they are a process group."""
        os.killpg(self._processes.pop().pid, signal.SIGKILL)

    def close(self) -> None:
        for process in self._processes:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()

    def _start(self, what: str, host: str, *arguments: str) -> None:
        import pyspark

        log = (self._folder / f"{len(self._processes)}.log").open("wb")
        command = [f"{Path(pyspark.__file__).parent}/bin/spark-class", f"org.apache.spark.deploy.{what}"]
        command += ["--host", host, *arguments]
        environment = {**os.environ, "SPARK_LOCAL_IP": host, "SPARK_NO_DAEMONIZE": "1", "SPARK_DAEMON_MEMORY": "512m"}
        process = subprocess.Popen(command, stdout=log, stderr=log, env=environment, start_new_session=True)
        self._processes.append(process)

    def _said(self, number: int) -> str:
        return (self._folder / f"{number}.log").read_text(errors="replace")

    def _wait(self, what: str, held: Callable[[], bool]) -> None:
        until = time.monotonic() + WAIT_S
        while not held():
            if time.monotonic() > until:
                raise SystemExit(f"the {what} did not start in {WAIT_S:.0f} s:\n{self._said(0)[-2000:]}")
            time.sleep(0.1)


def made_up(folder: Path, local: DuckDb) -> tuple[list[Path], dict[str, Columns]]:
    """A log of some days, and the small tables."""
    chance = np.random.default_rng(6)
    names = {
        "site": np.array([f"site-{number}" for number in range(SITES)], object),
        "asset": np.array([f"title-{number // 8}/rung-{number % 8}" for number in range(ASSETS)], object),
    }
    paths = []
    for day in range(DAYS):
        log: Columns = {
            "site": names["site"][chance.integers(0, SITES, ROWS_PER_DAY)],
            "asset": names["asset"][(chance.pareto(1.0, ROWS_PER_DAY) * 50).astype(int) % ASSETS],
            "hour": (24 * day + chance.integers(0, 24, ROWS_PER_DAY)).astype(np.int32),
            "requests": chance.integers(1, 1000, ROWS_PER_DAY),
            "bytes": chance.integers(1, 2**40, ROWS_PER_DAY),
        }
        paths.append(folder / f"day-{day}.parquet")
        local.write(paths[-1], queries.rows(), (), {"log": log})
    known = names["asset"][::2]
    small: dict[str, Columns] = {
        "days": {"day": np.arange(DAYS, dtype=np.int32), "weight": 0.5 ** (np.arange(DAYS)[::-1] / 2.0)},
        "sites": {"site": names["site"], "number": np.arange(SITES, dtype=np.int32)},
        "shelf": {"asset": known, "place": np.arange(len(known), dtype=np.int32)},
        "debuts": {
            "asset": known[:500],
            "first_day": (np.arange(500) % DAYS).astype(np.int32),
            "last_day": (np.arange(500) % DAYS + 2).astype(np.int32),
        },
    }
    return paths, small


def answers(engine: Engine, paths: list[Path], small: Mapping[str, Columns], name: str) -> list[tuple[Any, ...]]:
    """The rows of a query, in a fixed order."""
    found = engine.run(getattr(queries, name)(), paths, {table: small[table] for table in QUERIES[name]})
    return sorted(zip(*(column.tolist() for column in found.values()), strict=True))


def kill_amid(cluster: Cluster, killed: threading.Event) -> None:
    """Kill a worker as soon as both have tasks running."""
    from pyspark import SparkContext

    until = time.monotonic() + WAIT_S
    context = SparkContext.getOrCreate()
    while time.monotonic() < until:
        executors = context._jsc.sc().statusTracker().getExecutorInfos()
        busy = [each for each in executors if each.numRunningTasks() > 0 and each.host() != DRIVER]
        if len(busy) == len(WORKERS):
            cluster.kill_worker()
            killed.set()
            return
        time.sleep(0.005)


def main() -> int:
    """Run all; write down what came of it."""
    os.environ |= {"SPARK_LOCAL_IP": DRIVER, "PYSPARK_SUBMIT_ARGS": "--driver-memory 512m pyspark-shell"}
    began_s = time.monotonic()
    same: dict[str, int] = {}
    with tempfile.TemporaryDirectory(prefix="oca-spark-") as made:
        folder = Path(made)
        local = DuckDb(folder / "spill", memory_bytes_max=2**30)
        paths, small = made_up(folder, local)
        wanted = {name: answers(local, paths, small, name) for name in QUERIES}
        cluster = Cluster(folder)
        try:
            (folder / "scratch").mkdir()
            with open_engine(HistoryTable(engine=cluster.url), folder / "scratch") as spark:
                for name in QUERIES:
                    assert answers(spark, paths, small, name) == wanted[name], f"{name}: other rows than DuckDB's"
                    same[name] = len(wanted[name])
                killed = threading.Event()
                killer = threading.Thread(target=kill_amid, args=(cluster, killed))
                killer.start()
                again = answers(spark, paths, small, "hourly")
                killer.join()
                assert killed.is_set(), "the query ended before both workers had tasks: nothing was killed"
                assert again == wanted["hourly"], "other rows after a worker was killed"
                assert answers(spark, paths, small, "watched") == wanted["watched"]
        finally:
            cluster.close()
    took_s = time.monotonic() - began_s
    commit = subprocess.run(
        ["git", "rev-parse", "--short", "HEAD"], cwd=ROOT, capture_output=True, text=True, check=False
    )
    outcome = {
        "commit": commit.stdout.strip(),
        "versions": {name: version(name) for name in ("pyspark", "duckdb", "ibis-framework")}
        | {"python": platform.python_version()},
        "log_rows": DAYS * ROWS_PER_DAY,
        "rows_equal": same,
        "worker_killed_amid": "hourly",
        "rows_equal_after_kill": True,
        "seconds": round(took_s, 1),
    }
    OUTCOME.write_text(json.dumps(outcome, indent=2) + "\n")
    print(json.dumps(outcome, indent=2))
    return 0


if __name__ == "__main__":
    sys.exit(main())
