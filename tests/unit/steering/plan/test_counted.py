from __future__ import annotations

from steering.plan.counted import NOTHING, TOTAL_MAX, Counted


def test_counts_add_up_to_what_a_float_still_has_and_no_further() -> None:
    assert Counted(TOTAL_MAX - 2, 1).plus(Counted(5, 1)) == Counted(TOTAL_MAX, 2)
    assert float(TOTAL_MAX - 1) + 1 == TOTAL_MAX


def test_counts_leave_what_is_beside_others() -> None:
    both = Counted(3, 30, missed=2)
    assert both.minus(Counted(3, 20)) == Counted(0, 10, missed=2)
    assert both.minus(both) == NOTHING
