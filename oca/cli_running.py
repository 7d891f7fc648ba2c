"""What an operator asks of a running appliance: ``oca status``, ``quality``, ``drain``, ``undrain``, ``reload`` and
``upgrade``, all by the admin API.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from oca.admin.client import ask_quality, ask_status, change_serving, renew
from oca.admin.quality import ROWS_SHOWN, ROWS_SHOWN_MAX, By, quality_lines
from oca.admin.screen import renewal_text, status_lines
from oca.common.command import EXIT_FAILED, ConfigOption, JsonOption, SetOption, for_seconds, print_json, print_line
from oca.report.serving import DRAIN_S_MAX
from oca.settings import load_admin


def status(config: ConfigOption = None, sets: SetOption = None, json: JsonOption = False) -> None:
    """Show the running appliance: serving state and why, load, store, steering."""
    found = ask_status(load_admin(config, sets or ()).listen)
    if json:
        print_json(found)
        return
    for line in status_lines(found):
        print_line(line)


def quality(
    config: ConfigOption = None,
    sets: SetOption = None,
    by: Annotated[
        By, typer.Option(help="What to sum over: each client prefix, each asset, or both together.")
    ] = "prefix",
    limit: Annotated[int, typer.Option(min=1, max=ROWS_SHOWN_MAX, help="Most rows, worst first.")] = ROWS_SHOWN,
    json: JsonOption = False,
) -> None:
    """Show what viewers had in the last quarter of an hour, by what their players tell (CMCD): who was starved."""
    found = ask_quality(load_admin(config, sets or ()).listen, by, limit)
    if json:
        print_json(found)
        return
    for line in quality_lines(found):
        print_line(line)


def drain(
    config: ConfigOption = None,
    sets: SetOption = None,
    lasting: Annotated[str, typer.Option("--for", help="Serve again by itself after this: 45s, 30m, 2h or 1d.")] = "",
    json: JsonOption = False,
) -> None:
    """Send no new viewers here; who plays is moved or finishes. Holds across restarts until 'oca undrain'."""
    for_s = for_seconds(lasting, most_s=DRAIN_S_MAX)
    _change_serving("drain", config, sets, json=json, for_s=for_s)


def undrain(config: ConfigOption = None, sets: SetOption = None, json: JsonOption = False) -> None:
    """Serve again."""
    _change_serving("undrain", config, sets, json=json)


def reload(config: ConfigOption = None, sets: SetOption = None, json: JsonOption = False) -> None:
    """Have the running appliance read its settings and files anew, as SIGHUP does; no viewer notices."""
    _renew("reload", config, sets, json=json)


def upgrade(config: ConfigOption = None, sets: SetOption = None, json: JsonOption = False) -> None:
    """Let a new daemon of the version that is installed now take over, as SIGUSR2 does; no viewer notices."""
    _renew("upgrade", config, sets, json=json)


def _renew(wanted: str, config: Path | None, sets: list[str] | None, *, json: bool) -> None:
    outcome = renew(load_admin(config, sets or ()).listen, wanted)
    if json:
        print_json(outcome)
    else:
        print_line(renewal_text(outcome))
    if not outcome.done:
        raise SystemExit(EXIT_FAILED)


def _change_serving(wanted: str, config: Path | None, sets: list[str] | None, *, json: bool, for_s: int = 0) -> None:
    answer = change_serving(load_admin(config, sets or ()).listen, wanted, for_s)
    if json:
        print_json(answer)
    else:
        said = answer.serving if answer.changed else f"{answer.serving} already"
        print_line(f"{said}: {answer.follows}" if answer.follows else said)
