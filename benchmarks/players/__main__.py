"""``python -m benchmarks.players``: seats viewers before a fleet by locust, and tells what they felt.

locust runs in a process of its own; this one starts a demo where that is asked for, waits, reads the record, reports.
"""

from __future__ import annotations

import argparse
import asyncio
import math
import signal
import sys
import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from importlib.metadata import version
from pathlib import Path
from urllib.parse import urlsplit

import aiohttp
import msgspec

from benchmarks.figures import ROOT, figure, machine, show, write
from benchmarks.players.experience import Outcome, endings_of, figures_of, limits_of
from demo.__main__ import encode
from demo.places import Places, parse_network
from demo.process import Process, becomes_true
from demo.screen import say, work
from demo.studio import Studio
from demo.system import System
from demo.titles import films
from oca.common.command import EXIT_FAILED, EXIT_INTERRUPTED
from oca.common.errors import ConfigError, OcaError, SteeringError

EXIT_USAGE = 2
KEPT = ROOT / ".demo"
FILM_S = 60
TITLES = 4
RAMP_S_MAX = 10.0
ENGINE_S_MORE = 60.0
ASK_S = 5.0
METHOD = (
    "viewers drawn from a seed: access lines of 3 to 200 Mb/s, read at that pace (half of it at worst; the kernel's "
    "buffers take some of a segment in sooner), 30 % leave early, 25 % seek, patience from 2 s; player: 30 s buffer, "
    "hls.js's throughput estimate, pathways in order on failure, no content steering polls, CMCD in the query, its own "
    "connections; who left before a first picture counts in start-up time with the wait until then; CPU and lag: "
    "looks each second; one locust process; fleet, steering and load on one machine where a demo was started"
)


def main(arguments: list[str] | None = None) -> int:
    """Parse, run, and turn what went wrong into one line."""
    options = _parser().parse_args(arguments)
    try:
        return asyncio.run(_measure(options))
    except OcaError as error:
        _complain(str(error))
        return EXIT_USAGE if isinstance(error, ConfigError) else EXIT_FAILED
    except OSError as error:
        _complain(f"{error.filename or 'the run'}: {error.strerror or error}")
        return EXIT_FAILED
    except (KeyboardInterrupt, asyncio.CancelledError):
        _complain("stopped before there was anything to tell")
        return EXIT_INTERRUPTED


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.players", description="What viewers feel of a fleet.")
    target = parser.add_mutually_exclusive_group(required=True)
    target.add_argument("--steering", metavar="URL", help="the steering service of the fleet to load")
    target.add_argument("--demo", metavar="NET", help="start a demo in this loopback network, such as 127.0.41")
    parser.add_argument("--players", type=int, default=100, help="seats, each with one viewer after another")
    parser.add_argument("--seconds", type=int, default=60, help="how long, the ramp included")
    parser.add_argument("--headless", action="store_true", help="without locust's page: run, report, end")
    parser.add_argument("--page", default="127.0.0.1:8089", metavar="HOST:PORT", help="where locust's page listens")
    parser.add_argument("--seed", default="1", help="what viewers are drawn from")
    return parser


async def _measure(options: argparse.Namespace) -> int:
    for name, low, high in (("players", 1, 20_000), ("seconds", 5, 86_400)):
        if not low <= getattr(options, name) <= high:
            raise ConfigError(f"--{name} {getattr(options, name)}: out of range", remedy=f"choose from {low} to {high}")
    command = engine_command(options)
    task = asyncio.current_task()
    assert task is not None, "runs in a task"
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, task.cancel)
    async with _target(options) as steering:
        await _ask_titles(steering)
        with tempfile.TemporaryDirectory(prefix="oca-players-") as folder:
            record = Path(folder) / "outcome.json"
            locust = [*command, "--host", steering, "--outcome", str(record)]
            engine = Process("locust", locust, KEPT / "players" / "locust.log")
            await _run(engine, options)
            if not record.exists():
                raise engine.failure()
            outcome = msgspec.json.decode(record.read_bytes(), type=Outcome)
    return _report(outcome, options)


