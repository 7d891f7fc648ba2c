from typing import Annotated, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec import Meta

from oca.common.settings_check import Fault, find_fault, origins_of
from oca.common.settings_schema import Table


class Rack(Table, frozen=True):
    """A rack."""

    id: Annotated[str, Meta(pattern=r"\A[a-z]+\Z", extra={"form": "lower-case letters"})]


class Site(Table, frozen=True):
    """A site."""

    id: Annotated[str, Meta(min_length=1)]
    rack: tuple[Rack, ...] = ()


class Limits(Table, frozen=True):
    """Two values that must agree."""

    low: Annotated[int, Meta(ge=0, le=100, extra={"unit": "bytes"})] = 1
    high: Annotated[float, Meta(ge=0, le=100)] = 2

    def __post_init__(self) -> None:
        if self.low > self.high:
            raise ValueError("low is above high; it is 1; lower low")


class Schema(Table, frozen=True):
    """A file."""

    who: Rack
    limits: Limits = Limits()
    site: tuple[Site, ...] = ()


GOOD: dict[str, Any] = {"who": {"id": "a"}}


def test_check_finds_nothing_in_good_document() -> None:
    assert find_fault(Schema, {**GOOD, "limits": {"low": 2}, "site": [{"id": "x", "rack": [{"id": "r"}]}]}) is None


@pytest.mark.parametrize(
    ("given", "dotted", "message", "remedy"),
    [
        ({}, "who", "[who] is missing", "add the table [who]"),
        ({"who": {}}, "who.id", "who.id is missing", "set id under [who]: text, lower-case letters"),
        ({**GOOD, "limit": {}}, "limit", "unknown table limit", "did you mean limits?"),
        ({**GOOD, "zzz": {}}, "zzz", "unknown table zzz", "known here: who, limits, site"),
        (
            {**GOOD, "appliance": {}},
            "appliance",
            "unknown table appliance",
            "it belongs into appliance.toml, which oca",
        ),
        ({**GOOD, "limits": {"lov": 1}}, "limits.lov", "unknown key limits.lov", "did you mean low?"),
        ({"who": {"id": "A"}}, "who.id", 'who.id = "A": must be text, lower-case letters', "correct that value"),
        (
            {**GOOD, "limits": {"low": 101}},
            "limits.low",
            "limits.low = 101: must be a whole number in bytes, 0 to 100",
            "correct that value",
        ),
        ({**GOOD, "limits": {"low": 1.5}}, "limits.low", "limits.low = 1.5: must be a whole number", "correct"),
        ({**GOOD, "limits": {"low": True}}, "limits.low", "limits.low = true: must be", "correct"),
        ({**GOOD, "limits": 3}, "limits", "limits = 3: must be a table", "write its keys under [limits]"),
        ({**GOOD, "limits": {"low": 9}}, "limits", "[limits]: low is above high; it is 1", "lower low"),
        ({**GOOD, "site": {"id": "x"}}, "site", "site is a list of tables", "write it as [[site]], once for each"),
        ({**GOOD, "site": [{"id": "x"}, {}]}, "site.id", "[[site]] no. 2: site.id is missing", "set id under [site]"),
        ({**GOOD, "site": [{"id": "x"}, {"id": ""}]}, "site.id", '[[site]] no. 2: site.id = "": must', "correct"),
        (
            {**GOOD, "site": [{"id": "x", "rack": [{"id": "r"}, {"id": "R"}]}]},
            "site.rack.id",
            '[[site]] no. 1: [[site.rack]] no. 2: site.rack.id = "R": must be text, lower-case letters',
            "correct",
        ),
        ({**GOOD, "site": [3]}, "site", "[[site]] no. 1: site = 3: must be a table", "write its keys"),
        ({"who": {"id": "A" * 500}}, "who.id", 'who.id = "AAAA', "correct"),
    ],
)
def test_check_names_key_value_limit_and_remedy(given: dict[str, Any], dotted: str, message: str, remedy: str) -> None:
    fault = find_fault(Schema, given)
    assert fault is not None
    assert fault.dotted == dotted
    assert fault.message.startswith(message)
    assert fault.remedy.startswith(remedy)
    assert len(fault.message) < 300


def test_check_names_missing_list_of_tables() -> None:
    class Needs(Table, frozen=True):
        """A file that needs one."""

        site: tuple[Site, ...]

    fault = find_fault(Needs, {})
    assert fault is not None
    assert fault.message == "[[site]] is missing"


def test_check_explains_what_document_as_a_whole_refuses() -> None:
    class Whole(Table, frozen=True):
        """A file whose tables must agree."""

        limits: Limits = Limits()

        def __post_init__(self) -> None:
            raise ValueError("nothing pleases me")

    fault = find_fault(Whole, {})
    assert fault is not None
    assert fault == Fault("", "nothing pleases me", "correct it")


@pytest.mark.parametrize(
    ("fault", "expected"),
    [
        (Fault("limits.low", "limits.low = 101: must be", ""), ["low"]),
        (Fault("limits", "[limits]: low is above high", ""), ["low", "high"]),
        (Fault("limits", "[limits]: high.x, lower and below are not it", ""), []),
        (Fault("", "limits.high is not who.id's.", ""), ["high", "id"]),
        (Fault("", "limits.lower is", ""), []),
        (Fault("limit", "limits.low is", ""), []),
        (Fault("site", "no origin", ""), []),
    ],
)
def test_check_names_every_override_with_a_part_in_fault(fault: Fault, expected: list[str]) -> None:
    assert origins_of(fault, {"limits.low": "low", "limits.high": "high", "who.id": "id"}) == expected


SCALARS = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8)
NAMES = st.sampled_from(["who", "limits", "site", "id", "low", "high", "rack", "other"])
DOCUMENTS = st.recursive(
    SCALARS, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(NAMES, inner), max_leaves=15
)


@given(st.dictionaries(NAMES, DOCUMENTS))
def test_check_answers_any_document(document: dict[str, Any]) -> None:
    fault = find_fault(Schema, document)
    assert fault is None or (fault.message and fault.remedy)
