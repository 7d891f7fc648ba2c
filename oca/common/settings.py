"""Settings declared once: a msgspec Struct per table gives validation, the commented default file and the docs.

A schema is a frozen Struct whose fields are tables (Structs) or arrays of tables; each key is
``Annotated[type, Meta(ge=…, le=…, description=…, extra={"unit": …, "form": …})] = default``, where ``form`` says in
words what a ``pattern`` wants. Sources, weakest first: the defaults, the file (TOML), the environment
(``PREFIX_TABLE__KEY``), flags (``--set table.key=value``).
"""

from __future__ import annotations

import os
import stat
import tomllib
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any, TypeVar, get_origin, get_type_hints

import msgspec

from oca.common.errors import ConfigError
from oca.common.settings_check import find_fault, origins_of
from oca.common.settings_schema import Key, Table, keys, render_default, split, struct_of, toml

__all__ = ["Key", "Table", "is_there", "keys", "load", "render_default", "toml"]

Schema = TypeVar("Schema", bound=msgspec.Struct)
FILE_BYTES_MAX = 1 << 20


def load(
    schema: type[Schema],
    path: Path | None,
    *,
    environment: Mapping[str, str],
    prefix: str,
    sets: Sequence[str] = (),
    only_known_tables: bool = False,
    installed: Path | None = None,
) -> Schema:
    """Read, merge and check the settings.

    Args:
        schema: The Struct to fill.
        path: The TOML file, or None for ``installed``, or else for defaults alone.
        environment: Usually ``os.environ``; names that start with ``prefix`` + ``_`` and hold ``__`` are settings.
        prefix: ``OCA`` for the appliance, ``OCAFILL``, ``OCASTEERING``.
        sets: ``table.key=value`` from the command line; values as in TOML, or plain text.
        installed: The file that a command goes by which is given none, if it is there: with the defaults it would be
            about, and change, another service than the one that runs here.
        only_known_tables: Leave out tables that ``schema`` does not declare (for a program that reads another's file).

    Raises:
        ConfigError: Naming file, key, value and limit.
    """
    if path is None and installed is not None and is_there(installed):
        path = installed
    document = _read(path) if path is not None else {}
    origins: dict[str, str] = {}
    for origin, steps, text in _overrides(environment, prefix, sets):
        if not only_known_tables or steps[0] in schema.__struct_fields__:
            _put(schema, document, steps, text, origin=origin)
            origins[".".join(steps)] = origin
    if only_known_tables:
        document = {name: value for name, value in document.items() if name in schema.__struct_fields__}
    fault = find_fault(schema, document)
    if fault is not None and path is None and installed is not None and not origins_of(fault, origins):
        raise ConfigError(
            f"{installed} is not there, no --config is given, and of the defaults alone: {fault.message}",
            remedy="write that file ('oca init' does for a box), or name another with --config",
        )
    if fault is not None:
        where = ", ".join(origins_of(fault, origins)) or (str(path) if path is not None else "the defaults")
        raise ConfigError(f"{where}: {fault.message}", remedy=fault.remedy)
    return msgspec.convert(document, schema, strict=True)


def is_there(path: Path) -> bool:
    """Whether there is such a file, as far as this user may see: where it may not look, reading the file says so."""
    try:
        return path.exists()
    except PermissionError:
        return True


def _read(path: Path) -> dict[str, Any]:
    try:
        with path.open("rb") as file:
            raw = file.read(FILE_BYTES_MAX + 1)
    except OSError as error:
        raise ConfigError(f"{path}: cannot be read: {error.strerror}", remedy=_remedy(path, error)) from None
    if len(raw) > FILE_BYTES_MAX:
        raise ConfigError(f"{path}: larger than {FILE_BYTES_MAX} bytes", remedy="this is not a settings file")
    try:
        return tomllib.loads(raw.decode())
    except UnicodeDecodeError as error:
        raise ConfigError(f"{path}: not UTF-8 at byte {error.start}", remedy="save it as UTF-8") from None
    except tomllib.TOMLDecodeError as error:
        raise ConfigError(f"{path}: not TOML: {error}", remedy="mend that line; strings need quotes") from None


def _remedy(path: Path, error: OSError) -> str:
    if not isinstance(error, PermissionError):
        return "check the path and its permissions"
    closed = path if os.access(path.parent, os.X_OK) else path.parent
    with suppress(OSError, KeyError):
        if closed.stat().st_mode & stat.S_IRGRP and (group := closed.group()) != "root":
            return f"use sudo, or join the group {group}"
    return "use sudo"


def _overrides(
    environment: Mapping[str, str], prefix: str, sets: Sequence[str]
) -> Iterator[tuple[str, list[str], str]]:
    """Each override, weakest first: where it stands, the steps to its key, its text."""
    for name, value in sorted(environment.items()):
        if name.startswith(prefix + "_") and "__" in name:
            yield f"the environment variable {name}", name[len(prefix) + 1 :].lower().split("__"), value
    for entry in sets:
        dotted, equals, value = entry.partition("=")
        steps = dotted.strip().split(".")
        if not equals or len(steps) < 2 or not all(steps):
            raise ConfigError(
                f"--set {entry!r} is not of the form table.key=value",
                remedy="write it like --set delivery.workers=1",
            )
        yield f"--set {entry}", steps, value.strip()


def _put(schema: type[msgspec.Struct], document: dict[str, Any], steps: list[str], text: str, *, origin: str) -> None:
    """Put ``text`` into the document; unknown names are put as they are, for the check to refuse."""
    struct: type[msgspec.Struct] | None = schema
    for depth, step in enumerate(steps[:-1], start=1):
        inner, is_array = struct_of(get_type_hints(struct).get(step)) if struct is not None else (None, False)
        table = document.setdefault(step, {})
        if is_array or not isinstance(table, dict):
            name = ".".join(steps[:depth])
            raise ConfigError(f"{origin}: {name} is not a single table", remedy="set it in the file")
        struct, document = inner, table
    kind = get_type_hints(struct, include_extras=True).get(steps[-1]) if struct is not None else None
    document[steps[-1]] = _value(kind, text)


def _value(kind: Any, text: str) -> Any:
    """``text`` as a setting of type ``kind``: as TOML would read it, or plain; a plain list is split at commas."""
    kind, _ = split(kind)
    if kind is str:
        return text
    try:
        return tomllib.loads(f"value = {text}")["value"]
    except tomllib.TOMLDecodeError:
        return [part.strip() for part in text.split(",")] if get_origin(kind) in (list, tuple) else text
