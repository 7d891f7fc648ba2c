"""What a schema of settings declares: its tables and keys, as the printed default, the docs and the checks need them.

Pure. Reading files and merging sources is ``oca.common.settings``.
"""

from __future__ import annotations

import textwrap
from collections.abc import Iterator
from typing import Annotated, Any, Literal, get_args, get_origin, get_type_hints

import msgspec

_TYPE_NAMES = {str: "text", int: "whole number", float: "number", bool: "true or false"}
_COMMENT_COLUMNS = 110


class Table(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Base of every table of settings; its docstring heads the table in the printed default."""


class Key(msgspec.Struct, frozen=True, kw_only=True):
    """One declared setting, for whoever prints, documents or checks it.

    ``default`` is an example where the setting must be given (``has_default`` is false). ``settable`` tells whether
    environment and flags reach it: keys of tables in arrays have no name that could be told apart.
    """

    table: str
    name: str
    type: str
    default: Any
    has_default: bool
    settable: bool
    unit: str
    limits: str
    meaning: str

    @property
    def dotted(self) -> str:
        """``table.key``."""
        return f"{self.table}.{self.name}"

    @property
    def wanted(self) -> str:
        """What a value has to be, for a sentence: type, unit and limits."""
        if self.type == "choice":
            return self.limits
        kind = self.type if self.type.startswith(("text", "true")) else f"a {self.type}"
        kind = f"{kind} in {self.unit}" if self.unit else kind
        return f"{kind}, {self.limits}" if self.limits else kind


class TableShape(msgspec.Struct, frozen=True, kw_only=True):
    """One declared table: ``[name]``, or ``[[name]]`` where ``is_array``; ``in_array`` where it or a parent repeats."""

    name: str
    struct: type[msgspec.Struct]
    is_array: bool
    in_array: bool


def tables(schema: type[msgspec.Struct], under: str = "", *, in_array: bool = False) -> Iterator[TableShape]:
    """Every table of a schema with the tables inside it, in file order."""
    for field in msgspec.structs.fields(schema):
        struct, is_array = struct_of(field.type)
        if struct is not None:
            name = f"{under}{field.encode_name}"
            repeats = in_array or is_array
            yield TableShape(name=name, struct=struct, is_array=is_array, in_array=repeats)
            yield from tables(struct, f"{name}.", in_array=repeats)


def keys(schema: type[msgspec.Struct]) -> Iterator[Key]:
    """Every declared setting of a schema, in file order."""
    for table in tables(schema):
        yield from keys_of(table.struct, table.name, settable=not table.in_array)


def keys_of(struct: type[msgspec.Struct], table: str, *, settable: bool = True) -> Iterator[Key]:
    """The settings of one table, without those of tables inside it."""
    hints = get_type_hints(struct, include_extras=True)
    for field in msgspec.structs.fields(struct):
        if struct_of(field.type)[0] is not None:
            continue
        kind, meta = split(hints[field.name])
        default = field.default
        if field.default_factory is not msgspec.NODEFAULT:
            default = field.default_factory()
        if field.required:
            default = (meta.examples or [""])[0]
        yield Key(
            table=table,
            name=field.encode_name,
            type=_type_name(kind),
            default=default,
            has_default=not field.required,
            settable=settable,
            unit=(meta.extra or {}).get("unit", ""),
            limits=_limits(kind, meta),
            meaning=" ".join((meta.description or "").split()),
        )


def render_default(schema: type[msgspec.Struct], *, heading: str) -> str:
    """The commented default file: each key with its meaning, unit and limits, set to its default.

    Prose follows ``# ``, an example that is switched off follows ``#`` at once: taking that one mark away turns it on.
    """
    lines = [f"# {line}".rstrip() for line in heading.splitlines()]
    for table in tables(schema):
        off = "#" if table.in_array else ""
        lines.append("")
        lines += [f"# {line.strip()}".rstrip() for line in (table.struct.__doc__ or "").strip().splitlines()]
        lines.append(f"{off}[[{table.name}]]" if table.is_array else f"{off}[{table.name}]")
        for key in keys_of(table.struct, table.name):
            prose = f"{key.meaning} ({key.wanted}{'' if key.has_default else '; must be set'})"
            lines += [f"# {line}" for line in textwrap.wrap(prose, _COMMENT_COLUMNS)]
            lines.append(f"{off}{key.name} = {toml(key.default)}")
    return "\n".join(lines) + "\n"


def toml(value: Any) -> str:
    """A value as TOML writes it."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int | float):
        return str(value)
    if isinstance(value, list | tuple):
        return "[" + ", ".join(toml(item) for item in value) + "]"
    if isinstance(value, dict):
        return "{" + ", ".join(f"{name} = {toml(item)}" for name, item in value.items()) + "}"
    escaped = "".join(
        f"\\u{ord(char):04x}" if ord(char) < 0x20 or ord(char) == 0x7F else char
        for char in str(value).replace("\\", "\\\\").replace('"', '\\"')
    )
    return f'"{escaped}"'


def struct_of(kind: Any) -> tuple[type[msgspec.Struct] | None, bool]:
    """The Struct behind a field's type, and whether the field is a list of them; None for a plain key."""
    kind, _ = split(kind)
    if isinstance(kind, type) and issubclass(kind, msgspec.Struct):
        return kind, False
    if get_origin(kind) in (list, tuple):
        inner, _ = struct_of(get_args(kind)[0])
        return inner, inner is not None
    return None, False


def split(kind: Any) -> tuple[Any, msgspec.Meta]:
    """A type without its annotations, and those annotations as one; what stands further out wins."""
    merged: dict[str, Any] = {}
    extra: dict[str, Any] = {}
    while get_origin(kind) is Annotated:
        kind, *metas = get_args(kind)
        for meta in metas:
            if isinstance(meta, msgspec.Meta):
                extra |= meta.extra or {}
                merged |= {name: value for name in _META_FIELDS if (value := getattr(meta, name)) is not None}
    return kind, msgspec.Meta(**merged, extra=extra)


_META_FIELDS = ("gt", "ge", "lt", "le", "pattern", "min_length", "max_length", "description", "examples")


def _type_name(kind: Any) -> str:
    if get_origin(kind) in (list, tuple):
        return f"list of {_type_name(split(get_args(kind)[0])[0])}"
    return "choice" if get_origin(kind) is Literal else _TYPE_NAMES.get(kind, str(kind))


def _limits(kind: Any, meta: msgspec.Meta) -> str:
    parts = []
    if get_origin(kind) is Literal:
        parts.append("one of " + ", ".join(str(choice) for choice in get_args(kind)))
    if meta.ge is not None and meta.le is not None:
        parts.append(f"{meta.ge} to {meta.le}")
    else:
        bounds = (("at least", meta.ge), ("above", meta.gt), ("at most", meta.le), ("below", meta.lt))
        parts += [f"{word} {bound}" for word, bound in bounds if bound is not None]
    if form := (meta.extra or {}).get("form"):
        parts.append(form)
    is_list = get_origin(kind) in (list, tuple)
    what = "entries" if is_list else "characters"
    if meta.min_length is not None and meta.max_length is not None:
        parts.append(f"{meta.min_length} to {meta.max_length} {what}")
    else:
        lengths = (("at least", meta.min_length), ("at most", meta.max_length))
        parts += [f"{word} {length} {what}" for word, length in lengths if length is not None]
    if is_list and (each := _limits(*split(get_args(kind)[0]))):
        parts.append(f"each {each}")
    return ", ".join(parts)
