"""Reloads, upgrades and killed workers under load: no refusal, and only the killed worker's own responses are cut."""

from __future__ import annotations

import hashlib
import json
import os
import random
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import pytest

from tests.system.test_serve import HOST, Box
from tests.waiting import WAIT_S, wait_until

pytestmark = pytest.mark.system

UPGRADES = 4
HAND_OVERS = 6
RELOADS = 24
KILLS = 5
CLIENTS = 16
PAUSE_S = 0.02
DEAD_S = 3.0
"""About how long a killed worker's place is empty on a busy machine."""
SIZES = {"head.m4s": 2_000, "part.m4s": 64_000, "whole.m4s": 3_000_000}
"""The largest is more than sockets take at once, so that responses are on their way at any moment."""


class Manager(threading.Thread):
    """Hears what the daemons tell their service manager."""

    def __init__(self, path: Path) -> None:
        super().__init__(daemon=True)
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self._socket.bind(str(path))
        self.told: list[str] = []

    def run(self) -> None:
        while told := self._socket.recv(1000):
            self.told += told.decode().splitlines()

    def close(self) -> None:
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as last:
            last.connect(self._socket.getsockname())
            last.send(b"")
        self.join()
        self._socket.close()


class Renewed(Box):
    """An appliance that is reloaded, upgraded and hurt while it runs."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self.settings = self.config.read_text().replace("workers = 1", "workers = 2")
        self.config.write_text(self.settings)
        self.changes = 0
        self.killed_at_s: list[float] = []
        self.manager: Manager | None = None
        self.first = 0
        self.renewed_at_ns = 0
        """The last outcome: just after an upgrade the daemon that was may answer once more, and not know of it."""
        self.own: set[int] = set()
        """Ports of clients whose connection a killed worker had."""

    @contextmanager
    def running(self) -> Iterator[Manager]:
        """From ready to the end of the last daemon."""
        manager = Manager(self.folder / "notify")
        manager.start()
        with (self.folder / "log").open("wb") as log:
            first = subprocess.Popen(
                [sys.executable, "-m", "oca.cli", "serve", "--config", str(self.config)],
                env={**os.environ, "NOTIFY_SOCKET": str(self.folder / "notify")},
                stderr=log,
            )
        self.manager, self.first = manager, first.pid
        try:
            wait_until(lambda: "READY=1" in manager.told or first.poll() is not None)
            yield manager
            daemon = self.main()
            os.kill(daemon, signal.SIGTERM)
            if daemon != first.pid:
                assert first.wait(WAIT_S) == 0
                wait_until(lambda: is_gone(daemon))
        finally:
            for line in manager.told:
                if line.startswith("MAINPID="):
                    with suppress(ProcessLookupError):
                        os.kill(int(line.partition("=")[2]), signal.SIGTERM)
            if first.poll() is None:
                first.terminate()
            first.wait(WAIT_S)
            manager.close()

    def workers(self) -> list[int]:
        """Those that run; the status is up to a second old."""
        states = self.ask("/v1/status")["workers"]
        return [state["pid"] for state in states if state["ready"] and not is_gone(state["pid"])]

    def daemon(self) -> int:
        """The process that answers: the parent of its workers."""
        parents: list[int] = []

        def found() -> bool:
            for pid in self.workers():
                with suppress(OSError):  # one that was replaced ends at any moment
                    parents.append(int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[1]))
            return bool(parents)

        wait_until(found)
        return parents[0]

    def main(self) -> int:
        """Whom signals are for; the one before may still answer for a moment."""
        assert self.manager is not None
        told = [line for line in self.manager.told if line.startswith("MAINPID=")]
        return int(told[-1].partition("=")[2]) if told else self.first

    def renew(self, number: signal.Signals) -> dict[str, Any]:
        """Send a signal and wait for the outcome, as a service manager's ExecReload does."""
        before = max(self.renewed_at_ns, self.ask("/v1/status")["renewal"]["at_ns"])
        os.kill(self.main(), number)
        outcome: dict[str, Any] = {}

        def over() -> bool:
            outcome.update(self.ask("/v1/status")["renewal"])  # asked again, another daemon might answer
            return bool(outcome["at_ns"] > before)

        wait_until(over)
        self.renewed_at_ns = outcome["at_ns"]
        assert outcome["done"], outcome
        return outcome

    def follows(self) -> bool:
        """Whether the daemon that was has ended; its end is an outcome, too, and not that of what comes next."""
        renewal = self.ask("/v1/status")["renewal"]
        self.renewed_at_ns = max(self.renewed_at_ns, renewal["at_ns"])
        return bool(renewal["said"].startswith(f"this process, {self.main()}, follows"))

    def change_settings(self) -> None:
        self.changes += 1
        self.config.write_text(self.settings.replace("drain_s = 20", f"drain_s = 20\nfields_max = {64 + self.changes}"))

    def kill_worker(self, chance: random.Random) -> None:
        """SIGKILL one worker, when it is known which connections are its own."""
        while True:
            wait_until(lambda: len(self.workers()) == 2)
            pid = chance.choice(self.workers())
            try:
                os.kill(pid, signal.SIGSTOP)
                ports = ports_of(pid)
                os.kill(pid, signal.SIGKILL)
                self.killed_at_s.append(time.monotonic())
            except (ProcessLookupError, FileNotFoundError):
                continue  # a replaced one, which ended by itself meanwhile
            self.own |= ports
            break


