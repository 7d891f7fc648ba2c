"""Boxes, fill agents and steering of this version and of every recorded one understand each other."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated, Any

import msgspec
import pytest
from msgspec import Meta, Struct

from tests.compatibility.record import RECORDED, schemas
from tests.compatibility.schemas import broken

VERSIONS = sorted(path.parent for path in RECORDED.glob("*/messages.json"))


def schema_of(kind: type[Struct]) -> dict[str, Any]:
    return msgspec.json.schema_components([kind])[1]


@pytest.mark.parametrize("recorded", VERSIONS, ids=lambda path: path.name)
def test_messages_are_those_of_recorded_version_but_for_what_it_passes_over(recorded: Path) -> None:
    old = json.loads((recorded / "messages.json").read_text())
    assert len(old) > 20
    assert broken(old, schemas()) == []


def test_field_with_a_default_may_come_and_words_may_change() -> None:
    old = msgspec.defstruct("Told", [("count", int)])
    new = msgspec.defstruct("Told", [("count", Annotated[int, Meta(description="How many.")]), ("more", str, "")])
    assert broken(schema_of(old), schema_of(new)) == []


@pytest.mark.parametrize(
    ("fields", "why"),
    [
        ([("count", int)], "Told: name is gone"),
        ([("count", int), ("name", str), ("more", int)], "Told: more has no default"),
        ([("count", float), ("name", str)], "Told: count was {'type': 'integer'}, is {'type': 'number'}"),
    ],
)
def test_field_that_goes_or_changes_or_must_be_there_is_told(fields: list[tuple[str, type]], why: str) -> None:
    old = msgspec.defstruct("Told", [("count", int), ("name", str)])
    assert broken(schema_of(old), schema_of(msgspec.defstruct("Told", fields))) == [why]


def test_places_of_a_message_that_is_a_list_only_grow_at_its_end() -> None:
    def listed(*fields: tuple[str, type] | tuple[str, type, object]) -> dict[str, Any]:
        return schema_of(msgspec.defstruct("Told", fields, array_like=True))

    old = listed(("count", int), ("name", str))
    assert broken(old, listed(("count", int), ("name", str), ("more", str, ""))) == []
    assert broken(old, listed(("count", int), ("name", str), ("more", str))) == ["Told: a new place has no default"]
    assert broken(old, listed(("name", str), ("count", int))) == ["Told: its first places are others"]


def test_word_that_is_added_to_a_fixed_set_and_message_that_is_gone_are_told() -> None:
    assert broken({"State": {"enum": ["up"]}}, {"State": {"enum": ["up", "down"]}}) == [
        "State: was {'enum': ['up']}, is {'enum': ['up', 'down']}"
    ]
    assert broken({"State": {"enum": ["up"]}}, {}) == ["State: is gone"]
