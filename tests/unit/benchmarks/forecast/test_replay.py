import numpy as np
from numpy.typing import NDArray

from benchmarks.forecast.charts import generate_charts
from benchmarks.forecast.demand import Demand, round_curve
from benchmarks.forecast.replay import SEED_DAYS, WARM_UP_DAYS, Held, Plan, replay


class Watching:
    """Says what it was asked and told, in order; expects of everything the same."""

    def __init__(self) -> None:
        self.heard: list[tuple[str, int]] = []

    def observe(self, day: int, watched: NDArray[np.float64]) -> None:
        self.heard.append(("saw", day))
        self._last = watched

    def expect(self, day: int, rows: NDArray[np.int64]) -> NDArray[np.float64]:
        self.heard.append(("expects", day))
        return self._last[rows]


def test_replay_shows_a_forecaster_no_day_before_it_was_planned_for() -> None:
    watching = Watching()
    nights: list[int] = []

    def each_day(day: int, views: NDArray[np.int64], held: Held) -> None:
        nights.append(day)
        assert len(held) == 4 * len(views)

    outcome = replay(
        Demand(generate_charts(weeks=5, countries=2), round_curve()),
        {"watching": watching},
        {"bounded": Plan("watching", payback_days=2.0, nightly_ratio=0.01)},
        capacities=(0.05, 0.1),
        planned=np.array([1]),
        each_day=each_day,
        days=WARM_UP_DAYS + 2,
    )
    for place, (what, day) in enumerate(watching.heard):
        seen = [other for told, other in watching.heard[:place] if told == "saw"]
        assert what == "saw" or seen == list(range(day))
    assert nights == list(range(SEED_DAYS, WARM_UP_DAYS + 2))
    tally = outcome.tallies["bounded", 0.05]
    assert 0 < tally.moved_bytes / tally.stored_bytes < 0.05
    assert len(outcome.daily) == 2
