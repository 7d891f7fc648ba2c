from __future__ import annotations

from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from benchmarks.players.experience import (
    Outcome,
    Sample,
    Served,
    Viewing,
    endings_of,
    figures_of,
    limits_of,
    percentile,
)


def viewing(**changes: Any) -> Viewing:
    plain = Viewing("f", "finished", 0.2, None, 60, [], [], 5e6, 1, 0)
    return msgspec.structs.replace(plain, **changes)


def values(outcome: Outcome) -> dict[str, float]:
    return {figure.name: figure.value for figure in figures_of(outcome)}


def test_percentile_takes_nearest_rank() -> None:
    assert [percentile([4, 1, 3, 2], percent) for percent in (5, 50, 95)] == [1, 2, 4]
    assert percentile([], 50) == 0


@given(st.lists(st.floats(allow_nan=False), min_size=1), st.floats(min_value=0, max_value=100))
def test_percentile_stands_among_values(numbers: list[float], percent: float) -> None:
    assert percentile(numbers, percent) in numbers


def test_figures_tell_what_viewers_felt() -> None:
    unseen = {"startup_s": None, "watched_s": 0, "bits_per_s": 0, "changes": 0}
    outcome = Outcome(
        [
            viewing(),
            viewing(stalls_s=[1.0, 2.0], seek_waits_s=[0.5], bits_per_s=1e6, watched_s=57, moves=1),
            viewing(ending="impatient", unstarted_s=9, **unseen),
            viewing(ending="failed", unstarted_s=1, **unseen),
            viewing(ending="run over", unstarted_s=0.1, **unseen),
        ],
        {"a": Served(3, 300, 0, [0.1, 0.3, 0.2]), "b": Served(1, 100, 2, [0.4]), "c": Served(failures=4)},
        [Sample(0.5, 0.5, 0.001)],
        10,
    )
    told = values(outcome)
    assert told["viewings"] == 5
    assert told["viewings that never started"] == 2
    assert (told["start-up time, p50"], told["start-up time, p95"]) == (0.2, 9)
    assert told["viewings with a stall"] == 0.5
    assert told["stalls per hour watched"] == pytest.approx(2 / 117 * 3600)
    assert (told["stalled time of a viewing, p50"], told["stalled time of a viewing, p95"]) == (0, 3)
    assert told["stalled share of all time"] == pytest.approx(3 / 120)
    assert (told["bitrate, p50"], told["bitrate, p5 (95 % of viewings had more)"]) == (1e6, 1e6)
    assert told["pathways left because they failed"] == 1
    assert (told["share of bytes from a"], told["share of bytes from b"]) == (0.75, 0.25)
    assert "share of bytes from c" not in told
    assert (told["requests that failed at b"], told["requests that failed at c"]) == (2, 4)
    assert told["sent to players"] == 40
    assert endings_of(outcome)["finished"] == 2


def test_figures_stand_without_viewings() -> None:
    assert values(Outcome([], {}, [], 0))["start-up time, p95"] == 0


@pytest.mark.parametrize(
    ("sample", "why"),
    [
        (Sample(0.99, 0.5, 0.001), "99% of the one core"),
        (Sample(0.5, 0.5, 0.2), "200 ms late"),
        (Sample(0.5, 0.99, 0.001), "machine was 99% busy"),
    ],
)
def test_limits_name_what_is_short(sample: Sample, why: str) -> None:
    (said,) = limits_of(Outcome([], {}, [sample], 10))
    assert why in said


def test_limits_are_none_with_room() -> None:
    assert limits_of(Outcome([], {}, [Sample(0.5, 0.6, 0.01)] * 10, 10)) == []


def test_limits_admit_lack_of_looks() -> None:
    assert "never looked at" in limits_of(Outcome([], {}, [], 0))[0]
