"""``python -m demo``: the whole system on this machine, with films to watch. ``make demo`` calls this."""

from __future__ import annotations

import argparse
import asyncio
import signal
import sys
from collections.abc import Callable
from pathlib import Path

from demo import nats, vendor
from demo.live import live
from demo.places import NETWORK, Places, parse_network
from demo.screen import Advance, complain, work
from demo.studio import Studio
from demo.system import System, forget
from demo.titles import FILMS, films
from oca.common.clock import monotonic_s
from oca.common.command import EXIT_FAILED, EXIT_INTERRUPTED
from oca.common.errors import ConfigError, OcaError

SECONDS = 60
EXIT_USAGE = 2


def main(arguments: list[str] | None = None) -> int:
    """Parse, run, and turn what went wrong into one line."""
    options = _parser().parse_args(arguments)
    try:
        return _run(options)
    except ConfigError as error:
        complain(str(error))
        return EXIT_USAGE
    except OcaError as error:
        complain(str(error))
        return EXIT_FAILED
    except OSError as error:
        complain(f"{error.filename or options.dir}: {error.strerror}; free some space or choose another --dir")
        return EXIT_FAILED
    except (KeyboardInterrupt, asyncio.CancelledError):
        complain("stopped before it was done")
        return EXIT_INTERRUPTED


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m demo", description="The whole system on this machine.")
    parser.add_argument("--check", action="store_true", help="play without a browser, kill an appliance, report, end")
    parser.add_argument("--titles", type=int, default=len(FILMS), help=f"how many films (1 to {len(FILMS)})")
    parser.add_argument("--seconds", type=int, default=SECONDS, help="length of each film (12 to 600)")
    parser.add_argument("--dir", type=Path, default=Path(".demo"), help="where films, stores and logs are kept")
    parser.add_argument("--net", default=NETWORK, help="loopback network to run in, such as 127.0.7")
    parser.add_argument(
        "--engine",
        choices=("lmdb", "nats"),
        default="lmdb",
        help="where steering's state is: one instance with lmdb, or three that share a NATS cluster of three",
    )
    parser.add_argument("--workers", type=int, default=2, help="delivery workers of each appliance (1 to 8)")
    parser.add_argument("--fresh", action="store_true", help="begin with empty stores and no catalogue")
    return parser


def _run(options: argparse.Namespace) -> int:
    for name, low, high in (("titles", 1, len(FILMS)), ("seconds", 12, 600), ("workers", 1, 8)):
        value = getattr(options, name)
        if not low <= value <= high:
            raise ConfigError(f"--{name} {value}: out of range", remedy=f"choose from {low} to {high}")
    began = monotonic_s()
    places = Places(parse_network(options.net), options.dir.resolve(), options.engine)
    if places.nats:
        nats.program()
    signal.signal(signal.SIGTERM, _stop_now)
    signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell that runs this with & has SIGINT ignored
    vendor.fetch()
    studio = Studio(places.folder, seconds=options.seconds)
    chosen = films(options.titles)
    encode(studio, [film.title for film in chosen])
    if options.fresh:
        forget(places)
    recipes = {film.title: studio.key(film) for film in chosen}
    system = System(places, studio.library, chosen, recipes, workers=options.workers)
    return asyncio.run(live(system, studio.library, began, is_check=options.check))


def encode(studio: Studio, titles: list[str]) -> None:
    """Encode the films of ``titles`` that are not there yet, and show how far it is."""
    missing = studio.missing([film for film in FILMS if film.title in titles])
    if not missing:
        return
    total = float(len(missing) * studio.seconds)
    with work("Encoding films (once)", total) as advance:
        for index, film in enumerate(missing):
            studio.encode(film, _part_of(advance, index * studio.seconds, film.name))


def _part_of(advance: Advance, before: float, name: str) -> Callable[[float], None]:
    return lambda done: advance(before + done, name)


def _stop_now(_number: int, _frame: object) -> None:
    raise KeyboardInterrupt


if __name__ == "__main__":
    sys.exit(main())
