import pytest

import oca.common.demand as demand_module
from oca.common.demand import SUM_MAX, Taken, Wanted


def test_taken_adds_up_what_workers_tell() -> None:
    taken = Taken()
    taken.add([("a/v", 1, 10), ("b/v", 2, 20)], {"a/v": 1}, {"/a/1": Wanted(1, ranges=1, range_bytes=9)})
    taken.add([("a/v", 3, 30)], {"a/v": 2}, {"/a/1": Wanted(0, 2, 3, 300)}, 7)
    assert taken == Taken({"a/v": (4, 40), "b/v": (2, 20)}, {"a/v": 3}, {"/a/1": Wanted(1, 2, 3, 300, 1, 9)}, 7)
    twice = Taken()
    twice.add_all(taken)
    twice.add_all(taken)
    assert twice == Taken({"a/v": (8, 80), "b/v": (4, 40)}, {"a/v": 6}, {"/a/1": Wanted(2, 4, 6, 600, 2, 18)}, 14)


def test_taken_keeps_so_many_objects_that_are_not_held_and_counts_what_went_by(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(demand_module, "WANTED_MAX", 1)
    taken = Taken()
    for path, wanted in (("/a/1", Wanted(1)), ("/a/2", Wanted(1, 2, 3)), ("/a/1", Wanted(1))):
        taken.add([], {}, {path: wanted})
    assert taken == Taken(wanted={"/a/1": Wanted(2)}, dropped=6)


def test_wanted_ends_at_what_a_message_holds() -> None:
    named = Wanted(missed=1, ranges=1, range_bytes=SUM_MAX - 1)
    assert named.plus(named) == Wanted(missed=2, ranges=2, range_bytes=SUM_MAX)
