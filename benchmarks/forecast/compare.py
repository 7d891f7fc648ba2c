"""One replay with everything in it: forecasts, plans, and the caches over the same views."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmarks.forecast.caches import POLICIES, CacheOutcome, Trace, run_caches
from benchmarks.forecast.coverage import Coverage
from benchmarks.forecast.demand import Demand
from benchmarks.forecast.forecasters import Exponential, Forecaster, Mean, MeansKnown, Ours, Seen
from benchmarks.forecast.replay import WARM_UP_DAYS, Held, Outcome, Plan, replay

OURS, FREE, WITH_FETCH = "plan", "plan, moves unbounded", "plan, and fetch on a miss"
MEANS = "means known"
"""The best that any forecast can do: what it lacks to the clairvoyant plan is the chance in tomorrow's views."""
PARTS = ("calendar", "world", "kinship", "ladder", "views")
FETCH_RATIO = 0.15
"""Of a box's space for what it fetches on a miss, oldest out first (delivery.miss: policy "fetch", space_ratio)."""
BOUNDED = {"payback_days": 2.0, "nightly_ratio": 0.048, "saved_nights": 14.0}
BASELINES = ("yesterday", "7-day mean", "exponential smoothing")
PLANS = {
    OURS: Plan("ours", **BOUNDED),
    FREE: Plan("ours"),
    WITH_FETCH: Plan("ours", space_ratio=1 - FETCH_RATIO, **BOUNDED),
    MEANS: Plan(MEANS),
    **{name: Plan(name) for name in BASELINES},
    **{f"ours without {part}": Plan(f"ours without {part}") for part in PARTS},
}


def forecasters(demand: Demand) -> dict[str, Forecaster]:
    """All that are compared; ours first."""
    world = demand.world
    seen = Seen(world, demand.clusters)
    return {
        "ours": Ours(seen, world, frozenset(PARTS)),
        MEANS: MeansKnown(demand),
        "yesterday": Mean(1),
        "7-day mean": Mean(7),
        "exponential smoothing": Exponential(3.0),
        **{f"ours without {part}": Ours(seen, world, frozenset(PARTS) - {part}) for part in PARTS},
    }


@dataclass(slots=True)
class Comparison:
    """What one replay showed. ``caches`` has sums over the planned clusters by (policy, capacity); so has ``at_peak``
    the bytes that plans missed in peak hours, and that came into the box then."""

    outcome: Outcome
    capacities: Sequence[float]
    peak_share: float
    caches: dict[tuple[str, float], CacheOutcome] = field(default_factory=dict)
    fetch: dict[float, CacheOutcome] = field(default_factory=dict)

    def hit_ratio(self, name: str, ratio: float) -> float:
        """Byte hit ratio of a plan or a policy."""
        if name == WITH_FETCH:
            return 1 - self.fetch[ratio].missed_bytes / self.outcome.watched_bytes
        if (name, ratio) in self.caches:
            cache = self.caches[name, ratio]
            return 1 - cache.missed_bytes / cache.watched_bytes
        return self.outcome.tallies[name, ratio].hit_bytes / self.outcome.watched_bytes

    def missed_at_peak(self, name: str, ratio: float) -> float:
        """Part of the bytes watched in peak hours that came from elsewhere."""
        if name == WITH_FETCH:
            return self.fetch[ratio].missed_at_peak_bytes / (self.outcome.watched_bytes * self.peak_share)
        if (name, ratio) in self.caches:
            cache = self.caches[name, ratio]
            return cache.missed_at_peak_bytes / (cache.watched_bytes * self.peak_share)
        return 1 - self.hit_ratio(name, ratio)

    def moved(self, name: str, ratio: float) -> float:
        """Bytes that a night brings in, as a part of what is stored."""
        tally = self.outcome.tallies[name, ratio]
        return tally.moved_bytes / max(tally.stored_bytes, 1.0)

    def error(self, forecaster: str) -> float:
        """Σ|forecast − bytes| ÷ Σ bytes."""
        return self.outcome.errors[forecaster] / self.outcome.watched_bytes

    def names(self) -> list[str]:
        """All plans and policies."""
        return [*dict.fromkeys(name for name, _ in [*self.outcome.tallies, *self.caches])]

    def as_rows(self) -> list[dict[str, Any]]:
        """For the file."""
        rows = []
        for name in self.names():
            for ratio in self.capacities:
                row = {"name": name, "capacity": ratio, "hit_ratio": round(self.hit_ratio(name, ratio), 5)}
                row["missed_at_peak"] = round(self.missed_at_peak(name, ratio), 5)
                if (name, ratio) in self.outcome.tallies:
                    row["moved"] = round(self.moved(name, ratio), 5)
                rows.append(row)
        return rows


def compare(
    demand: Demand,
    made: Mapping[str, Forecaster],
    plans: Mapping[str, Plan],
    *,
    capacities: Sequence[float],
    planned: NDArray[np.int64],
    days: int,
    coverage: Coverage | None = None,
) -> Comparison:
    """Replay, and run the caches over the views; ``coverage`` judges the interval of the first forecaster."""
    world, chance = demand.world, np.random.default_rng(1)
    curve, peak = world.curve, int(world.curve.argmax())
    traces = [Trace() for _ in planned]
    missed = {ratio: [Trace() for _ in planned] for ratio in capacities}

    def each_day(day: int, views: NDArray[np.int64], held: Held) -> None:
        for row, trace in enumerate(traces):
            trace.add_day(day, views[row], curve, chance)
            for ratio in capacities:
                missed[ratio][row].add_missed(trace, ~held[WITH_FETCH, ratio, row])

    outcome = replay(
        demand, made, plans, capacities=capacities, planned=planned, each_day=each_day, coverage=coverage, days=days
    )
    result = Comparison(outcome, capacities, float(curve[peak]))
    counted = {"counted_from_hour": WARM_UP_DAYS * 24, "peak_hour": peak}
    for ratio in capacities:
        space = ratio * float(world.size_bytes.sum())
        runs = [run_caches(trace, world.size_bytes, POLICIES, capacity_bytes=space, **counted) for trace in traces]
        result.caches |= {(name, ratio): _sum([run[name] for run in runs]) for name in POLICIES}
        fetches = [
            run_caches(trace, world.size_bytes, ("FIFO",), capacity_bytes=FETCH_RATIO * space, **counted)["FIFO"]
            for trace in missed[ratio]
        ]
        result.fetch[ratio] = _sum(fetches)
    return result


def _sum(outcomes: Sequence[CacheOutcome]) -> CacheOutcome:
    rows = [asdict(each) for each in outcomes]
    return CacheOutcome(**{name: sum(row[name] for row in rows) for name in rows[0]})
