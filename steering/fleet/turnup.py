"""What a new appliance has to pass before its first viewer, and whether it does. Pure.

Passed once is passed for good; ``oca-steering turnup again`` begins anew, where a box was replaced.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from typing import NamedTuple

from msgspec import Struct

from oca.common.messages import Report
from steering.fleet.liveness import clock_fault
from steering.fleet.turnup_settings import TurnupTable
from steering.probing.observations import Seen
from steering.titles.catalogue import AssetSummary


class Check(Struct, frozen=True):
    """One check; ``why`` tells what is missing, or what was found."""

    name: str
    passed: bool
    why: str


class Facts(NamedTuple):
    """All that the checks go by.

    Attributes:
        received_at_ns: When the report came, by our clock.
        probe: The last probe; None where there was none of late.
        is_probed: Whether appliances are probed at all.
        held: Share of the bytes of its plan that it holds; None where there is no plan.
        holds_anything: Of what is published.
    """

    report: Report
    received_at_ns: int
    probe: Seen | None
    is_probed: bool
    held: float | None
    holds_anything: bool


def checks(facts: Facts, settings: TurnupTable) -> list[Check]:
    """Every check, in the order in which an engineer would look."""
    return [
        *([_probe(facts)] if facts.is_probed else []),
        _clock(facts),
        _version(facts.report.version, settings.version_min),
        _contents(facts, settings.contents_ratio_min),
    ]


def missing(found: Iterable[Check]) -> str:
    """What is yet to be passed, in words; empty: nothing."""
    return "; ".join(check.why for check in found if not check.passed)


def held_ratio(wanted: Iterable[AssetSummary], held: dict[str, str]) -> float:
    """Share of a plan's bytes that is held in the planned revision; 1 of a plan of nothing.

    Args:
        wanted: What it should hold.
        held: Asset → revision.
    """
    wanted_bytes = there_bytes = 0
    for asset in wanted:
        wanted_bytes += asset.bytes
        if held.get(asset.asset) == asset.revision:
            there_bytes += asset.bytes
    return there_bytes / wanted_bytes if wanted_bytes else 1.0


def _probe(facts: Facts) -> Check:
    probe = facts.probe
    if probe is None:
        return Check("probe", False, "its delivery port has not been probed yet")
    if probe.why:
        return Check("probe", False, f"its delivery port cannot be fetched from: {probe.why}")
    checked = "an object came as it was published" if probe.checked else "it answers; it holds nothing to check"
    return Check("probe", True, checked)


def _clock(facts: Facts) -> Check:
    fault = clock_fault(facts.report, facts.received_at_ns)
    return Check("clock", not fault, fault or "right")


def _version(version: str, least: str) -> Check:
    if not least or _numbers(version) >= _numbers(least):
        return Check("version", True, f"oca {version}")
    return Check("version", False, f"it runs oca {version}, at least {least} is wanted; upgrade it")


def _contents(facts: Facts, least: float) -> Check:
    if facts.held is None:
        passed = facts.holds_anything or not least
        why = "no plan for it yet" if passed else "it holds nothing that is published, and no plan for it is made yet"
        return Check("contents", passed, why)
    why = f"it holds {facts.held:.0%} of its plan"
    passed = facts.held >= least
    return Check("contents", passed, why if passed else f"{why}, at least {least:.0%} is wanted: let its fill run")


def _numbers(version: str) -> tuple[int, ...]:
    return tuple(_parts(version))


def _parts(version: str) -> Iterator[int]:
    """The leading numbers of a version, four at most: ``1.2.0.dev3`` counts as 1.2.0."""
    for part in version.split(".")[:4]:
        digits = re.match(r"[0-9]{1,9}", part)
        if digits is None:
            return
        yield int(digits[0])
