"""How every command of ours behaves: options, exit codes, and one clear line for what went wrong.

Exit codes: 0 done, 1 failed, 2 bad usage, 78 bad configuration, 130 interrupted. What a command does lives elsewhere.
"""

from __future__ import annotations

import faulthandler
import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, NoReturn

import msgspec
import typer

from oca.common.errors import ConfigError, OcaError
from oca.common.later import Places, later
from oca.common.units import parse_duration

DAY_S = 86400
TTL_S_MIN = 60
EXIT_FAILED = 1
EXIT_CONFIG = 78
EXIT_INTERRUPTED = 130
DEBUG_VARIABLE = "OCA_DEBUG"

ConfigOption = Annotated[
    Path | None,
    typer.Option("--config", "-c", help="Settings file (TOML); without it, the installed one, or else the defaults."),
]
RequiredConfigOption = Annotated[Path, typer.Option("--config", "-c", help="Settings file (TOML).")]
SetOption = Annotated[
    list[str] | None, typer.Option("--set", metavar="TABLE.KEY=VALUE", help="Override one setting; repeatable.")
]
JsonOption = Annotated[bool, typer.Option("--json", help="Print JSON for a program instead of a table.")]


def new_app(name: str, version: str, about: str, places: Places | None = None) -> typer.Typer:
    """A command line named ``name`` with ``--version``, ``--debug``, help and the commands that are at ``places``; add
    others to it, then ``run_app``.
    """
    return typer.Typer(
        name=name,
        cls=later(places or {}),
        help=about,
        callback=_root,
        no_args_is_help=True,
        add_completion=False,
        pretty_exceptions_enable=False,
        context_settings={"obj": f"{name} {version}"},
    )


def run_app(app: typer.Typer, name: str, arguments: Sequence[str] | None = None) -> NoReturn:
    """Run ``app`` and leave the process with the exit code its outcome deserves; never returns."""
    if sys.__stderr__ is not None and not faulthandler.is_enabled():
        faulthandler.enable(sys.__stderr__)  # a signal such as SIGBUS, of a bad page in a mapped file, leaves a trace
    try:
        app(args=None if arguments is None else list(arguments), prog_name=name)
    except OcaError as error:
        _reraise_for_debugging()
        print_error(f"{name}: {error}")
        raise SystemExit(EXIT_CONFIG if isinstance(error, ConfigError) else EXIT_FAILED) from None
    except KeyboardInterrupt:
        raise SystemExit(EXIT_INTERRUPTED) from None
    except Exception as error:  # noqa: BLE001 - the seam where a fault of ours turns into one line
        _reraise_for_debugging()
        what = f"{type(error).__name__}: {error}".splitlines()[0]
        print_error(f"{name}: internal fault: {what}; run it again with {DEBUG_VARIABLE}=1 and report the traceback")
        raise SystemExit(EXIT_FAILED) from None
    raise SystemExit(0)


def for_seconds(lasting: str, *, most_s: int) -> int:
    """How long ``--for`` has a drain or a pause last; 0: none was given.

    Raises:
        ConfigError: It is no such time.
    """
    for_s = int(parse_duration(lasting) or 0)
    if lasting and not 1 <= for_s <= most_s:
        raise ConfigError(
            f"--for {lasting!r} is no time up to {most_s // DAY_S} days", remedy="write it like 30m, 2h or 1d"
        )
    return for_s


def ttl_seconds(ttl: str, *, most_s: int) -> float:
    """How long ``--ttl`` has something be good.

    Raises:
        typer.BadParameter: It is no such time, or under a minute.
    """
    seconds = parse_duration(ttl)
    if seconds is None or not TTL_S_MIN <= seconds <= most_s:
        raise typer.BadParameter(f"{ttl!r} is not {TTL_S_MIN}s to {most_s // DAY_S}d", param_hint="--ttl")
    return seconds


def print_line(text: str) -> None:
    """One line on standard output."""
    sys.stdout.write(text + "\n")


def print_error(text: str) -> None:
    """One line on standard error."""
    sys.stdout.flush()
    sys.stderr.write(text + "\n")


def print_json(value: object) -> None:
    """``value`` as indented JSON on standard output, by msgspec."""
    print_line(msgspec.json.format(msgspec.json.encode(value), indent=2).decode())


def _show_version(context: typer.Context, wanted: bool) -> None:
    if wanted:
        print_line(context.obj)
        raise typer.Exit


def _root(
    version: Annotated[
        bool, typer.Option("--version", callback=_show_version, is_eager=True, help="Print the version and exit.")
    ] = False,
    debug: Annotated[
        bool, typer.Option("--debug", help=f"Show tracebacks; also by {DEBUG_VARIABLE}=1 in the environment.")
    ] = False,
) -> None:
    del version  # its callback has dealt with it
    if debug:
        os.environ[DEBUG_VARIABLE] = "1"  # child processes are to speak up as well


def _reraise_for_debugging() -> None:
    if os.environ.get(DEBUG_VARIABLE):
        raise  # noqa: PLE0704 - called from an except block only
