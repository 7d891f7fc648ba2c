"""``config print|check|diff|explain``, the same for every program of ours."""

from __future__ import annotations

import difflib
import os
from collections.abc import Callable, Iterator, Sequence
from operator import attrgetter
from pathlib import Path
from typing import Annotated, Any

import msgspec
import typer

from oca.common import settings
from oca.common.command import JsonOption, SetOption, print_error, print_json, print_line
from oca.common.errors import ConfigError
from oca.common.settings_schema import tables

StartCheck = Callable[[Path, Sequence[str]], Sequence[str]]
"""Reads a settings file, with its overrides, as the program does when it starts, and all that the file names.

It returns what the program would start without, and raises a ``ConfigError`` where it would not start.
"""


TakenUp = Callable[[str], str]
"""When a running program takes up a setting that is changed in its file, by the dotted key."""


class Changed(msgspec.Struct, frozen=True):
    """A setting that is not as it comes; ``default`` is None where there is none, or where it is a list of tables."""

    key: str
    value: Any
    default: Any


def config_app(
    schema: type[msgspec.Struct], *, prefix: str, heading: str, check_start: StartCheck, taken_up: TakenUp
) -> typer.Typer:
    """The ``config`` commands over ``schema``; mount it with ``app.add_typer(…, name="config")``.

    Args:
        schema: What the program's file holds.
        prefix: Of the environment variables that override it: ``OCA``, ``OCAFILL``, ``OCASTEERING``.
        heading: Opens the printed default.
        check_start: What ``config check`` holds a file against.
        taken_up: When a change of a setting counts.
    """
    app = typer.Typer(help="Print, check and explain the settings.", no_args_is_help=True)

    @app.command("print")
    def print_default() -> None:
        """Print every setting with its meaning, unit, limits and default."""
        print_line(settings.render_default(schema, heading=heading).rstrip("\n"))

    @app.command()
    def check(
        file: Annotated[Path, typer.Argument(help="Settings file (TOML).")],
        sets: SetOption = None,
        file_only: Annotated[
            bool, typer.Option("--file-only", help="Leave out the files and folders it names: they are elsewhere.")
        ] = False,
    ) -> None:
        """Check a settings file, and that what it names is here; what is wrong is named with key, value and limit."""
        if file_only:
            settings.load(schema, file, environment=os.environ, prefix=prefix, sets=sets or ())
        else:
            for missing in check_start(file, sets or ()):
                print_error(missing)
        print_line(f"{file}: good")

    _add_diff(app, schema, prefix)

    @app.command()
    def explain(
        key: Annotated[str, typer.Argument(help="table.key, or a table.")],
        json: JsonOption = False,
    ) -> None:
        """Say what a setting means, its unit, limits and default, and how to set it."""
        found = find_keys(schema, key)
        if json:
            print_json(found)
            return
        print_line("\n\n".join(explain_key(entry, prefix, taken_up(entry.dotted)) for entry in found))

    return app


def _add_diff(app: typer.Typer, schema: type[msgspec.Struct], prefix: str) -> None:
    @app.command()
    def diff(
        file: Annotated[Path, typer.Argument(help="Settings file (TOML).")],
        sets: SetOption = None,
        json: JsonOption = False,
    ) -> None:
        """Show only what a file, the environment and --set change, each beside its default."""
        found = settings.load(schema, file, environment=os.environ, prefix=prefix, sets=sets or ())
        changed = changed_settings(found)
        if json:
            print_json(changed)
            return
        for line in diff_lines(changed):
            print_line(line)


def find_keys(schema: type[msgspec.Struct], wanted: str) -> list[settings.Key]:
    """The settings that ``wanted`` names: one key, or all keys of a table.

    Raises:
        ConfigError: There is none; the remedy names the nearest.
    """
    every = list(settings.keys(schema))
    found = [key for key in every if wanted in (key.dotted, key.table)]
    if not found:
        near = difflib.get_close_matches(wanted, [key.dotted for key in every], n=1)
        remedy = f"did you mean {near[0]}?" if near else "'config print' lists them all"
        raise ConfigError(f"there is no setting {wanted}", remedy=remedy)
    return found


def changed_settings(found: msgspec.Struct) -> list[Changed]:
    """What in ``found`` is not as it comes, in file order."""
    schema = type(found)
    changed = []
    for key in settings.keys(schema):
        if key.settable:
            value = attrgetter(key.dotted)(found)
            if not key.has_default or value != key.default:
                changed.append(Changed(key.dotted, value, key.default if key.has_default else None))
    repeated = [table.name for table in tables(schema) if table.is_array and "." not in table.name]
    counts = ((name, len(getattr(found, name))) for name in repeated)
    return [*changed, *(Changed(f"[[{name}]]", count, None) for name, count in counts if count)]


def diff_lines(changed: Sequence[Changed]) -> Iterator[str]:
    """For a person: one setting a line."""
    if not changed:
        yield "nothing: every setting is as it comes"
    for one in changed:
        if one.key.startswith("[["):
            yield f"{one.key}  {one.value} of them"
        else:
            default = "must be set" if one.default is None else f"default {settings.toml(one.default)}"
            yield f"{one.key} = {settings.toml(one.value)}  ({default})"


def explain_key(key: settings.Key, prefix: str, taken_up: str) -> str:
    """One setting, for a person."""
    lines = [key.dotted, f"  {key.meaning}", f"  type     {key.type}"]
    lines += [f"  unit     {key.unit}"] if key.unit else []
    lines += [f"  limits   {key.limits}"] if key.limits else []
    lines.append(f"  default  {settings.toml(key.default)}" if key.has_default else "  default  none: it must be set")
    if key.settable:
        lines.append(f"  set by   --set {key.dotted}=… or {prefix}_{key.table.upper()}__{key.name.upper()}=…")
    lines.append(f"  counts   {taken_up}")
    return "\n".join(lines)
