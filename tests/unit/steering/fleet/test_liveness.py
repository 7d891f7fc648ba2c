from __future__ import annotations

import pytest

from oca.common.messages import Health
from steering.fleet.absences import Absences
from steering.fleet.liveness import (
    CLOCK_DIFFERENCE_S_MAX,
    Beside,
    Heard,
    Liveness,
    clock_fault,
    first_reports_limit_s,
    first_reports_wait_s,
    judge,
    report_age_limit_s,
    returning,
)
from tests.unit.steering.made_up import NOW_NS, make_report

LIMIT_S = report_age_limit_s(2.0, 2, 0.5)


def test_limit_leaves_a_killed_appliance_within_five_seconds() -> None:
    assert LIMIT_S == 4.5


def test_verdict_keeps_appliance_through_one_missed_report() -> None:
    assert judge(make_report(), 4.2, LIMIT_S) == Liveness("up", 1.0, "report 4.2 s old, limit 4.5 s")


def test_verdict_drops_silent_appliance() -> None:
    verdict = judge(make_report(), 4.6, LIMIT_S)
    assert verdict == Liveness("gone", 0.0, "last report 4.6 s old, limit 4.5 s")
    assert not verdict.takes_viewers


@pytest.mark.parametrize("serving", ["draining", "drained"])
def test_verdict_sends_nobody_new_to_draining_appliance(serving: str) -> None:
    verdict = judge(make_report(serving=serving), 0, LIMIT_S)
    assert verdict == Liveness(serving, 0.0, f"{serving}: no new viewers")  # type: ignore[arg-type]
    assert not verdict.takes_viewers


def test_verdict_believes_appliance_that_says_it_failed() -> None:
    sick = make_report(health=Health(verdict="failed", reasons=["no worker", "disk gone"]))
    assert judge(sick, 0, LIMIT_S) == Liveness("failed", 0.0, "its own verdict is failed: no worker, disk gone")


def test_verdict_keeps_degraded_appliance_and_says_why() -> None:
    verdict = judge(make_report(health=Health(verdict="degraded", reasons=[], weight=0.5)), 1, LIMIT_S)
    assert verdict == Liveness("up", 0.5, "degraded: no reason given; report 1.0 s old, limit 4.5 s")
    assert verdict.takes_viewers


@pytest.mark.parametrize(
    ("ahead_s", "told"),
    [
        (0, ""),
        (CLOCK_DIFFERENCE_S_MAX, ""),
        (-CLOCK_DIFFERENCE_S_MAX, ""),
        (3600, "its clock is 3600 s ahead of steering's, limit 30 s; check both machines' time service"),
        (-31, "its clock is 31 s behind steering's, limit 30 s; check both machines' time service"),
    ],
)
def test_clock_that_is_off_is_told(ahead_s: float, told: str) -> None:
    report = make_report(sent_at_ns=NOW_NS + int(ahead_s * 1e9))
    assert clock_fault(report, NOW_NS) == told


@pytest.mark.parametrize(("interval_s", "grace_s", "limit_s"), [(2, 0.5, 2.5), (0.1, 0, 0.1), (300, 60, 6.0)])
def test_first_reports_are_waited_for_one_interval(interval_s: float, grace_s: float, limit_s: float) -> None:
    assert first_reports_limit_s(interval_s, grace_s) == limit_s


@pytest.mark.parametrize(("unheard", "age_s", "wait_s"), [(2, 0, 2.5), (1, 1, 1.5), (1, 2.5, 0), (1, 99, 0), (0, 0, 0)])
def test_first_reports_are_waited_for_until_all_came_or_time_is_over(unheard: int, age_s: float, wait_s: float) -> None:
    assert first_reports_wait_s(unheard, age_s, 2.5) == wait_s


@pytest.mark.parametrize(
    ("beside", "standing", "why"),
    [
        (Beside(drained="ada drained it"), "drained", "ada drained it"),
        (Beside(unreachable="probes fail"), "unreachable", "probes fail"),
        (Beside(returning="was away"), "returning", "was away; report 1.0 s old"),
        (Beside(turning_up="no plan"), "turning-up", "turning up: no plan"),
    ],
)
def test_verdict_heeds_what_is_known_beside_the_report(beside: Beside, standing: str, why: str) -> None:
    verdict = judge(make_report(), 1, LIMIT_S, beside)
    assert (verdict.standing, verdict.why, verdict.takes_viewers) == (standing, why, False)


def test_verdict_tells_how_long_a_box_has_yet_to_stay() -> None:
    assert returning(Absences(1, 0, 0), 0) == ""
    assert returning(Absences(2, 0, 60), 30).startswith("was away 2 times within a day")


def test_heard_tells_the_age_of_a_report_as_the_verdict_does() -> None:
    assert Heard(100.0, LIMIT_S).why(104.2) == judge(make_report(), 4.2, LIMIT_S).why
