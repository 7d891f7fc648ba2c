from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from steering.fleet.turnup import Facts, checks, held_ratio, missing
from steering.fleet.turnup_settings import TurnupTable
from steering.probing.observations import Seen
from steering.titles.catalogue import AssetSummary
from tests.unit.steering.made_up import NOW_NS, make_report, make_summary, revision

READY = Facts(
    report=make_report(version="1.4.2"),
    received_at_ns=NOW_NS,
    probe=Seen(1.0, "", True),
    is_probed=True,
    held=0.5,
    holds_anything=True,
)


def test_turnup_is_passed_by_what_is_ready() -> None:
    found = checks(READY, TurnupTable(version_min="1.4"))
    assert [(check.name, check.passed, check.why) for check in found] == [
        ("probe", True, "an object came as it was published"),
        ("clock", True, "right"),
        ("version", True, "oca 1.4.2"),
        ("contents", True, "it holds 50% of its plan"),
    ]
    assert missing(found) == ""


@pytest.mark.parametrize(
    ("changes", "why"),
    [
        ({"probe": None}, "its delivery port has not been probed yet"),
        ({"probe": Seen(1.0, "dark", True)}, "its delivery port cannot be fetched from: dark"),
        (
            {"received_at_ns": NOW_NS + 3600 * 10**9},
            "its clock is 3600 s behind steering's, limit 30 s; check both machines' time service",
        ),
        ({"report": make_report(version="1.3.9")}, "it runs oca 1.3.9, at least 1.4 is wanted; upgrade it"),
        ({"report": make_report(version="strange")}, "it runs oca strange, at least 1.4 is wanted; upgrade it"),
        ({"held": 0.49}, "it holds 49% of its plan, at least 50% is wanted: let its fill run"),
        (
            {"held": None, "holds_anything": False},
            "it holds nothing that is published, and no plan for it is made yet",
        ),
    ],
)
def test_turnup_tells_what_is_missing(changes: dict[str, Any], why: str) -> None:
    assert missing(checks(READY._replace(**changes), TurnupTable(version_min="1.4"))) == why


def test_turnup_asks_for_no_more_than_is_set() -> None:
    empty = READY._replace(held=None, holds_anything=False, probe=None, is_probed=False)
    found = checks(empty, TurnupTable(contents_ratio_min=0))
    assert [check.name for check in found] == ["clock", "version", "contents"]
    assert missing(found) == ""
    assert missing(checks(READY._replace(held=None), TurnupTable())) == ""
    unchecked = checks(READY._replace(probe=Seen(1.0, "", False)), TurnupTable())[0]
    assert (unchecked.passed, unchecked.why) == (True, "it answers; it holds nothing to check")


def plan(**sizes: int) -> list[AssetSummary]:
    return [
        replace(make_summary(f"t/{name}"), revision=revision(name), bytes=size_bytes)
        for name, size_bytes in sizes.items()
    ]


def test_turnup_counts_bytes_of_the_plan_that_are_held() -> None:
    planned = plan(a=75, b=25)
    assert held_ratio(planned, {"t/a": revision("a"), "t/z": revision("z")}) == 0.75
    assert held_ratio(planned, {"t/a": revision("other"), "t/b": revision("b")}) == 0.25
    assert held_ratio(plan(), {}) == 1.0


@given(st.text(max_size=20), st.text(max_size=20))
def test_turnup_compares_any_version(version: str, other: str) -> None:
    facts = READY._replace(report=make_report(version=version))
    found = checks(facts, TurnupTable(version_min="1.0.0.0"))
    assert found[2].name == "version"
    newer = checks(facts._replace(report=make_report(version="2.0" + other)), TurnupTable(version_min="1.99"))
    assert newer[2].passed
