"""The history's queries on a real Spark cluster beside DuckDB, with a worker killed amid one: `make test-spark`.

A master and two workers run as processes on loopback. Every query must come to the same rows on both engines, and a
night's past to the same bytes, kept columns of days among them; then one worker is killed with all its processes while
its tasks run, and the rows must be the same again. PySpark is half a GiB and needs Java 17, so that this is apart from
`make test`; what came of it is written to outcome.json.
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
from collections.abc import Callable, Mapping, Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Any

import duckdb
import msgspec
import numpy as np

from benchmarks.figures import ROOT
from steering.history import queries
from steering.history.engine import Columns, DuckDb, Engine, open_engine
from steering.history.files import digest
from steering.history.log import Listed, Part, day_text
from steering.history.past import Past, read_past
from steering.history.settings import HistoryTable
from steering.plan.shelf import shelve
from steering.state.embedded import EmbeddedState
from tests.unit.steering.history.made_up import TODAY, Told
from tests.unit.steering.made_up import NOW_NS, make_summary, make_title

OUTCOME = Path(__file__).with_name("outcome.json")
MASTER, WORKERS, DRIVER = "127.0.110.1", ("127.0.110.2", "127.0.110.3"), "127.0.110.4"
PORT = 7077
WAIT_S = 60.0
DAYS, ROWS_PER_DAY, SITES, ASSETS = 4, 250_000, 200, 20_000
OLD_COLUMNS = ("site", "asset", "hour", "requests", "bytes")
"""Those that release 0.1.0 wrote: the first day is of its time."""
QUERIES = {
    "rows": (queries.rows(), ()),
    "sites": (queries.names("site"), ()),
    "assets": (queries.names("asset"), ()),
    "wanted": (queries.wanted("site-0", "site-99"), ("sites", "assets")),
    "by_day": (queries.by_day(), ()),
    "hourly": (queries.hourly(), ()),
}
"""And the small tables that each uses."""


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
    """A log of the days before today, laid out as steering's, and the small tables."""
    chance = np.random.default_rng(6)
    names = {
        "site": np.array([f"site-{number}" for number in range(SITES)], object),
        "asset": np.array([f"title-{number // 8}/rung-{number % 8}" for number in range(ASSETS)], object),
    }
    paths = []
    for day in range(TODAY - DAYS, TODAY):
        log: dict[str, Any] = {
            "site": names["site"][chance.integers(0, SITES, ROWS_PER_DAY)],
            "asset": names["asset"][(chance.pareto(1.0, ROWS_PER_DAY) * 50).astype(int) % ASSETS],
            "hour": (24 * day + chance.integers(0, 24, ROWS_PER_DAY)).astype(np.int32),
            **{name: chance.integers(0, 1000, ROWS_PER_DAY) for name in queries.SUMS},
            **{name: chance.integers(0, 2**40, ROWS_PER_DAY) for name in queries.SUMS if name.endswith("bytes")},
        }
        for name in queries.SUMS:
            log[name][:5] = 2**63 - 1  # absurd: no sum may go over what an integer holds
        paths.append(folder / f"day={day_text(day)}" / "0.parquet")
        paths[-1].parent.mkdir(parents=True)
        # The last day is one file, a row an asset and hour, as days that are over are.
        local.write(paths[-1], queries.hourly() if day == TODAY - 1 else queries.rows(), (), {"log": log})
    as_of_old = f"COPY (SELECT {', '.join(OLD_COLUMNS)} FROM '{paths[0]}') TO '{paths[0]}.old' (FORMAT parquet)"
    with duckdb.connect() as connection:
        connection.execute(as_of_old)
    Path(f"{paths[0]}.old").replace(paths[0])
    known = names["asset"][::2]
    small: dict[str, Columns] = {
        "sites": {"site": names["site"], "number": np.arange(SITES, dtype=np.int32)},
        "assets": {"asset": known, "place": np.arange(len(known), dtype=np.int32)},
    }
    return paths, small


def kept_state(folder: Path, paths: Sequence[Path]) -> EmbeddedState:
    """Steering's, which names these files and has hours beside them: of today, and late ones of a day that is over."""
    state = EmbeddedState.open(folder, bytes_max=2**26)
    with state.write() as transaction:
        for day, path in enumerate(paths, start=TODAY - DAYS):
            part = Part(ROWS_PER_DAY, path.stat().st_size, digest(path))
            transaction.put(Listed(day, path.name, part).key, msgspec.msgpack.encode(part))
    told = Told(state)
    told.demand(0, site="site-1", **{"title-1__rung-0": (3, 2**30)})
    told.demand(50, site="site-1", **{"title-1__rung-0": (2, 2**29)})
    told.redirected(50, "title-1/rung-0", 2**31, site="site-1")
    return state