def longest(waits: list[tuple[float, float]], killed_at_s: list[float]) -> tuple[float, float]:
    """The longest wait that a worker was dead in, and the longest of the rest; in seconds.

    The former is the median over the kills: the machine may stand still once or twice.
    """
    amid, rest = [0.0] * len(killed_at_s), 0.0
    for began_s, took_s in waits:
        met = [n for n, at_s in enumerate(killed_at_s) if began_s < at_s + DEAD_S and began_s + took_s > at_s]
        for number in met:
            amid[number] = max(amid[number], took_s)
        rest = rest if met else max(rest, took_s)
    return sorted(amid)[len(amid) // 2], rest


def time_to_load_worker() -> float:
    """What a worker's start takes at least, on this machine as busy as it is now; the median of three."""
    took = []
    for _ in range(3):
        began_s = time.monotonic()
        subprocess.run([sys.executable, "-c", "import oca.delivery.worker"], check=True)
        took.append(time.monotonic() - began_s)
    return sorted(took)[1]


def is_gone(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "Z"
    except OSError:
        return True


def ports_of(pid: int) -> set[int]:
    """Ports of the clients that are connected to a process."""
    links = {str(entry.readlink()) for entry in Path(f"/proc/{pid}/fd").iterdir()}
    rows = [row.split() for row in Path("/proc/net/tcp").read_text().splitlines()[1:]]
    return {int(row[2].partition(":")[2], 16) for row in rows if f"socket:[{row[9]}]" in links}


@contextmanager
def clients_of(box: Renewed) -> Iterator[dict[str, Any]]:
    """Clients under way; what came of them is there at the end."""
    source = box.folder / "source"
    source.mkdir()
    for name, size in SIZES.items():
        (source / name).write_bytes(os.urandom(size))
    digests = {f"/f/{name}": [hashlib.sha256((source / name).read_bytes()).hexdigest()] for name in SIZES}
    loaded = box.run("store", "import", str(source), "--asset", "f/v", "--mount", "/f", "--config", str(box.config))
    assert loaded.returncode == 0, loaded.stderr
    plan = {"host": HOST, "port": box.delivery, "digests": digests, "clients": CLIENTS, "pause_s": PAUSE_S}
    outcome: dict[str, Any] = {}
    with box.running() as outcome["manager"]:
        process = subprocess.Popen(
            [sys.executable, str(Path(__file__).with_name("segment_clients.py"))],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        assert process.stdin is not None
        process.stdin.write(json.dumps(plan) + "\n")
        process.stdin.flush()
        try:
            yield outcome
        finally:
            said, _ = process.communicate(timeout=WAIT_S)
        outcome.update(json.loads(said))


@pytest.mark.timeout(400)  # a minute; each of the 16 or more workers that start takes its time on a busy machine
def test_reloads_and_killed_workers_cut_no_response_but_their_own(tmp_path: Path) -> None:
    seed = random.SystemRandom().randrange(10**6)
    print(f"seed {seed}")
    chance = random.Random(seed)
    files = ["files"] * (RELOADS - UPGRADES - HAND_OVERS)
    deeds = files + ["hand over"] * HAND_OVERS + ["upgrade"] * UPGRADES + ["kill"] * KILLS
    chance.shuffle(deeds)
    box = Renewed(tmp_path)
    daemons = []
    with clients_of(box) as outcome:
        began_s = time.monotonic()
        for deed in deeds:
            time.sleep(chance.random() * 0.2)  # so that deeds meet clients at any point
            if deed == "kill":
                box.kill_worker(chance)
            elif deed == "upgrade":
                assert box.renew(signal.SIGUSR2)["kind"] == "upgrade"
                wait_until(box.follows)
                assert box.daemon() == box.main()
                daemons.append(box.main())
            else:
                if deed == "hand over":
                    box.change_settings()
                said = box.renew(signal.SIGHUP)["said"]
                assert said.startswith("changed delivery.fields_max" if deed == "hand over" else "no setting")
        wait_until(lambda: len(box.workers()) == 2)
        lasted_s = time.monotonic() - began_s
        load_s = time_to_load_worker()
    amid_s, else_s = longest(outcome["waits"], box.killed_at_s)
    told = outcome["manager"].told
    assert [line for line in told if line.startswith("MAINPID")] == [f"MAINPID={pid}" for pid in daemons]
    print(
        f"{outcome['answers']} answers in {lasted_s:.0f} s over {outcome['connections']} connections, "
        f"{len(outcome['failures'])} cut with {KILLS} killed workers that had {len(box.own)} connections; "
        f"longest wait amid these {amid_s:.2f} s, else {else_s:.2f} s, and a worker takes {load_s:.2f} s to load"
    )
    strange = [failure for failure in outcome["failures"] if failure["port"] not in box.own]
    assert not strange, (seed, strange)
    assert len(outcome["failures"]) <= len(box.own)
    assert outcome["answers"] > 1000
    # Who connects while a worker is dead is taken by the other one: no longer than a successor takes to load, nor than
    # twice what others wait at their worst on this machine as it is.
    assert amid_s < max(load_s, 2 * else_s), (seed, amid_s, load_s, else_s)
