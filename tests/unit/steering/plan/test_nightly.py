from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import pytest
from msgspec.structs import replace

import steering.plan.nightly as nightly_module
from steering.metrics import Counts
from steering.plan.nightly import NightlyPlans, claim
from steering.plan.planner import make_plans, planned_at_ns
from steering.settings import SteeringSettings
from steering.state.embedded import EmbeddedState

EVENING = datetime(2026, 1, 1, 21, 44, tzinfo=UTC)


class Night:
    """Plans under a clock on the wall that the test sets; every look is told."""

    def __init__(self, state: EmbeddedState, settings: SteeringSettings, monkeypatch: pytest.MonkeyPatch) -> None:
        self.state = state
        self.wall = EVENING
        self.counts = Counts()
        at_evening = replace(settings, plan=replace(settings.plan, at="21:45"))
        self.plans = NightlyPlans(state, at_evening, self.counts, instance="a")
        monkeypatch.setattr(nightly_module, "_local_now", lambda: self.wall)
        monkeypatch.setattr(nightly_module, "now_ns", self.now_ns)
        monkeypatch.setattr(nightly_module, "LOOK_S", 0.0)

    def now_ns(self) -> int:
        return int(self.wall.timestamp()) * 10**9

    async def look(self, **later: float) -> int:
        """One look so much later; when plans were last made."""
        self.wall += timedelta(**later)
        await self.plans.look()
        return planned_at_ns(self.state)


@pytest.fixture
def night(state: EmbeddedState, settings: SteeringSettings, monkeypatch: pytest.MonkeyPatch) -> Night:
    return Night(state, settings, monkeypatch)


async def test_plans_are_made_when_the_set_time_has_come(night: Night) -> None:
    assert await night.look() == 0
    assert await night.look(seconds=59) == 0
    made = await night.look(seconds=2)
    assert made == night.now_ns()
    assert await night.look(hours=23) == made
    assert await night.look(hours=1, minutes=1) == night.now_ns()


async def test_plans_are_made_again_after_the_clock_was_ahead(night: Night, settings: SteeringSettings) -> None:
    make_plans(night.state, settings, now_ns=night.now_ns() + 3650 * 86400 * 10**9)
    assert await night.look() == night.now_ns()
    night.wall += timedelta(days=3650)
    assert await night.look() == night.now_ns()
    night.wall -= timedelta(days=3650)
    assert await night.look() == night.now_ns()


async def test_a_long_nights_progress_is_logged(night: Night, monkeypatch: pytest.MonkeyPatch) -> None:
    lines: list[str] = []
    monkeypatch.setattr(nightly_module._log, "info", lambda event, **_: lines.append(event))

    def slow(*_: object, now_ns: int, told: Callable[[int, int], None], end: object) -> int:
        for done in range(0, 1001, 25):
            told(done, 1000)
        told(99, 99)
        return 0

    monkeypatch.setattr(nightly_module, "make_plans", slow)
    await night.look()
    await night.look(minutes=2)
    assert lines == ["making plans"] * 10 + ["plans made"]


async def test_plans_are_overdue_after_a_night_without(night: Night) -> None:
    assert night.plans.overdue() == []
    await night.look()
    night.wall += timedelta(hours=26)
    assert night.plans.overdue() == []
    night.wall += timedelta(hours=1)
    assert night.plans.overdue() == ["no plans were made for 27 h, limit 26 h"]
    await night.look()
    assert night.plans.overdue() == []


async def test_night_that_another_instance_plans_is_left_to_it(night: Night, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(nightly_module, "CLAIMED_LOOK_S", 0.0)
    await night.look()
    night.wall += timedelta(minutes=2)
    assert claim(night.state, "b", now_ns=night.now_ns())
    assert await night.look() == 0
    assert await night.look(minutes=59) == 0
    assert await night.look(minutes=2) == night.now_ns()  # it must have died in it
    assert claim(night.state, "a", now_ns=night.now_ns() + 1)
