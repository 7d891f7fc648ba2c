"""A day in which reports, probes and figures lie around their limits: an appliance goes and comes back once at most."""

from __future__ import annotations

from collections.abc import Callable
from random import Random

import pytest

from oca.report.health import Judge
from oca.report.health_settings import HealthTable
from oca.report.readings import DeviceReading, LinkReading, Readings, WorkerReading
from steering.fleet.absences import NEVER_AWAY, come_back
from steering.fleet.fleet import Fleet
from steering.fleet.liveness import report_age_limit_s, returning
from steering.probing.observations import Observations
from steering.probing.settings import ProbesTable
from steering.settings import SteeringSettings
from tests.unit.steering.made_up import make_report

pytestmark = pytest.mark.no_cover  # traced, they take twice as long; the modules have tests of their own

DAY_S = 86400.0
SEED = 1
SETTINGS = SteeringSettings()
FLEET = SETTINGS.fleet
LIMIT_S = report_age_limit_s(FLEET.report_interval_s, FLEET.missed_reports_max, FLEET.report_grace_s)


def at_the_limit(dice: Random) -> float:
    return max(0.1, dice.gauss(LIMIT_S, 1.0))


def one_in_ten_late(dice: Random) -> float:
    return 2.0 if dice.random() < 0.9 else dice.uniform(LIMIT_S, 2 * LIMIT_S)


def one_in_thirty_late(dice: Random) -> float:
    return 2.0 if dice.random() < 29 / 30 else LIMIT_S + 1


@pytest.mark.parametrize("gap_s", [at_the_limit, one_in_ten_late, one_in_thirty_late])
def test_reports_around_their_age_limit_bring_an_appliance_back_once(gap_s: Callable[[Random], float]) -> None:
    dice, fleet = Random(SEED), Fleet({"metro-a": "metro"}, age_limit_s=LIMIT_S, return_s=FLEET.return_s)
    now, sequence, was_up, returns = 0.0, 1, True, 0
    fleet.observe(make_report(), now)
    while now < DAY_S:
        next_at, settles_at = now + gap_s(dice), fleet.members["metro-a"].absences.settled_at_s
        for at in (now, max(now, min(settles_at, next_at)), next_at):
            is_up = fleet.liveness("metro-a", at).takes_viewers
            returns += is_up and not was_up
            was_up = is_up
        now, sequence = next_at, sequence + 1
        fleet.observe(make_report(sequence=sequence), now)
    assert returns <= 1


@pytest.mark.parametrize("failing", [0.4, 0.6, 0.8])
def test_probes_that_fail_now_and_then_bring_an_appliance_back_once(failing: float) -> None:
    """One observer, whose probes of one box fail by chance; those of the others succeed."""
    dice, seen, now = Random(SEED), Observations(ProbesTable()), 0.0
    absences, gone_at_s, out, was_up, returns = NEVER_AWAY, 0.0, False, True, 0
    while now < DAY_S:
        seen.note("other", "", now, checked=True)
        failed = dice.random() < failing
        seen.note("box", "dark" if failed else "", now, checked=True)
        was_out, out = out, "box" in seen.statement(lambda _: True, 2, now).failing
        if out and not was_out:
            gone_at_s = now if not returning(absences, now) else gone_at_s
        if was_out and not out:
            absences = come_back(absences, gone_at_s, now, settle_s=FLEET.return_s)
        is_up = not out and not returning(absences, now)
        returns += is_up and not was_up
        was_up = is_up
        now += SETTINGS.probes.retry_s if failed else SETTINGS.probes.interval_s
    assert returns <= 1


def test_figures_around_their_limits_change_a_verdict_back_once() -> None:
    """Everything that an appliance measures of itself at once, each with a noise of its own."""
    dice, judge = Random(SEED), Judge(HealthTable())
    was_ok, returns = True, 0
    for now in range(0, int(DAY_S), 8):
        readings = Readings(
            workers=(WorkerReading(0, ready=True),),
            devices=(DeviceReading("/d0", "", 2**30, read_s=max(0.0, dice.gauss(0.2, 0.03))),),
            links=(LinkReading("eth0", up=True, why="", use_ratio=dice.gauss(0.97, 0.03)),),
            requests=1000,
            errors=max(0, round(dice.gauss(10, 1))),
            cpu_ratio=min(1.0, dice.gauss(0.95, 0.03)),
            memory_available_ratio=max(0.0, dice.gauss(0.05, 0.01)),
            clock_ahead_s=dice.gauss(5, 1),
        )
        is_ok = judge.judge(readings, now).health.verdict == "ok"
        returns += is_ok and not was_ok
        was_ok = is_ok
    assert returns <= 1
