from __future__ import annotations

import random

from hypothesis import given
from hypothesis import strategies as st

from fill.diff import Fetch
from fill.turns import LOOKS_PER_S_MAX, Turn, Turns
from oca.common.messages import PlannedAsset

LOOK_S = 5.0


def new_turns(*names: str) -> Turns:
    return Turns(map(fetch, names), look_interval_s=LOOK_S)


def fetch(name: str) -> Fetch:
    return Fetch(PlannedAsset(asset=f"t/{name}", revision="a" * 32, bytes=1, popularity=1.0, why=""), ())


def take(turns: Turns, now_s: float) -> Turn:
    turn = turns.next(now_s)
    assert isinstance(turn, Turn)
    return turn


def test_turns_hand_out_each_asset_in_order() -> None:
    turns = new_turns("a", "b")
    assert [take(turns, 5.0), take(turns, 6.0)] == [Turn(fetch("a"), 5.0), Turn(fetch("b"), 6.0)]
    assert turns.next(7.0) is None


def test_turns_look_again_at_what_waits_before_they_go_on() -> None:
    turns = new_turns("a", "b", "c")
    first = take(turns, 0.0)
    turns.put_back(first, 0.0, more_in_s=1000.0)
    assert take(turns, 1.0).fetch == fetch("b")
    assert take(turns, LOOK_S) == first, "and it keeps the moment of its first turn"
    turns.put_back(first, LOOK_S, more_in_s=2.0)
    assert take(turns, LOOK_S).fetch == fetch("c")
    assert turns.next(LOOK_S) == 2.0
    assert take(turns, LOOK_S + 2.0) == first


def test_turns_look_no_oftener_than_steering_bears() -> None:
    turns, now, looks = new_turns(*map(str, range(1000))), 0.0, []
    while isinstance(turn := turns.next(now), Turn):
        turns.put_back(turn, now, more_in_s=10_000.0)
    while (found := turns.next(now)) is not None:
        if isinstance(found, Turn):
            looks.append(now)
        else:
            now += found
    assert len(looks) == 1000
    assert looks[-1] >= 1000 / LOOKS_PER_S_MAX


@given(st.integers(1, 30), st.integers(0, 2**32))
def test_turns_lose_and_repeat_nothing(count: int, seed: int) -> None:
    dice = random.Random(seed)
    turns, now, done = new_turns(*map(str, range(count))), 0.0, []
    while (turn := turns.next(now)) is not None:
        if isinstance(turn, float):
            assert turn > 0
            now += turn
        elif dice.random() < 0.5:
            turns.put_back(turn, now, more_in_s=dice.choice([None, 0.5, 100.0]))
        else:
            done.append(turn.fetch.planned.asset)
    assert sorted(done) == sorted(f"t/{number}" for number in range(count))
