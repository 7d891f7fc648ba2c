"""``oca-fill report``, ``status``, ``pause`` and ``resume``: what the agent keeps on the box, shown and changed."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer
import uvloop
from msgspec import Struct

from fill.gate import Gate
from fill.http import new_session
from fill.night import Night
from fill.page import KINDS, efficiency_text, render_page
from fill.progress import summary
from fill.served import note_served
from fill.settings import Configuration, load_for_command, start_logging
from fill.state import FillState
from oca.common import clock
from oca.common.command import ConfigOption, JsonOption, SetOption, for_seconds, print_json, print_line
from oca.common.errors import OcaError
from oca.common.messages import FillProgress
from oca.common.units import format_bytes, format_duration, format_instant
from oca.store.fill_record import Pause, is_running

PAUSE_S_MAX = 365 * 86400


class NightReport(Struct, frozen=True):
    """A night, with its fill efficiency: bytes served ÷ bytes filled, None before anything is known of it."""

    night: Night
    efficiency: float | None
    efficiency_is_final: bool


class Standing(Struct, frozen=True):
    """How fills stand on this box now."""

    appliance: str
    running: bool
    paused: bool
    opened: bool
    why: str
    night: str
    night_bytes: int
    night_bytes_max: int
    progress: FillProgress | None


def report(
    config: ConfigOption = None,
    sets: SetOption = None,
    nights: Annotated[int, typer.Option("--nights", min=1, max=60, help="How many of the last nights.")] = 7,
    page: Annotated[Path | None, typer.Option("--page", help="Write them as an HTML page with a plot.")] = None,
    json: JsonOption = False,
) -> None:
    """Show what the last nights' fills brought: bytes and assets, by source, what was refused, and what came of it.

    Efficiency is what viewers got from the box in the 24 hours after the night ÷ what the night filled.
    """
    configuration = load_for_command(config, sets)
    start_logging(configuration)
    state = FillState(configuration.devices[0])
    uvloop.run(_note_served(configuration, state))
    found = state.nights()[-nights:]
    if page is not None:
        _write_page(page, render_page(configuration.box.appliance.id, found))
    if json:
        print_json([NightReport(night, night.efficiency, night.efficiency_is_final) for night in found])
    elif not found:
        print_line("no fill has run on this box yet")
    else:
        for night in found:
            _print_night(night)


def status(config: ConfigOption = None, sets: SetOption = None, json: JsonOption = False) -> None:
    """Show whether a fill runs, how far it is, and what holds it back."""
    configuration = load_for_command(config, sets)
    state = FillState(configuration.devices[0])
    gate, progress, now_ns = Gate(configuration, state, ignore_window=False).look(), state.progress(), clock.now_ns()
    standing = Standing(
        appliance=configuration.box.appliance.id,
        running=is_running(progress, now_ns),
        paused=state.pause(now_ns) is not None,
        opened=gate.opened,
        why=gate.why,
        night=gate.night,
        night_bytes=sum(night.fetched_bytes for night in state.nights() if night.night == gate.night),
        night_bytes_max=configuration.own.fill.night_bytes_max,
        progress=progress,
    )
    if json:
        print_json(standing)
    else:
        _print_standing(standing)


def pause(
    config: ConfigOption = None,
    sets: SetOption = None,
    lasting: Annotated[
        str, typer.Option("--for", help="End the pause by itself after this: 30m, 2h or 1d; a number alone: hours.")
    ] = "",
    why: Annotated[str, typer.Option("--why", help="Shown to whoever asks why nothing is filled.")] = "",
) -> None:
    """Fetch nothing more, urgent or not, until resume; a fill that runs stops within seconds and keeps what came."""
    for_s = for_seconds(f"{lasting}h" if lasting.isdigit() else lasting, most_s=PAUSE_S_MAX)
    configuration = load_for_command(config, sets)
    now_ns = clock.now_ns()
    until_ns = now_ns + for_s * 10**9 if for_s else 0
    FillState(configuration.devices[0]).begin_pause(Pause(now_ns, until_ns, why[:400]))
    print_line(f"paused until {format_instant(until_ns)}" if until_ns else "paused until 'oca-fill resume'")


def resume(config: ConfigOption = None, sets: SetOption = None) -> None:
    """End a pause; an agent that runs goes on within seconds."""
    configuration = load_for_command(config, sets)
    state = FillState(configuration.devices[0])
    paused = state.pause(clock.now_ns()) is not None
    state.end_pause()
    why = Gate(configuration, state, ignore_window=False).look().why
    print_line(f"resumed; {why}" if paused else f"was not paused; {why}")


async def _note_served(configuration: Configuration, state: FillState) -> None:
    async with new_session() as session:
        await note_served(session, configuration.box.admin.listen, state)


def _write_page(path: Path, text: str) -> None:
    try:
        path.write_text(text)
    except OSError as error:
        raise OcaError(f"{path}: cannot be written: {error.strerror}", remedy="name another file") from None


def _print_night(night: Night) -> None:
    sources = ", ".join(f"{format_bytes(night.bytes_by_source.get(kind, 0))} from {kind}" for kind in KINDS)
    print_line(
        f"{night.night}: {format_bytes(night.bytes_in)} in (assets: {night.assets_in}), "
        f"{format_bytes(night.bytes_out)} out (assets: {night.assets_out}); "
        f"fills: {night.fills}, {format_duration(night.filling_s)}, the last one {night.state}"
    )
    print_line(f"  over the network {sources}; efficiency {efficiency_text(night)}")
    if night.reason:
        print_line(f"  {night.reason}")
    for entries, total, what in (
        (night.refused, night.refused_total, "refused"),
        (night.left_out, night.left_out_total, "left out"),
    ):
        for entry in entries:
            print_line(f"  {what}  {entry.asset}  {format_bytes(entry.bytes)}  {entry.reason}")
        if total > len(entries):
            print_line(f"  and {total - len(entries)} more {what}")


def _print_standing(standing: Standing) -> None:
    print_line(f"{standing.appliance}: {'a fill runs' if standing.running else 'no fill runs'}; {standing.why}")
    limit = f" of {format_bytes(standing.night_bytes_max)}" if standing.night_bytes_max else ""
    print_line(
        f"  night {standing.night}: {format_bytes(standing.night_bytes)}{limit} fetched by fills that have ended"
    )
    progress = standing.progress
    if progress is None:
        return
    when = "since" if standing.running else "last fill, of"
    print_line(f"  {when} {format_instant(progress.started_at_ns)}: {summary(progress)}")
    for entry in progress.current:
        if entry.state not in ("queued", "committed"):
            done = f"{format_bytes(entry.bytes_done)} of {format_bytes(entry.bytes)}"
            print_line(f"  {entry.state:<9} {entry.asset}  {done}  {entry.reason or entry.source}")
