from __future__ import annotations

import numpy as np

from steering.plan.placement import Box
from steering.plan.placing import Placing, added

DRAWS = np.array([[1.0, 1.0, 1.0, 2.0], [2.0, 2.0, 2.0, 1.0]])


def placing(*spaces: float, rate: float = np.inf) -> Placing:
    """Of four assets, of which three rank the first box first."""
    boxes = [Box(f"box-{number}", number, space, rate) for number, space in enumerate(spaces)]
    return Placing(boxes, np.array([2.0, 2.0, 2.0, 1.0]), DRAWS)


def test_settling_puts_the_best_first_and_the_others_on_the_next_box_that_has_room() -> None:
    made, one = placing(4.0, 4.0), np.ones(4, np.int64)
    made.settle(one, np.zeros(4))
    assert made.on.tolist() == [[True, True, False, False], [False, False, True, True]]
    assert made.room.tolist() == [0.0, 1.0]
    made.settle(one, np.zeros(4))
    assert made.on[1].tolist() == [False, False, True, True], "no room for another copy"


def test_settling_keeps_to_throughput() -> None:
    made = placing(9.0, 9.0, rate=2.0)
    made.settle(np.ones(4, np.int64), np.ones(4))
    assert made.on.tolist() == [[True, True, False, False], [False, False, True, True]]
    assert made.pace.tolist() == [0.0, 0.0]
    assert not made.put(0, 1.0)
    assert not made.lacks_pace(np.ones(4)), "each has a place"
    made.take_back(np.array([True, False, False, False]), np.ones(4))
    assert made.lacks_pace(np.array([1.5, 1.0, 1.0, 1.0]))


def test_worse_assets_give_way_and_what_is_taken_back_leaves_its_room() -> None:
    made, nothing = placing(4.0, 1.0), np.zeros(4)
    made.settle(np.array([0, 1, 1, 1]), nothing)
    assert made.on.tolist() == [[False, True, True, False], [False, False, False, True]]
    assert not made.put(0, 0.0)
    assert made.give_way(0, nothing) == [2]
    assert made.put(0, 0.0)
    assert made.give_way(2, nothing) == []
    made.take_back(np.array([True, False, False, False]), nothing)
    assert made.room.tolist() == [2.0, 0.0]
    assert added(made.on, np.array([2.0, 2.0, 2.0, 1.0])).tolist() == [2.0, 1.0]
