"""``oca-fill run``: composes settings, service and display, and turns outcomes into exit codes."""

from __future__ import annotations

import sys
from contextlib import closing
from functools import partial
from typing import Annotated

import typer
import uvloop

from fill.gate import pause_why
from fill.progress import Display, LogDisplay, summary
from fill.service import FillService
from fill.settings import Configuration, load_for_command, start_logging
from fill.state import FillState
from oca.common import clock
from oca.common.command import EXIT_FAILED, ConfigOption, JsonOption, SetOption, print_json, print_line
from oca.common.errors import OcaError
from oca.common.memory import keep_one_heap
from oca.common.messages import FillProgress


def run(
    *,
    config: ConfigOption = None,
    sets: SetOption = None,
    now: Annotated[bool, typer.Option("--now", help="Fill at once, whatever the window.")] = False,
    forever: Annotated[
        bool, typer.Option("--forever", help="Stay, and fill in every window; without it, one fill and exit.")
    ] = False,
    no_wait: Annotated[
        bool,
        typer.Option("--no-wait", help="Outside the window fetch what is urgent and end, as a timer wants it."),
    ] = False,
    json: JsonOption = False,
) -> None:
    """Ask steering for the plan, evict what must give way, fetch what is missing, commit each asset whole.

    Waits for the fill window; outside it, what the plan marks urgent is fetched. A fill that is stopped or killed
    goes on from where it was when it is run again.
    """
    if forever and no_wait:
        raise typer.BadParameter("--forever waits for every window; leave one of the two out", param_hint="--no-wait")
    keep_one_heap()
    configuration = load_for_command(config, sets)
    start_logging(configuration)
    pause = FillState(configuration.devices[0]).pause(clock.now_ns())
    if now and pause is not None:
        raise OcaError(f"fills are {pause_why(pause)}", remedy="resume first, then fill")
    display = partial(_new_display, configuration)
    with closing(FillService(configuration, display, ignore_window=now, wait=not no_wait)) as service:
        if forever:
            uvloop.run(service.run_forever())
            return
        progress = uvloop.run(service.run_once())
    if progress is None:
        what = "nothing to fetch now" if no_wait else "stopped before a fill began, or nothing to fetch now"
        print_line(f"{what}; 'oca-fill status' says why")
    elif json:
        print_json(progress)
    else:
        _print_outcome(progress)
    if not no_wait if progress is None else progress.state != "done":
        raise typer.Exit(EXIT_FAILED)


def _new_display(configuration: Configuration) -> Display:
    if not sys.stderr.isatty():
        return LogDisplay()
    from rich.console import Console  # noqa: PLC0415 - for a terminal alone, as the bars are

    from fill.bars import BarDisplay  # noqa: PLC0415

    return BarDisplay(lambda: start_logging(configuration), Console(stderr=True))


def _print_outcome(progress: FillProgress) -> None:
    print_line(summary(progress))
    failed = [entry for entry in progress.current if entry.state == "failed"]
    for entry in failed:
        print_line(f"  {entry.asset}: {entry.reason}")
    if len(failed) < progress.assets_failed:
        print_line(f"  and {progress.assets_failed - len(failed)} more, in the log")
