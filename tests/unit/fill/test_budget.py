from __future__ import annotations

from msgspec.structs import replace

from fill.budget import within_budget
from fill.diff import Skipped
from fill.tables import BudgetTable
from oca.common.messages import PlannedAsset

PLANNED = PlannedAsset(asset="t/a", revision="a" * 32, bytes=10, popularity=0.5, why="")
LEAST = BudgetTable(efficiency_min=3.0, days=4.0)


def test_budget_leaves_out_what_costs_more_than_it_serves_with_its_numbers() -> None:
    dear = replace(PLANNED, asset="t/dear", popularity=0.74)
    worth = replace(PLANNED, asset="t/worth", popularity=0.75)
    assert within_budget([dear, worth], set(), LEAST) == (
        [worth],
        [
            Skipped(
                "t/dear",
                10,
                "expected to be served 2.96 times its size in 4 days, 3 wanted (budget.efficiency_min)",
            )
        ],
    )


def test_budget_keeps_what_is_held_and_what_is_not_released_yet() -> None:
    assets = [replace(PLANNED, release_at_ns=5), replace(PLANNED, urgent=True), replace(PLANNED, asset="t/held")]
    assert within_budget(assets, {"t/held"}, LEAST) == (assets, [])


def test_budget_of_nothing_keeps_everything() -> None:
    assert within_budget([replace(PLANNED, popularity=0.0)], set(), BudgetTable())[1] == []