def past_of(state: EmbeddedState, folder: Path, engine: str) -> tuple[Past, dict[str, bytes]]:
    """A night's past by an engine, and the columns of days that are kept of it; these are taken away again."""
    rungs = [[make_summary(f"title-{title}/rung-{rung}") for rung in range(0, 8, 2)] for title in range(ASSETS // 8)]
    shelf = shelve([make_title(f"title-{title}", assets=assets) for title, assets in enumerate(rungs)])
    past = read_past(
        state,
        HistoryTable(engine=engine),
        lambda: shelf,
        folder=folder,
        sites=["site-1", "unheard"],
        history_days=28,
        half_life_days=2.0,
        now_ns=NOW_NS,
    )
    kept = {path.parent.name: path.read_bytes() for path in sorted(folder.glob("day=*/*.columns"))}
    for path in folder.glob("day=*/*.columns"):
        path.unlink()
    return past, kept


def is_same(one: Past, other: Past) -> bool:
    """To the byte."""
    pairs = [(one.watched, other.watched), (one.yesterday, other.yesterday)]
    return (one.sites, one.window, one.debut_share, one.aside) == (
        other.sites,
        other.window,
        other.debut_share,
        other.aside,
    ) and all(
        np.array_equal(getattr(mine, name), getattr(others, name))
        for mine, others in pairs
        for name in ("starts", "columns", "values")
    )


def answers(engine: Engine, paths: list[Path], small: Mapping[str, Columns], name: str) -> list[tuple[Any, ...]]:
    """The rows of a query, in a fixed order."""
    query, tables = QUERIES[name]
    found = engine.run(query, paths, {table: small[table] for table in tables})
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
    with tempfile.TemporaryDirectory(prefix="oca-spark-") as made:
        folder, history = Path(made), Path(made) / "history"
        local = DuckDb(folder / "spill", memory_bytes_max=2**30)
        paths, small = made_up(history, local)
        wanted = {name: answers(local, paths, small, name) for name in QUERIES}
        state = kept_state(folder / "state", paths)
        past, kept = past_of(state, history, "duckdb")
        cluster = Cluster(folder)
        try:
            (folder / "first").mkdir()
            with open_engine(HistoryTable(engine=cluster.url), folder / "first") as spark:
                for name in QUERIES:
                    assert answers(spark, paths, small, name) == wanted[name], f"{name}: other rows than DuckDB's"
            by_spark, kept_by_spark = past_of(state, history, cluster.url)
            assert is_same(past, by_spark), "a night's past is not DuckDB's"
            assert len(kept) == DAYS - 1, "the day with late hours alone is asked for anew"
            assert kept == kept_by_spark, "columns of days are not DuckDB's"
            (folder / "second").mkdir()
            with open_engine(HistoryTable(engine=cluster.url), folder / "second") as spark:
                killed = threading.Event()
                killer = threading.Thread(target=kill_amid, args=(cluster, killed))
                killer.start()
                again = answers(spark, paths, small, "hourly")
                killer.join()
                assert killed.is_set(), "the query ended before both workers had tasks: nothing was killed"
                assert again == wanted["hourly"], "other rows after a worker was killed"
                assert answers(spark, paths, small, "wanted") == wanted["wanted"]
        finally:
            cluster.close()
            state.close()
    told = {
        "rows_equal": {name: len(found) for name, found in wanted.items()},
        "past_equal": {"sites": len(past.sites), "entries": len(past.watched.values), "days_kept_equal": len(kept)},
    }
    note(told, took_s=time.monotonic() - began_s)
    return 0


def note(told: Mapping[str, Any], *, took_s: float) -> None:
    """Write the outcome."""
    commit = subprocess.run(
        ["git", "rev-parse", "--short", "HEAD"], cwd=ROOT, capture_output=True, text=True, check=False
    )
    outcome = {
        "commit": commit.stdout.strip(),
        "versions": {name: version(name) for name in ("pyspark", "duckdb", "ibis-framework")}
        | {"python": platform.python_version()},
        "log_rows": DAYS * ROWS_PER_DAY,
        **told,
        "worker_killed_amid": "hourly",
        "rows_equal_after_kill": True,
        "seconds": round(took_s, 1),
    }
    OUTCOME.write_text(json.dumps(outcome, indent=2) + "\n")
    print(json.dumps(outcome, indent=2))


if __name__ == "__main__":
    sys.exit(main())
