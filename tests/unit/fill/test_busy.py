from __future__ import annotations

import pytest

from fill.busy import ALL, RESUMED_SHARE_MIN, share_of
from fill.tables import BusyTable
from oca.common.messages import Load

LIMITS = BusyTable(
    serving_bytes_per_s_min=1000, cpu_ratio_slow=0.6, cpu_ratio_stop=0.8, link_ratio_slow=0.5, link_ratio_stop=0.9
)


def load(cpu: float = 0.1, sent: float = 50_000, link: float = 0) -> Load:
    return Load(connections=9, sent_bytes_per_s=sent, link_bytes_per_s=link, cpu_ratio=cpu)


@pytest.mark.parametrize(
    ("now", "ratio"),
    [
        (None, 1.0),
        (load(cpu=1.0, sent=999), 1.0),
        (load(cpu=0.6), 1.0),
        (load(cpu=0.7), 0.5),
        (load(cpu=0.8), 0.0),
        (load(link=100_000), 1.0),
        (load(link=71_428.6), 0.5),
        (load(link=50_000), 0.0),
        (load(cpu=0.7, link=52_000), 0.0),
        (load(cpu=0.75, link=71_428.6), 0.25),
    ],
)
def test_share_follows_the_most_pressed(now: Load | None, ratio: float) -> None:
    assert share_of(now, LIMITS, stopped=False).ratio == pytest.approx(ratio, abs=1e-3)


def test_share_says_why_it_is_less_than_all() -> None:
    assert share_of(load(cpu=0.7), LIMITS, stopped=False).why == "the box serves 400.0 kb/s, CPU 70% busy"
    assert share_of(load(), LIMITS, stopped=False) == ALL


def test_share_of_stopped_fill_returns_only_when_it_is_worth_it() -> None:
    little, enough = load(cpu=0.8 - 0.19 * RESUMED_SHARE_MIN), load(cpu=0.8 - 0.21 * RESUMED_SHARE_MIN)
    assert share_of(little, LIMITS, stopped=False).ratio > 0
    assert share_of(little, LIMITS, stopped=True).ratio == 0
    assert share_of(enough, LIMITS, stopped=True).ratio > RESUMED_SHARE_MIN


def test_share_is_never_none_where_stop_is_beyond_reach() -> None:
    never = BusyTable(serving_bytes_per_s_min=0, cpu_ratio_slow=1.0, cpu_ratio_stop=1.01)
    assert share_of(load(cpu=1.0), never, stopped=False) == ALL
