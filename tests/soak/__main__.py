"""Soak two appliances for an hour, or SOAK_SECONDS, and write down what came of it in outcome.json: `make soak`.

Both fill, evict, scrub and serve at once, from a catalogue that turns over for ever, each from the other as its peer
and from an origin of its own that cuts and lies now and then. In one, the ``struck``, its daemon, a worker, the
scrubber or the fill agent is killed every few seconds, at random; in the other, the ``calm``, nothing is, and its
memory is looked at.

At the end: no client got a wrong byte, or a cut answer that no kill explains; what is planned is served; `oca store
verify` finds nothing; no space belongs to nobody; and in the calm one neither a process's own memory and descriptors
nor what lies beside its packs has grown from the second sixth of the time to the last, in the mean, by more than a
twentieth, or than an allowance where that is more.
"""

from __future__ import annotations

import asyncio
import json
import os
import platform
import random
import secrets
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path
from typing import Any

import psutil

from tests.leaks import leaked_bytes
from tests.soak.box import DEVICE_BYTES, Box
from tests.soak.judge import growth, is_flat, unexcused
from tests.soak.supply import Catalogue, Supply

SECONDS = float(os.environ.get("SOAK_SECONDS") or 3600)
SEED = int(os.environ.get("SEED") or secrets.randbits(32))
OUTCOME = Path(__file__).with_name("outcome.json")
STRUCK, CALM = "127.0.84.1", "127.0.84.2"
PROVIDERS = "127.0.84.9"
STRIKE_S_MEAN = 14.0
TARGETS = {"agent": 9, "worker": 6, "daemon": 3, "scrubber": 2}
"""How often each is struck, beside the others."""
SAMPLE_S = 5.0
QUIET_S_MAX = 300.0
MARGIN_S = 2.0
ORPHANS_S_MAX = 30.0
SAY_S = 60.0
ALLOWANCES = {"memory": 3 * 2**20, "descriptors": 4, "beside packs and parts": 2**20}


