"""What is worth fetching where every byte costs: expected bytes served over bytes filled. Pure."""

from __future__ import annotations

from collections.abc import Collection, Iterable

from fill.diff import Skipped
from fill.tables import BudgetTable
from oca.common.messages import PlannedAsset


def within_budget(
    assets: Iterable[PlannedAsset], held: Collection[str], budget: BudgetTable
) -> tuple[list[PlannedAsset], list[Skipped]]:
    """Part what is worth fetching from what is left out, each of these with its numbers.

    What is held already costs nothing more, and an upcoming release has no demand yet to judge it by: both stay.

    Args:
        assets: The plan's, in order.
        held: Assets in the store, of whatever revision.
        budget: The least ratio, and the days over which an asset is expected to be served.
    """
    kept: list[PlannedAsset] = []
    left_out: list[Skipped] = []
    for planned in assets:
        ratio = expected_ratio(planned, budget)
        if ratio >= budget.efficiency_min or planned.asset in held or planned.release_at_ns or planned.urgent:
            kept.append(planned)
        else:
            reason = (
                f"expected to be served {ratio:.2f} times its size in {budget.days:g} days, "
                f"{budget.efficiency_min:g} wanted (budget.efficiency_min)"
            )
            left_out.append(Skipped(planned.asset, planned.bytes, reason))
    return kept, left_out


def expected_ratio(planned: PlannedAsset, budget: BudgetTable) -> float:
    """Bytes expected to be served over ``budget.days`` ÷ bytes to fetch."""
    return planned.popularity * budget.days