def engine_command(options: argparse.Namespace) -> list[str]:
    """How locust is started; the fleet's address and the record's file are yet to be added.

    Raises:
        ConfigError: The page's address is none.
    """
    rate = options.players / min(RAMP_S_MAX, options.seconds / 4)
    command = [sys.executable, "-m", "locust", "-f", str(Path(__file__).with_name("locustfile.py"))]
    command += ["--users", str(options.players), "--spawn-rate", f"{rate:.2f}", "--run-time", f"{options.seconds}s"]
    command += ["--seed", options.seed, "--loglevel", "WARNING", "--exit-code-on-error", "0", "--stop-timeout", "0"]
    if options.headless:
        return [*command, "--headless", "--only-summary"]
    host, _, port = options.page.rpartition(":")
    if not host or not port.isdigit():
        raise ConfigError(f"--page {options.page}: no address", remedy="write it like 127.0.0.1:8089")
    return [*command, "--autostart", "--web-host", host, "--web-port", port]


@asynccontextmanager
async def _target(options: argparse.Namespace) -> AsyncIterator[str]:
    """The URL of steering; a demo lives as long as the context."""
    if options.steering:
        if urlsplit(options.steering).scheme not in ("http", "https"):
            raise ConfigError(f"--steering {options.steering}: no URL", remedy="write it like http://127.0.0.1:8090")
        yield options.steering.rstrip("/")
        return
    places = Places(parse_network(options.demo), KEPT / "players")
    studio, chosen = Studio(KEPT, seconds=FILM_S), films(TITLES)
    encode(studio, [film.title for film in chosen])
    recipes = {film.title: studio.key(film) for film in chosen}
    system = System(places, studio.library, chosen, recipes, workers=1)
    try:
        say(f"Starting a demo on {places.network}")
        await system.start()
        with work("Publishing films", len(chosen)) as advance:
            await system.publish(advance)
        await system.plan()
        with work("Overnight fill", 1) as advance:
            await system.fill(advance)
        await system.playable()
        yield places.steering_url
    finally:
        await system.stop()


async def _ask_titles(steering: str) -> None:
    """Make sure that there is something to watch before anybody sits down.

    Raises:
        SteeringError: There is not.
    """
    url = f"{steering}/v1/titles"
    try:
        async with (
            aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=ASK_S)) as session,
            session.get(url) as response,
        ):
            titles = (await response.json())["titles"] if response.status == 200 else None
    except (aiohttp.ClientError, TimeoutError, ValueError, LookupError) as error:
        raise SteeringError(
            f"{url}: {str(error) or f'no answer within {ASK_S:.0f} s'}", remedy="name a running steering service"
        ) from None
    if not titles:
        raise SteeringError(f"{url} names no title", remedy="publish a film: oca-steering publish")


async def _run(engine: Process, options: argparse.Namespace) -> None:
    """Until locust is done; Ctrl-C ends the run, or the page, and what was seen till then is told."""
    say(f"{options.players} players for {options.seconds} s; locust's log is {engine.log}")
    limit_s = options.seconds + ENGINE_S_MORE
    if not options.headless:
        say(f"Watch it on http://{options.page}; Ctrl-C ends it and tells what the last run saw")
        limit_s = math.inf
    try:
        await becomes_true(lambda: engine.exit_code is not None, limit_s)
    except asyncio.CancelledError:
        engine.terminate()
        await becomes_true(lambda: engine.exit_code is not None, ENGINE_S_MORE)
    finally:
        engine.kill()


def _report(outcome: Outcome, options: argparse.Namespace) -> int:
    figures = figures_of(outcome)
    rows = [[name, f"{value:,.4g}", unit] for name, value, unit, _ in figures]
    show(f"What viewers felt, {options.players} players, {outcome.ran_s:.0f} s", ["figure", "value", "unit"], rows)
    endings = endings_of(outcome)
    say("Viewings ended: " + (", ".join(f"{count} {ending}" for ending, count in endings.items()) or "there was none"))
    limits = limits_of(outcome)
    if limits:
        say("The load generator is the limit, or close to it: " + "; ".join(limits))
    else:
        say("The load generator had room: the figures tell of the fleet")
    path = write(
        "players",
        machine=machine(locust=version("locust")),
        method=METHOD,
        figures=[figure(name, value, unit, bar=bar) for name, value, unit, bar in figures],
        players=options.players,
        seconds=round(outcome.ran_s, 1),
        seed=options.seed,
        endings=endings,
        load_generator_limits=limits,
    )
    say(f"written: {path}")
    return 0 if any(viewing.startup_s is not None for viewing in outcome.viewings) else EXIT_FAILED


def _complain(text: str) -> None:
    sys.stdout.flush()
    sys.stderr.write(f"players: {text}\n")


if __name__ == "__main__":
    sys.exit(main())
