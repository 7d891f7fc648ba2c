"""The ``oca`` command: serve, and what an operator asks of a running appliance."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import typer

from oca import __version__
from oca.admin.client import ask_quality, ask_status, change_serving, renew
from oca.admin.quality import ROWS_SHOWN, ROWS_SHOWN_MAX, By, quality_lines
from oca.admin.screen import renewal_text, status_lines
from oca.changes import taken_up
from oca.cli_enrol import enrol
from oca.cli_routes import routes_app
from oca.cli_store import store_app
from oca.cli_support import support_bundle
from oca.cli_token import token_app
from oca.cli_top import top
from oca.cli_turnup import check, init
from oca.common.command import (
    EXIT_FAILED,
    ConfigOption,
    JsonOption,
    RequiredConfigOption,
    SetOption,
    new_app,
    print_json,
    print_line,
    run_app,
)
from oca.common.config_command import config_app
from oca.common.errors import ConfigError, OcaError
from oca.common.identity import Credentials
from oca.common.units import parse_duration
from oca.inheritance import Inheritance
from oca.report.serving import DRAIN_S_MAX
from oca.settings import HEADING, PREFIX, ApplianceSettings, load_admin, load_settings
from oca.signing import read_keys_file
from oca.store.presence import absent_devices

app = new_app("oca", __version__, "Serve video segments from this appliance's store.")


def _check_start(file: Path, sets: Sequence[str]) -> list[str]:
    settings = load_settings(file, sets)
    if settings.steering.url:
        Credentials(settings.steering, settings.appliance.id)
    read_keys_file(settings.delivery.authorisation.keys_file)
    from oca.delivery.tls_keeper import check as check_tls  # noqa: PLC0415 - the other commands start without it

    return [*check_tls(settings.delivery.tls), *absent_devices(settings.store.devices)]


app.command()(init)
app.command()(check)
app.command()(top)
app.command("support-bundle")(support_bundle)
app.add_typer(
    config_app(ApplianceSettings, prefix=PREFIX, heading=HEADING, check_start=_check_start, taken_up=taken_up),
    name="config",
)
app.add_typer(routes_app, name="routes")
app.add_typer(store_app, name="store")
app.add_typer(token_app, name="token")
app.command()(enrol)


def main() -> None:
    """Run the command line."""
    run_app(app, "oca")


@app.command()
def serve(config: RequiredConfigOption, sets: SetOption = None) -> None:
    """Serve viewers until SIGTERM or Ctrl-C, then finish what is being sent."""

    def load() -> ApplianceSettings:
        return load_settings(config, sets or ())

    inheritance = Inheritance.claim(os.environ)
    try:
        settings = load()
        from oca.program import serve as run_daemon  # noqa: PLC0415 - the other commands start without its parts

        run_daemon(settings, load, inheritance)
    except OcaError as error:
        if inheritance.predecessor is not None:
            inheritance.predecessor.tell(str(error))
        raise


@app.command()
def status(config: ConfigOption = None, sets: SetOption = None, json: JsonOption = False) -> None:
    """Show the running appliance: serving state and why, load, store, steering."""
    found = ask_status(load_admin(config, sets or ()).listen)
    if json:
        print_json(found)
        return
    for line in status_lines(found):
        print_line(line)


@app.command()
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


@app.command()
def drain(
    config: ConfigOption = None,
    sets: SetOption = None,
    lasting: Annotated[str, typer.Option("--for", help="Serve again by itself after this: 45s, 30m, 2h or 1d.")] = "",
    json: JsonOption = False,
) -> None:
    """Send no new viewers here; who plays is moved or finishes. Holds across restarts until 'oca undrain'."""
    for_s = int(parse_duration(lasting) or 0)
    if lasting and not 1 <= for_s <= DRAIN_S_MAX:
        raise ConfigError(f"--for {lasting!r} is no time up to 30 days", remedy="write it like 30m, 2h or 1d")
    _change_serving("drain", config, sets, json=json, for_s=for_s)


@app.command()
def undrain(config: ConfigOption = None, sets: SetOption = None, json: JsonOption = False) -> None:
    """Serve again."""
    _change_serving("undrain", config, sets, json=json)


@app.command()
def reload(config: ConfigOption = None, sets: SetOption = None, json: JsonOption = False) -> None:
    """Have the running appliance read its settings and files anew, as SIGHUP does; no viewer notices."""
    _renew("reload", config, sets, json=json)


@app.command()
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


if __name__ == "__main__":
    main()
