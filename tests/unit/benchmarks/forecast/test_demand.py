from pathlib import Path

import numpy as np
import pytest

from benchmarks.forecast.charts import generate_charts
from benchmarks.forecast.demand import HOURS_PER_DAY, LADDER, Demand, read_curve, round_curve

CHARTS = generate_charts(weeks=4, countries=3)


@pytest.mark.parametrize("tail", [False, True])
def test_demand_comes_to_the_hours_of_a_day_and_watches_nothing_before_it_is_out(tail: bool) -> None:
    demand = Demand(CHARTS, round_curve(), tail=tail)
    bits = np.array([bits for bits, _ in LADDER])
    for day in (0, 8, 20):
        views = demand.views(day)
        hours = (views * demand.world.size_bytes / (bits[demand.world.families.rung] / 8 * 3600)).sum(axis=1)
        assert hours == pytest.approx([HOURS_PER_DAY] * 3, rel=0.1)
        assert not views[:, ~demand.world.released(day)].any()


def test_demand_watches_what_is_listed_alone_unless_there_is_a_tail() -> None:
    watched = [(Demand(CHARTS, round_curve(), tail=tail).views(0)[0] > 0).sum() for tail in (False, True)]
    assert watched[0] <= 20 * len(LADDER) < watched[1]


def test_demand_repeats_by_its_seed() -> None:
    one, same, other = (Demand(CHARTS, round_curve(), seed=seed).views(3) for seed in (1, 1, 2))
    assert (one == same).all()
    assert (one != other).any()


def test_curve_is_read_from_its_quietest_hour(tmp_path: Path) -> None:
    path = tmp_path / "curve.txt"
    path.write_text("".join(f"{1000 + 315 * at}, {1000 if at < 100 else 10 + at}\n" for at in range(270)))
    curve = read_curve(path)
    assert curve.sum() == pytest.approx(1)
    assert curve.argmin() == 0


@pytest.mark.parametrize("text", ["", "1, x\n", "1\n" * 270, "1, 5\n" * 20, "1, -5\n" * 270])
def test_curve_refuses_what_is_none(tmp_path: Path, text: str) -> None:
    path = tmp_path / "curve.txt"
    path.write_text(text)
    with pytest.raises(SystemExit, match=r"curve\.txt"):
        read_curve(path)