class Soak:
    """One run."""

    def __init__(self, folder: Path) -> None:
        self.dice = random.Random(SEED)
        self.catalogue = Catalogue(SEED)
        self.boxes = [
            Box(folder, name, host, Supply(PROVIDERS, self.catalogue, self.dice, time.monotonic))
            for name, host in (("struck", STRUCK), ("calm", CALM))
        ]
        self.struck, self.calm = self.boxes
        self.kills: Counter[str] = Counter()
        self.samples: dict[str, list[tuple[float, int]]] = {}
        self.faults: list[str] = []

    async def run(self) -> dict[str, Any]:
        """Soak; what came of it."""
        try:
            for box, other in zip(self.boxes, reversed(self.boxes), strict=True):
                box.supply.peer_url = other.url
                await box.supply.server.start_server()
                box.write_settings()
                await box.start_daemon()
                await box.start_agent()
            digests = self.catalogue.digests()
            for box in self.boxes:
                await box.start_clients(digests)
            ends_at_s = time.monotonic() + SECONDS
            await asyncio.gather(self.strike(ends_at_s), self.watch(ends_at_s))
            return await self.reckon()
        finally:
            for box in self.boxes:
                await box.abandon()
                await box.supply.server.close()

    async def strike(self, ends_at_s: float) -> None:
        """Kill something of the struck box every few seconds, and start again what nobody else does."""
        box = self.struck
        while (wait_s := self.dice.expovariate(1 / STRIKE_S_MEAN)) < ends_at_s - time.monotonic():
            await asyncio.sleep(wait_s)
            (target,) = self.dice.choices(list(TARGETS), list(TARGETS.values()))
            running = box.processes()
            names = sorted(name for name in running if name.startswith(target))
            if not names:
                continue  # a successor of the last one is on its way
            self.kills[target] += 1
            killed_at_s = time.monotonic()
            running[self.dice.choice(names)].kill()
            if target == "agent":
                assert box.agent is not None
                await box.agent.wait()
                await box.start_agent()
            elif target == "daemon":
                assert box.daemon is not None
                await box.daemon.wait()
                await box.start_daemon()
                # Its workers end by themselves, and close what they kept open: that, too, is the kill's doing.
                orphans = [process for name, process in running.items() if name.startswith("worker")]
                await asyncio.to_thread(psutil.wait_procs, orphans, timeout=ORPHANS_S_MAX)
            if target in ("daemon", "worker"):
                box.outages.append((killed_at_s, time.monotonic()))

    async def watch(self, ends_at_s: float) -> None:
        """Sample the calm box, say how it goes, and see that nothing ends that nobody killed."""
        said_at_s = time.monotonic()
        while (now_s := time.monotonic()) < ends_at_s:
            for name, value in (await asyncio.to_thread(self.calm.sample)).items():
                self.samples.setdefault(name, []).append((now_s, value))
            for what, process in (("agent", self.calm.agent), ("daemon", self.calm.daemon)):
                if process is not None and process.returncode is not None:
                    raise RuntimeError(f"the calm box's {what} ended with {process.returncode}")
            if now_s >= said_at_s + SAY_S:
                said_at_s = now_s
                print(f"{ends_at_s - now_s:.0f} s left, {sum(self.kills.values())} kills", file=sys.stderr, flush=True)
            await asyncio.sleep(SAMPLE_S)

    async def reckon(self) -> dict[str, Any]:
        """Let the last fill end, end everything, and look at what is left."""
        for box in self.boxes:
            box.supply.standing_still = True
            if missing := await self.unserved(box):
                self.faults.append(f"{box.name}: {len(missing)} planned objects are not served, such as {missing[0]}")
        served = {}
        for box in self.boxes:
            restarts = [worker["restarts"] for worker in (await box.ask("/v1/status"))["workers"]]
            if box is self.calm and any(restarts):
                self.faults.append(f"calm: workers ended that nobody killed: {restarts}")
            told = await box.end_clients()
            wrong = unexcused(told["failures"], box.outages, margin_s=MARGIN_S)
            self.faults += [f"{box.name}: {len(wrong)} answers, such as {wrong[0]}"] if wrong else []
            served[box.name] = {
                "whole": told["answers"],
                "absent": told["absent"],
                "cut_by_kills": len(told["failures"]) - len(wrong),
                "unexcused": len(wrong),
            }
        for box in self.boxes:
            self.faults += await box.end()
        stores = {}
        for box in self.boxes:
            verified = await box.verify()
            leaked = leaked_bytes(box.devices, [], device_bytes_max=DEVICE_BYTES)
            stores[box.name] = {"verified": verified, "leaked_bytes": leaked}
            if verified["exit"] or leaked:
                self.faults.append(f"{box.name}: the store is {stores[box.name]}")
        return {
            "seconds": round(SECONDS),
            "seed": SEED,
            "kills": dict(self.kills),
            "origin_faults": sum(box.supply.faults for box in self.boxes),
            "answers": served,
            "stores": stores,
            "growth": self.flatness(),
            "left_running": self.left_running(),
            "faults": self.faults,
            "python": platform.python_version(),
        }

    async def unserved(self, box: Box) -> list[str]:
        """What is planned and not served by the time that the last fill has had."""
        deadline_s = time.monotonic() + QUIET_S_MAX
        while True:
            missing = await box.missing()
            if not missing or time.monotonic() > deadline_s:
                return missing
            await asyncio.sleep(1)

    def flatness(self) -> dict[str, dict[str, float]]:
        """Early and late means of everything that was sampled; a fault for each that is not flat."""
        found = {}
        for name, samples in sorted(self.samples.items()):
            early, late = growth(samples)
            found[name] = {"early": early, "late": late}
            if not is_flat(early, late, allowance=ALLOWANCES[name.partition(": ")[2]]):
                self.faults.append(f"calm: {name} grew from {early:,.0f} to {late:,.0f}")
        return found

    def left_running(self) -> int:
        """Processes that a killed daemon left behind."""
        configured = {f"127.0.84.{number}" for number in (1, 2)}
        left = 0
        for process in psutil.process_iter():
            try:
                left += any(
                    connection.status == psutil.CONN_LISTEN and connection.laddr.ip in configured
                    for connection in process.net_connections("tcp")
                )
            except (psutil.NoSuchProcess, psutil.AccessDenied):
                continue
        if left:
            self.faults.append(f"{left} processes still listen")
        return left


def main() -> int:
    """Run, record, tell."""
    with tempfile.TemporaryDirectory(prefix="oca-soak-") as folder:
        outcome = asyncio.run(Soak(Path(folder)).run())
    before = json.loads(OUTCOME.read_text())["runs"] if OUTCOME.exists() else []
    OUTCOME.write_text(json.dumps({"runs": [*before, outcome]}, indent=1) + "\n")
    print(json.dumps(outcome, indent=1))
    return 1 if outcome["faults"] else 0


if __name__ == "__main__":
    sys.exit(main())
