"""The service under test, in a process of its own: it fills itself, tells what that took, and serves until it is ended.

Run as ``python -m benchmarks.steering.server --folder DIR --listen ADDRESS:PORT``; lines of JSON on standard output.
"""

from __future__ import annotations

import argparse
import asyncio
import ctypes
import gc
import json
import random
import signal
import statistics
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import psutil
import uvloop
from msgspec.structs import replace

from benchmarks.steering.world import World
from oca.common.clock import monotonic_s
from oca.common.huge_pages import HugePages
from oca.common.log import configure_logging
from steering.decision.address import parse_address
from steering.service import SWITCH_S, Service
from steering.signing import Signing
from steering.state.engine import open_state
from steering.state.peers import Alone

HOURS_S = 86_400.0
DECISIONS, DECIDED_BEFORE = 20_000, 120_000
"""Timed one by one, and others before them, so that caches stand as in a service that runs."""
EARLIER = 750_000
"""Asked before what is measured: as many as come in the minute that makes a service one that has run for a while."""
QUESTIONS = 150_000
"""Asked by HTTP: none comes twice within a run, so that what is kept of an answer is no help to the same question."""
LATER = 80_000
"""Asked at a fixed rate: none of those that the run before them asked."""
AT_ONCE = 20_000
"""Questions that are made up at a time: no more of them are in the service's memory."""
TURN_S = 0.01
TURN_REPORTS_MAX = 64
"""As many are heard at once as come between two looks at the sockets, also where the service is behind."""


def say(**what: Any) -> None:
    print(json.dumps(what), flush=True)


def viewers(world: World, texts: list[str], count: int, chance: random.Random) -> list[tuple[str, str]]:
    """(title, client): what the region of the site asks for whose prefix it is, every prefix by its turn."""
    found = []
    share = len(texts) // world.sites
    for place in chance.choices(range(share * world.sites), k=count):
        text = texts[place]
        host = text.partition("/")[0]
        client = f"{host}7" if host.endswith(":") else host.rpartition(".")[0] + ".7"
        found.append((f"t{world.asked(place // share, chance)}", client))
    return found


def fill(world: World, service: Service, texts: list[str]) -> None:
    """Every appliance reports; one of each site tells the routes that all of it hears."""
    decider = service.decider
    keys = [key.kid for key in decider.signing.policy.keys]
    for report in world.reports(keys):
        # None goes out of date while decisions are timed, but for those that are gone.
        ahead_s = -HOURS_S if world.is_gone(report.appliance) else HOURS_S
        decider.fleet.observe(report, monotonic_s() + ahead_s)
    share = len(texts) // world.sites
    for site in range(world.sites):
        for letter in "abcd":
            for batch in world.batches(f"s{site}-{letter}", texts[site * share : (site + 1) * share], site):
                for fault in decider.reach.take(f"s{site}-{letter}", batch):
                    assert not fault, fault


def decide(service: Service, asked: list[tuple[str, str]]) -> list[float]:
    """Microseconds of CPU of each decision, signed URLs included."""
    decider = service.decider
    wanted = [
        (edition, address)
        for title, text in asked
        if (edition := decider.edition(title)) is not None and (address := parse_address(text)) is not None
    ]
    took = []
    for edition, client in wanted:
        began = time.thread_time_ns()
        decider.decide(edition, client, kind="playback")
        took.append((time.thread_time_ns() - began) / 1000)
    return took


def loop_us() -> float:
    """A fixed piece of Python, to tell how much of a core there was: 1,000 additions."""
    took = []
    for _ in range(300):
        began = time.thread_time_ns()
        total = 0
        for number in range(1000):
            total += number
        took.append((time.thread_time_ns() - began) / 1000)
    return statistics.median(took)


