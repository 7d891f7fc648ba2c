"""Finds what is wrong with given settings and says it to an operator: key, value, limit, and what to do.

Pure. The words come from the declaration (``oca.common.settings_schema``), never from a type checker's vocabulary.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

import msgspec

from oca.common.settings_schema import keys_of, struct_of, toml

_SHOWN_MAX = 80
_READERS = {
    **dict.fromkeys(("appliance", "delivery", "store"), "appliance.toml, which oca reads"),
    **dict.fromkeys(("box", "fill", "window", "day_window"), "fill.toml, which oca-fill reads"),
    **dict.fromkeys(("site", "api", "state", "fleet", "plan", "origin"), "steering.toml, which oca-steering reads"),
}
"""Tables of one program alone: whoever gives its file to another is told so, not of names that look alike."""


class Fault(NamedTuple):
    """One thing that is wrong; ``dotted`` is the ``table.key`` it concerns, to tell which source gave it."""

    dotted: str
    message: str
    remedy: str


def find_fault(schema: type[msgspec.Struct], given: Mapping[str, Any]) -> Fault | None:
    """The first thing wrong with ``given`` as a document of ``schema``; None where all is well."""
    return _in_table(schema, given, "", "")


def origins_of(fault: Fault, origins: Mapping[str, str]) -> list[str]:
    """The overrides with a part in ``fault``: its own key's, or those of the keys that its message names.

    Args:
        fault: What is wrong.
        origins: Where each overridden ``table.key`` was given, such as ``--set table.key=value``.
    """
    if fault.dotted in origins:
        return [origins[fault.dotted]]
    under = f"{fault.dotted}." if fault.dotted else ""
    return [
        origin
        for dotted, origin in origins.items()
        if dotted.startswith(under)
        and re.search(rf"(?<![\w.]){re.escape(dotted.removeprefix(under))}(?!\.?\w)", fault.message)
    ]


def _in_table(struct: type[msgspec.Struct], given: Mapping[str, Any], dotted: str, place: str) -> Fault | None:
    """``dotted`` names the table as declared, ``place`` as a person finds it (``[[site]] no. 2, ``)."""
    fields = {field.encode_name: field for field in msgspec.structs.fields(struct)}
    for name in given:
        if name not in fields:
            return _unknown(name, fields, dotted, place)
    declared = {key.name: key for key in keys_of(struct, dotted)}
    for name, field in fields.items():
        under = f"{dotted}.{name}" if dotted else name
        inner, is_array = struct_of(field.type)
        if name not in given:
            if not field.required:
                continue
            header = f"[[{under}]]" if is_array else f"[{under}]"
            if inner is not None:
                return Fault(under, f"{place}{header} is missing", f"add the table {header}")
            key = declared[name]
            return Fault(under, f"{place}{under} is missing", f"set {name} under [{dotted}]: {key.wanted}")
        value = given[name]
        if inner is not None:
            fault = _in_array(inner, value, under, place) if is_array else _as_table(inner, value, under, place)
        else:
            fault = _in_value(field.type, value, under, place, declared[name].wanted)
        if fault is not None:
            return fault
    return _as_a_whole(struct, given, dotted, place)


def _in_array(struct: type[msgspec.Struct], value: Any, under: str, place: str) -> Fault | None:
    if not isinstance(value, list):
        return Fault(under, f"{place}{under} is a list of tables", f"write it as [[{under}]], once for each")
    for number, item in enumerate(value, start=1):
        fault = _as_table(struct, item, under, f"{place}[[{under}]] no. {number}: ")
        if fault is not None:
            return fault
    return None


def _as_table(struct: type[msgspec.Struct], value: Any, under: str, place: str) -> Fault | None:
    if not isinstance(value, Mapping):
        return Fault(under, f"{place}{under} = {_shown(value)}: must be a table", f"write its keys under [{under}]")
    return _in_table(struct, value, under, place)


def _in_value(kind: Any, value: Any, under: str, place: str, wanted: str) -> Fault | None:
    try:
        msgspec.convert(value, kind, strict=True)
    except msgspec.ValidationError:
        return Fault(under, f"{place}{under} = {_shown(value)}: must be {wanted}", "correct that value")
    return None


def _as_a_whole(struct: type[msgspec.Struct], given: Mapping[str, Any], dotted: str, place: str) -> Fault | None:
    """What a table's own ``__post_init__`` refuses: values that are each right but not together.

    Its ``ValueError`` says what is wrong and, after the last semicolon, what to do.
    """
    try:
        msgspec.convert(given, struct, strict=True)
    except msgspec.ValidationError as error:
        said = str(error).partition(" - at `")[0]
        what, _, remedy = said.rpartition("; ")
        return Fault(
            dotted, f"{place}{f'[{dotted}]: ' if dotted else ''}{what or said}", (what and remedy) or "correct it"
        )
    return None


def _unknown(name: str, known: Iterable[str], dotted: str, place: str) -> Fault:
    near = difflib.get_close_matches(name, known, n=1)
    remedy = f"did you mean {near[0]}?" if near else f"known here: {', '.join(known)}"
    if not dotted and name in _READERS:
        remedy = f"it belongs into {_READERS[name]}: name the file of this program"
    under = f"{dotted}.{name}" if dotted else name
    return Fault(under, f"{place}unknown {'key' if dotted else 'table'} {under}", remedy)


def _shown(value: Any) -> str:
    text = toml(value)
    return text if len(text) <= _SHOWN_MAX else text[: _SHOWN_MAX - 1] + "…"
