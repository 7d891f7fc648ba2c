"""The command ``oca-fill``: composes settings, service and display, and turns outcomes into exit codes."""

from __future__ import annotations

import sys
from typing import Annotated

import typer
import uvloop
from rich.console import Console

from fill.agent import PACK_OVERHEAD_BYTES, held_asset
from fill.diff import diff_plan
from fill.http import new_session
from fill.preview import Preview, preview_fill
from fill.progress import BarDisplay, Display, LogDisplay, summary
from fill.schedule import in_order
from fill.service import FillService, new_client
from fill.settings import HEADING, PREFIX, Configuration, FillSettings, check_start, load
from oca import __version__
from oca.common import clock
from oca.common.command import (
    EXIT_FAILED,
    JsonOption,
    RequiredConfigOption,
    SetOption,
    new_app,
    print_json,
    print_line,
    run_app,
)
from oca.common.config_command import config_app
from oca.common.log import configure_logging
from oca.common.messages import FillPlan, FillProgress
from oca.common.units import format_bytes
from oca.store.reader import StoreReader
from oca.store.use import survey

NAME = "oca-fill"
app = new_app(NAME, __version__, "Load tomorrow's popular titles onto this appliance, overnight.")
app.add_typer(config_app(FillSettings, prefix=PREFIX, heading=HEADING, check_start=check_start), name="config")


@app.command()
def run(
    *,
    config: RequiredConfigOption,
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
    configuration = load(config, sets or ())
    _start_logging(configuration)
    service = FillService(configuration, lambda: _new_display(configuration), ignore_window=now, wait=not no_wait)
    if forever:
        uvloop.run(service.run_forever())
        return
    progress = uvloop.run(service.run_once())
    if progress is None:
        closed = configuration.window.state(clock.utc_now()).why
        print_line(f"nothing is urgent; {closed}" if no_wait else f"stopped before the fill window opened; {closed}")
    elif json:
        print_json(progress)
    else:
        _print_outcome(progress)
    if not no_wait if progress is None else progress.state != "done":
        raise typer.Exit(EXIT_FAILED)


@app.command()
def plan(config: RequiredConfigOption, sets: SetOption = None, json: JsonOption = False) -> None:
    """Show what a fill would do now, and why, without doing it."""
    configuration = load(config, sets or ())
    _start_logging(configuration)
    preview = _preview(configuration, uvloop.run(_ask_plan(configuration)))
    if json:
        print_json(preview)
    else:
        _print_preview(preview)


def main() -> None:
    """Entry point."""
    run_app(app, NAME)


def _start_logging(configuration: Configuration) -> None:
    log = configuration.own.log
    configure_logging(level=log.level, style=log.format, appliance=configuration.box.appliance.id)


def _new_display(configuration: Configuration) -> Display:
    if not sys.stderr.isatty():
        return LogDisplay()
    return BarDisplay(lambda: _start_logging(configuration), Console(stderr=True))


async def _ask_plan(configuration: Configuration) -> FillPlan:
    async with new_session() as session:
        return await new_client(session, configuration).plan()


def _preview(configuration: Configuration, wanted: FillPlan) -> Preview:
    table = configuration.box.store
    reader = StoreReader.open(configuration.devices)
    try:
        found = survey(
            reader, device_bytes_max=table.device_bytes_max, reserve_ratio=table.reserve_ratio
        ).require_device()
    finally:
        reader.close()
    use = found.use
    held = [held_asset(pack) for pack in found.held]
    free_bytes = max(0, use.capacity_bytes - use.used_bytes)
    diff = diff_plan(in_order(wanted.assets), held, free_bytes=free_bytes, overhead_bytes=PACK_OVERHEAD_BYTES)
    return preview_fill(wanted, diff, capacity_bytes=use.capacity_bytes, free_bytes=free_bytes)


def _print_outcome(progress: FillProgress) -> None:
    print_line(summary(progress))
    failed = [entry for entry in progress.current if entry.state == "failed"]
    for entry in failed:
        print_line(f"  {entry.asset}: {entry.reason}")
    if len(failed) < progress.assets_failed:
        print_line(f"  and {progress.assets_failed - len(failed)} more, in the log")


def _print_preview(preview: Preview) -> None:
    width = max((len(step.asset) for step in preview.steps), default=0)
    for step in preview.steps:
        print_line(f"{step.action:<5}  {step.asset:<{width}}  {format_bytes(step.bytes):>10}  {step.why}")
    print_line(
        f"{preview.appliance}: {format_bytes(preview.fetch_bytes)} to fetch, {format_bytes(preview.evict_bytes)} to "
        f"evict; {format_bytes(preview.free_bytes)} of {format_bytes(preview.capacity_bytes)} free"
    )