def told(name: str, took: list[float]) -> None:
    """Tell what decisions took."""
    took.sort()
    mean = sum(took) / len(took)
    say(
        step=name,
        median_us=statistics.median(took),
        mean_us=mean,
        p99_us=took[len(took) * 99 // 100],
        loop_us=loop_us(),
    )


def timed(name: str, work: Callable[[], Any]) -> Any:
    """Do ``work`` and tell what it cost."""
    process = psutil.Process()
    before, began = process.memory_info().rss, time.process_time()
    result = work()
    say(step=name, cpu_s=time.process_time() - began, bytes=process.memory_info().rss - before)
    return result


class Boxes:
    """Every box that is not gone reports again and again, as often as boxes do by default; without HTTP."""

    def __init__(self, world: World, service: Service) -> None:
        self._decider = service.decider
        self._interval_s = service.decider.settings.fleet.report_interval_s
        self._names = [name for name in self._decider.site_of if not world.is_gone(name)]
        self._begun_s = monotonic_s()
        self.heard = 0
        self.cpu_s = self.late_s_max = 0.0

    def begin(self) -> None:
        """All of them report at once, so that none is out of date."""
        self._begun_s = monotonic_s()
        for _ in self._names:
            self._hear(self._begun_s)
        self.heard = 0

    async def go_on(self) -> None:
        """Report as time passes, whatever it costs those who ask."""
        per_s = len(self._names) / self._interval_s
        while True:
            now_s, began = monotonic_s(), time.thread_time()
            due = int((now_s - self._begun_s) * per_s) - self.heard
            self.late_s_max = max(self.late_s_max, due / per_s)
            for _ in range(min(due, TURN_REPORTS_MAX)):
                self._hear(now_s)
            self.cpu_s += time.thread_time() - began
            await asyncio.sleep(TURN_S if due <= TURN_REPORTS_MAX else 0)

    def _hear(self, now_s: float) -> None:
        name = self._names[self.heard % len(self._names)]
        last = self._decider.fleet.members[name].report
        assert last is not None
        sent = last.load.sent_bytes_per_s * (1.001 if last.sequence % 2 else 0.999)
        report = replace(last, sequence=last.sequence + 1, load=replace(last.load, sent_bytes_per_s=sent))
        assert self._decider.fleet.observe(report, now_s) == "taken"
        self._decider.heard(name)
        self.heard += 1


async def serve(service: Service, boxes: Boxes) -> None:
    ended = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, ended.set)
    boxes.begin()
    reporting = asyncio.create_task(boxes.go_on())
    await service.start()
    began_s = monotonic_s()
    say(step="serving", bytes=psutil.Process().memory_info().rss)
    await ended.wait()
    reporting.cancel()
    per_s, cpu_us = boxes.heard / (monotonic_s() - began_s), boxes.cpu_s / boxes.heard * 1e6
    held_bytes = psutil.Process().memory_info().rss
    say(step="reports", per_s=per_s, cpu_us=cpu_us, late_s_max=boxes.late_s_max, bytes=held_bytes)


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--folder", type=Path, required=True)
    parser.add_argument("--listen", required=True)
    parser.add_argument("--scale", type=float, default=1.0)
    options = parser.parse_args()
    configure_logging(level="warning", style="json")
    sys.setswitchinterval(SWITCH_S)  # as the service has it
    world = World(options.scale)
    settings = world.settings(options.folder, options.listen)
    texts = world.prefixes()
    state = open_state(settings.state)
    timed("publish", lambda: world.publish(state))
    service = timed("catalogue", lambda: Service(settings, state, Alone()))
    timed("fleet", lambda: fill(world, service, texts))
    service.first_reports.end()
    chance = random.Random(2)
    asked, before = (viewers(world, texts, count, chance) for count in (DECISIONS, DECIDED_BEFORE))
    for name, count in (("earlier.txt", EARLIER), ("asked.txt", QUESTIONS), ("later.txt", LATER)):
        with (options.folder / name).open("w") as file:
            for _ in range(count // AT_ONCE):
                file.writelines(f"{title} {client}\n" for title, client in viewers(world, texts, AT_ONCE, chance))
    boxes = Boxes(world, service)
    world.forget()
    texts.clear()
    gc.collect()
    ctypes.CDLL(None).malloc_trim(0)  # what only the filling needed is no memory of the service
    timed("huge pages", lambda: sum(HugePages().move()))  # as the service does in its first minutes
    while before:
        decide(service, before[-AT_ONCE:])
        del before[-AT_ONCE:]
    told("decisions", decide(service, asked))
    shared = service.decider.signing
    for algorithm in ("ES256", "HS256"):
        bound = replace(settings.signing, bind_client="prefix", algorithm=algorithm)
        service.decider.signing = Signing(bound, state)
        decide(service, asked[: DECISIONS // 8])
        told(f"bound {algorithm}", decide(service, asked[DECISIONS // 8 : DECISIONS // 2]))
    service.decider.signing = shared
    uvloop.run(serve(service, boxes))


if __name__ == "__main__":
    main()
