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
import statistics
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import psutil
import uvloop

from benchmarks.steering.world import World
from oca.common.clock import monotonic_s
from oca.common.log import configure_logging
from steering.address import Address, parse_address
from steering.catalogue import Title
from steering.service import Service
from steering.state.engine import open_state
from steering.state.peers import Alone

HOURS_S = 86_400.0
DECISIONS = 20_000


def say(**what: Any) -> None:
    print(json.dumps(what), flush=True)


def viewers(world: World, texts: list[str], count: int, chance: random.Random) -> list[tuple[str, str]]:
    """(title, client): few titles are asked for by most, every prefix by its turn."""
    found = []
    for text in chance.choices(texts, k=count):
        host = text.partition("/")[0]
        client = f"{host}7" if host.endswith(":") else host.rpartition(".")[0] + ".7"
        found.append((f"t{int(world.titles ** chance.random()) - 1}", client))
    return found


def fill(world: World, service: Service, texts: list[str]) -> None:
    """Every appliance reports; one of each site tells the routes that all of it hears."""
    decider = service.decider
    keys = [key.kid for key in decider.signing.policy.keys]
    for report in world.reports(keys):
        decider.fleet.observe(report, monotonic_s() + HOURS_S)  # none goes out of date while this runs
    share = len(texts) // world.sites
    for site in range(world.sites):
        for letter in "abcd":
            for batch in world.batches(f"s{site}-{letter}", texts[site * share : (site + 1) * share], site):
                for fault in decider.reach.take(f"s{site}-{letter}", batch):
                    assert not fault, fault


def decide(service: Service, asked: list[tuple[str, str]]) -> list[float]:
    """Microseconds of CPU of each decision, signed URLs included."""
    titles = service.decider.catalogue.titles
    wanted: list[tuple[Title, Address]] = [
        (titles[title], address) for title, text in asked if (address := parse_address(text)) is not None
    ]
    took = []
    for title, client in wanted:
        began = time.thread_time_ns()
        service.decider.decide(title, client, kind="playback")
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


def timed(name: str, work: Callable[[], Any]) -> Any:
    """Do ``work`` and tell what it cost."""
    process = psutil.Process()
    before, began = process.memory_info().rss, time.process_time()
    result = work()
    say(step=name, cpu_s=time.process_time() - began, bytes=process.memory_info().rss - before)
    return result


async def serve(service: Service) -> None:
    await service.start()
    say(step="serving", bytes=psutil.Process().memory_info().rss)
    await asyncio.Event().wait()


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--folder", type=Path, required=True)
    parser.add_argument("--listen", required=True)
    parser.add_argument("--scale", type=float, default=1.0)
    options = parser.parse_args()
    configure_logging(level="warning", style="json")
    world = World(options.scale)
    settings = world.settings(options.folder, options.listen)
    texts = world.prefixes()
    state = open_state(settings.state)
    timed("publish", lambda: world.publish(state))
    service = timed("catalogue", lambda: Service(settings, state, Alone()))
    timed("fleet", lambda: fill(world, service, texts))
    service.first_reports.end()
    world.forget()
    chance = random.Random(2)
    asked = viewers(world, texts, DECISIONS, chance)
    (options.folder / "asked.txt").write_text("".join(f"{title} {client}\n" for title, client in asked))
    texts.clear()
    gc.collect()
    ctypes.CDLL(None).malloc_trim(0)  # what only the filling needed is no memory of the service
    decide(service, asked[: DECISIONS // 4])
    took = sorted(decide(service, asked))
    say(step="decisions", median_us=statistics.median(took), p99_us=took[int(len(took) * 0.99)], loop_us=loop_us())
    uvloop.run(serve(service))


if __name__ == "__main__":
    main()
