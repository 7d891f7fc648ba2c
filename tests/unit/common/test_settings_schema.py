import re
import tomllib
from typing import Annotated, Literal

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec import Meta

from oca.common.settings_schema import Table, keys, render_default, split, struct_of, tables, toml


class Leaf(Table, frozen=True):
    """A table inside a repeated one."""

    id: Annotated[str, Meta(description="Names it.", examples=["a"])]


class Site(Table, frozen=True):
    """One of many."""

    name: Annotated[str, Meta(description="What people call it.", min_length=1, max_length=9, examples=["here"])]
    leaf: tuple[Leaf, ...] = ()


class Inner(Table, frozen=True):
    """A table in a table."""

    ratio: Annotated[float, Meta(gt=0, lt=1, description="A share.")] = 0.5


class Plain(Table, frozen=True):
    """The first table.

    It has two paragraphs.
    """

    required: Annotated[str, Meta(description="Has to be given.", examples=["this"], extra={"form": "a word"})]
    bare: int = 3
    count: Annotated[int, Meta(ge=1, le=9, description="How many.", extra={"unit": "things"})] = 4
    least: Annotated[int, Meta(ge=1, description="At least one.")] = 1
    level: Annotated[Literal["low", "high"], Meta(description="How much.")] = "low"
    on: Annotated[bool, Meta(description="Whether.")] = True
    names: Annotated[
        tuple[Annotated[str, Meta(pattern="x", extra={"form": "with an x"})], ...],
        Meta(min_length=1, description="Which."),
    ] = ("x1",)
    made: Annotated[list[int], Meta(max_length=3)] = msgspec.field(default_factory=list)
    inner: Inner = Inner()


class Schema(Table, frozen=True):
    """A whole file."""

    plain: Plain
    site: Annotated[tuple[Site, ...], Meta(max_length=5)] = ()


def test_tables_come_in_file_order_with_those_inside() -> None:
    assert [(table.name, table.is_array, table.in_array) for table in tables(Schema)] == [
        ("plain", False, False),
        ("plain.inner", False, False),
        ("site", True, True),
        ("site.leaf", True, True),
    ]


@pytest.mark.parametrize(
    ("dotted", "wanted"),
    [
        ("plain.required", "text, a word"),
        ("plain.bare", "a whole number"),
        ("plain.count", "a whole number in things, 1 to 9"),
        ("plain.least", "a whole number, at least 1"),
        ("plain.level", "one of low, high"),
        ("plain.on", "true or false"),
        ("plain.names", "a list of text, at least 1 entries, each with an x"),
        ("plain.made", "a list of whole number, at most 3 entries"),
        ("plain.inner.ratio", "a number, above 0, below 1"),
        ("site.name", "text, 1 to 9 characters"),
    ],
)
def test_key_says_what_it_wants(dotted: str, wanted: str) -> None:
    found = {key.dotted: key for key in keys(Schema)}
    assert found[dotted].wanted == wanted


def test_key_tells_default_and_whether_flags_reach_it() -> None:
    found = {key.dotted: key for key in keys(Schema)}
    assert (found["plain.required"].has_default, found["plain.required"].default) == (False, "this")
    assert (found["plain.made"].has_default, found["plain.made"].default) == (True, [])
    assert found["plain.inner.ratio"].settable
    assert not found["site.name"].settable
    assert not found["site.leaf.id"].settable


def test_default_file_parses_and_holds_defaults() -> None:
    document = tomllib.loads(render_default(Schema, heading="Heading."))
    assert document["plain"]["required"] == "this"
    assert document["plain"]["inner"] == {"ratio": 0.5}
    assert "site" not in document


def test_default_file_is_whole_once_examples_are_switched_on() -> None:
    text = render_default(Schema, heading="Heading.\n\nMore.")
    document = tomllib.loads(re.sub(r"(?m)^#(?=\S)", "", text))
    assert msgspec.convert(document, Schema).site == (Site(name="here", leaf=(Leaf(id="a"),)),)


def test_default_file_comments_every_key_with_meaning_and_limits() -> None:
    text = render_default(Schema, heading="Heading.")
    assert "# How many. (a whole number in things, 1 to 9)\ncount = 4" in text
    assert "# Has to be given. (text, a word; must be set)" in text
    assert "# It has two paragraphs." in text


def test_split_lets_outer_annotation_win() -> None:
    inner = Annotated[int, Meta(ge=1, description="inner", extra={"unit": "s", "form": "f"}), "not a Meta"]
    kind, meta = split(Annotated[inner, Meta(description="outer", extra={"unit": "ms"})])
    assert kind is int
    assert (meta.ge, meta.description, meta.extra) == (1, "outer", {"unit": "ms", "form": "f"})


def test_struct_of_tells_tables_from_keys() -> None:
    assert struct_of(Site) == (Site, False)
    assert struct_of(tuple[Site, ...]) == (Site, True)
    assert struct_of(tuple[str, ...]) == (None, False)
    assert struct_of(int) == (None, False)


VALUES = st.recursive(
    st.booleans()
    | st.integers(-(2**60), 2**60)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(st.characters(codec="utf-8")),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.from_regex(r"[a-z]{1,8}", fullmatch=True), inner),
    max_leaves=12,
)


@given(VALUES)
def test_toml_writes_what_a_parser_reads_back(value: object) -> None:
    assert tomllib.loads(f"value = {toml(value)}")["value"] == value
