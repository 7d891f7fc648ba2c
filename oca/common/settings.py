"""Settings declared once: a msgspec Struct per table gives validation, the commented default file and the docs.

A schema is a frozen Struct whose fields are tables (Structs) or arrays of tables; each key is
``Annotated[type, Meta(ge=…, le=…, description=…, extra={"unit": …})] = default``. Sources, weakest first: the defaults,
the file (TOML), the environment (``PREFIX_TABLE__KEY``), flags (``--set table.key=value``).
"""

from __future__ import annotations

import difflib
import re
import tomllib
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any, TypeVar, get_args, get_origin, get_type_hints

import msgspec

from oca.common.errors import ConfigError

Schema = TypeVar("Schema", bound=msgspec.Struct)
FILE_BYTES_MAX = 1 << 20


class Table(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Base of every table of settings; its docstring heads the table in the printed default."""


class Key(msgspec.Struct, frozen=True):
    """One declared setting, for whoever prints or documents it."""

    table: str
    name: str
    type: str
    default: Any
    unit: str
    limits: str
    meaning: str


def load(
    schema: type[Schema],
    path: Path | None,
    *,
    environment: Mapping[str, str],
    prefix: str,
    sets: Sequence[str] = (),
    only_known_tables: bool = False,
) -> Schema:
    """Read, merge and check the settings.

    Args:
        schema: The Struct to fill.
        path: The TOML file, or None for defaults alone.
        environment: Usually ``os.environ``; names that start with ``prefix`` + ``_`` and hold ``__`` are settings.
        prefix: ``OCA`` for the appliance, ``OCAFILL``, ``OCASTEERING``.
        sets: ``table.key=value`` from the command line; values as in TOML, or plain text.
        only_known_tables: Leave out tables that ``schema`` does not declare (for a program that reads another's file).

    Raises:
        ConfigError: Naming file, key, value and limit.
    """
    document = _read(path) if path is not None else {}
    if only_known_tables:
        document = {name: value for name, value in document.items() if name in schema.__struct_fields__}
    where = str(path) if path is not None else "the defaults"
    origins: dict[str, str] = {}
    for name, value in sorted(environment.items()):
        if name.startswith(prefix + "_") and "__" in name:
            table, _, key = name[len(prefix) + 1 :].lower().partition("__")
            if only_known_tables and table not in schema.__struct_fields__:
                continue
            _put(
                schema,
                document,
                table,
                key,
                value,
                origin=f"the environment variable {name}",
                origins=origins,
            )
    for entry in sets:
        dotted, equals, value = entry.partition("=")
        table, dot, key = dotted.strip().partition(".")
        if not equals or not dot:
            raise ConfigError(
                f"--set {entry!r} is not of the form table.key=value",
                remedy="write it like --set delivery.workers=1",
            )
        _put(schema, document, table, key, value.strip(), origin=f"--set {entry}", origins=origins)
    _refuse_unknown(schema, document, where, "", origins)
    try:
        return msgspec.convert(document, schema, strict=True)
    except msgspec.ValidationError as error:
        raise _explain(error, document, where, origins) from None


def keys(schema: type[msgspec.Struct]) -> Iterator[Key]:
    """Every declared setting of a schema, in file order."""
    for table, struct, _ in _tables(schema):
        yield from _keys_of(table, struct)


def render_default(schema: type[msgspec.Struct], *, heading: str) -> str:
    """The commented default file: each key with its meaning, unit and limits, set to its default."""
    lines = [f"# {line}".rstrip() for line in heading.splitlines()]
    for table, struct, is_array in _tables(schema):
        lines.append("")
        lines += [f"# {line}".rstrip() for line in (struct.__doc__ or "").strip().splitlines()]
        comment = "#" if is_array else ""
        lines.append(f"{comment}[[{table}]]" if is_array else f"[{table}]")
        for key in _keys_of(table, struct):
            limits = "; ".join(part for part in (key.unit, key.limits) if part)
            lines += [f"# {line}" for line in (key.meaning + (f" ({limits})" if limits else "")).splitlines()]
            lines.append(f"{comment}{key.name} = {_toml(key.default)}")
    return "\n".join(lines) + "\n"


def _read(path: Path) -> dict[str, Any]:
    try:
        with path.open("rb") as file:
            raw = file.read(FILE_BYTES_MAX + 1)
    except OSError as error:
        raise ConfigError(
            f"{path}: cannot be read: {error.strerror}", remedy="check the path and its permissions"
        ) from None
    if len(raw) > FILE_BYTES_MAX:
        raise ConfigError(f"{path}: larger than {FILE_BYTES_MAX} bytes", remedy="this is not a settings file")
    try:
        return tomllib.loads(raw.decode())
    except UnicodeDecodeError as error:
        raise ConfigError(f"{path}: not UTF-8 at byte {error.start}", remedy="save it as UTF-8") from None
    except tomllib.TOMLDecodeError as error:
        raise ConfigError(f"{path}: not TOML: {error}", remedy="mend that line; strings need quotes") from None


def _put(
    schema: type[msgspec.Struct],
    document: dict[str, Any],
    table: str,
    key: str,
    text: str,
    *,
    origin: str,
    origins: dict[str, str],
) -> None:
    struct = {name: struct for name, struct, is_array in _tables(schema) if not is_array}.get(table)
    kind = get_type_hints(struct).get(key) if struct is not None else None
    under = document.setdefault(table, {})
    if not isinstance(under, dict):
        raise ConfigError(f"{origin}: [[{table}]] is a list of tables", remedy="set it in the file")
    under[key] = text if kind is str else _value(text)
    origins[f"{table}.{key}"] = origin


def _value(text: str) -> Any:
    """A value as TOML would read it; anything that is not TOML is plain text."""
    try:
        return tomllib.loads(f"value = {text}")["value"]
    except tomllib.TOMLDecodeError:
        return text


def _refuse_unknown(
    schema: type[msgspec.Struct], given: Mapping[str, Any], where: str, table: str, origins: Mapping[str, str]
) -> None:
    known = {field.encode_name: field.type for field in msgspec.structs.fields(schema)}
    for name, value in given.items():
        dotted = f"{table}.{name}" if table else name
        if name not in known:
            near = difflib.get_close_matches(name, known, n=1)
            hint = f"did you mean {near[0]}?" if near else f"known here: {', '.join(known)}"
            what = "key" if table else "table"
            raise ConfigError(f"{origins.get(dotted, where)}: unknown {what} {dotted}", remedy=hint)
        struct, _ = _struct_of(known[name])
        if struct is None:
            continue
        for item in value if isinstance(value, list) else [value]:
            if isinstance(item, dict):
                _refuse_unknown(struct, item, where, dotted, origins)


def _explain(
    error: msgspec.ValidationError, document: Mapping[str, Any], where: str, origins: Mapping[str, str]
) -> ConfigError:
    text = str(error)
    what, _, place = text.partition(" - at `$.")
    if not place and (missing := re.fullmatch(r"Object missing required field `(\w+)`", what)):
        return ConfigError(f"{where}: [{missing[1]}] is missing", remedy=f"add the table [{missing[1]}]")
    dotted = place.rstrip("`")
    if missing := re.search(r"missing required field `(\w+)`", what):
        return ConfigError(f"{where}: {dotted}.{missing[1]} is missing", remedy=f"set {missing[1]} under [{dotted}]")
    value: Any = document
    for step in re.findall(r"\w+|\[\.\.\.\]", dotted):
        value = value.get(step) if isinstance(value, dict) else None
    shown = f" = {value!r}" if value is not None else ""
    wanted = what[0].lower() + what[1:] if what else "wrong"
    return ConfigError(f"{origins.get(dotted, where)}: {dotted}{shown}: {wanted}", remedy="correct that value")


def _tables(schema: type[msgspec.Struct], under: str = "") -> Iterator[tuple[str, type[msgspec.Struct], bool]]:
    for field in msgspec.structs.fields(schema):
        struct, is_array = _struct_of(field.type)
        if struct is not None:
            yield under + field.encode_name, struct, is_array or bool(under)
            yield from _tables(struct, f"{under}{field.encode_name}.")


def _struct_of(kind: Any) -> tuple[type[msgspec.Struct] | None, bool]:
    while get_origin(kind) is Annotated:
        kind = get_args(kind)[0]
    arguments = get_args(kind)
    if arguments and get_origin(kind) in (list, tuple):
        inner, _ = _struct_of(arguments[0])
        return inner, True
    if isinstance(kind, type) and issubclass(kind, msgspec.Struct):
        return kind, False
    return None, False


def _keys_of(table: str, struct: type[msgspec.Struct]) -> Iterator[Key]:
    hints = get_type_hints(struct, include_extras=True)
    for field in msgspec.structs.fields(struct):
        if _struct_of(field.type)[0] is not None:
            continue
        kind: Any = hints[field.name]
        metas = [part for part in get_args(kind)[1:] if isinstance(part, msgspec.Meta)]
        meta = metas[-1] if metas else msgspec.Meta()
        if field.default is not msgspec.NODEFAULT:
            default = field.default
        elif field.default_factory is not msgspec.NODEFAULT:
            default = field.default_factory()
        else:
            default = (meta.examples or [""])[0]
        yield Key(
            table=table,
            name=field.encode_name,
            type=_type_name(kind),
            default=default,
            unit=(meta.extra or {}).get("unit", ""),
            limits=_limits(meta, kind),
            meaning=" ".join((meta.description or "").split()),
        )


def _type_name(kind: Any) -> str:
    while get_origin(kind) is Annotated:
        kind = get_args(kind)[0]
    return "list" if get_origin(kind) in (list, tuple) else getattr(kind, "__name__", "choice")


def _limits(meta: msgspec.Meta, kind: Any) -> str:
    parts = []
    if meta.ge is not None and meta.le is not None:
        parts.append(f"{meta.ge} to {meta.le}")
    elif meta.ge is not None:
        parts.append(f"at least {meta.ge}")
    elif meta.gt is not None:
        parts.append(f"above {meta.gt}" + (f", at most {meta.le}" if meta.le is not None else ""))
    while get_origin(kind) is Annotated:
        kind = get_args(kind)[0]
    choices = [str(choice) for choice in get_args(kind)] if _type_name(kind) == "Literal" else []
    if choices:
        parts.append("one of " + ", ".join(choices))
    return ", ".join(parts)


def _toml(value: Any) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int | float):
        return str(value)
    if isinstance(value, list | tuple):
        return "[" + ", ".join(_toml(item) for item in value) + "]"
    escaped = str(value).replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'
