"""Night after night: plan from what was seen, then see what the day brings."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from benchmarks.forecast.coverage import Coverage
from benchmarks.forecast.demand import Demand
from benchmarks.forecast.forecasters import Forecaster
from steering.plan.selection import choose

Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]
CLAIRVOYANT = "clairvoyant plan"
WARM_UP_DAYS = 28
SEED_DAYS = 7


@dataclass(frozen=True, slots=True)
class Plan:
    """One way of planning: by which forecast, how much of the space, and what a night may change.

    ``nightly_ratio`` of the space may move a night; nights that move less save for later ones, for ``saved_nights`` at
    most. Without ``payback_days`` each night's plan is made as if the box were empty.
    """

    forecaster: str
    space_ratio: float = 1.0
    payback_days: float | None = None
    nightly_ratio: float = 1.0
    saved_nights: float = 1.0


@dataclass(slots=True)
class Tally:
    """What came of one way of planning at one capacity, after the warm-up."""

    hit_bytes: float = 0.0
    moved_bytes: float = 0.0
    stored_bytes: float = 0.0


@dataclass(slots=True)
class Outcome:
    """Of a whole replay.

    ``errors`` is Σ|forecast − bytes| by forecaster; ``daily`` has (day, forecast, bytes) of all clusters planned for.
    """

    tallies: dict[tuple[str, float], Tally]
    errors: dict[str, float]
    watched_bytes: float = 0.0
    daily: list[tuple[int, float, float]] = field(default_factory=list)


Held = dict[tuple[str, float, int], Bools]
"""(plan, capacity, place among the planned clusters) → what it holds."""


def replay(
    demand: Demand,
    forecasters: Mapping[str, Forecaster],
    plans: Mapping[str, Plan],
    *,
    capacities: Sequence[float],
    planned: NDArray[np.int64],
    each_day: Callable[[int, NDArray[np.int64], Held], None] = lambda _day, _views, _held: None,
    coverage: Coverage | None = None,
    days: int | None = None,
) -> Outcome:
    """Replay the days.

    Args:
        demand: What is watched.
        forecasters: By name. They see all clusters.
        plans: By name.
        capacities: As parts of the bytes of all assets.
        planned: The clusters that plans are made for.
        each_day: Is told, from the first planned day on, what was viewed by the planned clusters and what was held.
        coverage: Judges the interval of the first forecaster.
        days: How many; None: all there are.
    """
    world = demand.world
    nights = {
        (name, ratio, row): _Nights(plan, ratio * float(world.size_bytes.sum()))
        for name, plan in {**plans, CLAIRVOYANT: Plan(CLAIRVOYANT)}.items()
        for ratio in capacities
        for row in range(len(planned))
    }
    outcome = Outcome({key[:2]: Tally() for key in nights}, dict.fromkeys(forecasters, 0.0))
    for day in range(days or world.days):
        views = demand.views(day)
        watched = views * world.size_bytes
        if day >= SEED_DAYS:
            expected = {name: each.expect(day, planned) for name, each in forecasters.items()}
            counted = day >= WARM_UP_DAYS
            if coverage is not None:
                coverage.observe(day, next(iter(expected.values())), watched[planned], counted=counted)
            if counted:
                outcome.watched_bytes += float(watched[planned].sum())
                for name, forecast in expected.items():
                    outcome.errors[name] += float(np.abs(forecast - watched[planned]).sum())
                outcome.daily.append((day, float(next(iter(expected.values())).sum()), float(watched[planned].sum())))
            expected[CLAIRVOYANT] = watched[planned]
            for (name, ratio, row), each in nights.items():
                each.plan_next(expected[each.plan.forecaster][row], world.size_bytes)
                if counted:
                    each.count(outcome.tallies[name, ratio], watched[planned[row]], world.size_bytes)
            each_day(day, views[planned], {key: each.held for key, each in nights.items()})
        for learner in forecasters.values():
            learner.observe(day, watched)
    return outcome


class _Nights:
    """One box: what it holds, and what it may still move."""

    def __init__(self, plan: Plan, capacity_bytes: float) -> None:
        self.plan = plan
        self.held: Bools = np.zeros(0, np.bool_)
        self._space_bytes = plan.space_ratio * capacity_bytes
        self._nightly_bytes = plan.nightly_ratio * self._space_bytes
        self._allowed_bytes = plan.saved_nights * self._nightly_bytes
        self._brought_bytes = 0.0

    def plan_next(self, expected: Floats, size_bytes: Floats) -> None:
        """Decide what is held from tonight on."""
        before, plan = self.held, self.plan
        if not len(before) or plan.payback_days is None:
            self.held = choose(expected, size_bytes, capacity_bytes=self._space_bytes)
        else:
            self.held = choose(
                expected,
                size_bytes,
                capacity_bytes=self._space_bytes,
                held=before,
                payback_days=plan.payback_days,
                moves_max_bytes=self._allowed_bytes,
            )
        self._brought_bytes = float(size_bytes[self.held & ~before].sum()) if len(before) else 0.0
        self._allowed_bytes += self._nightly_bytes - self._brought_bytes
        self._allowed_bytes = min(max(self._allowed_bytes, 0.0), plan.saved_nights * self._nightly_bytes)

    def count(self, tally: Tally, watched: Floats, size_bytes: Floats) -> None:
        """Add what the day brought."""
        tally.hit_bytes += float(watched[self.held].sum())
        tally.stored_bytes += float(size_bytes[self.held].sum())
        tally.moved_bytes += self._brought_bytes
