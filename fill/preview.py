"""What a fill would do and why, for ``oca-fill plan``. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

from msgspec import Struct

from fill.diff import FillDiff, Skipped
from fill.schedule import in_order
from oca.common.messages import FillPlan


class Step(Struct, frozen=True):
    """One asset, and what would become of it."""

    action: Literal["keep", "evict", "fetch", "skip", "leave"]
    asset: str
    bytes: int
    why: str


class Preview(Struct, frozen=True):
    """A fill as it would go now, were every source to answer."""

    appliance: str
    plan: str
    made_at_ns: int
    capacity_bytes: int
    free_bytes: int
    fetch_bytes: int
    evict_bytes: int
    steps: tuple[Step, ...]


def preview_fill(
    plan: FillPlan, diff: FillDiff, left_out: Sequence[Skipped], *, capacity_bytes: int, free_bytes: int
) -> Preview:
    """The steps of ``diff`` in the order of the fill, each eviction before the fetch that needs it."""
    not_worth = {entry.asset: entry.reason for entry in left_out}
    fetches = {fetch.planned.asset: fetch for fetch in diff.fetches}
    skipped = {entry.asset: entry.reason for entry in diff.skipped}
    steps: list[Step] = []
    seen: set[str] = set()
    for planned in in_order(plan.assets):
        if planned.asset in seen:
            continue
        seen.add(planned.asset)
        if planned.asset in not_worth:
            steps.append(Step("leave", planned.asset, planned.bytes, not_worth[planned.asset]))
        elif planned.asset in skipped:
            steps.append(Step("skip", planned.asset, planned.bytes, skipped[planned.asset]))
        elif planned.asset in fetches:
            why = f"no longer wanted; makes room for {planned.asset}"
            steps += [Step("evict", held.asset, held.bytes, why) for held in fetches[planned.asset].evict_first]
            steps.append(Step("fetch", planned.asset, planned.bytes, planned.why))
        else:
            steps.append(Step("keep", planned.asset, planned.bytes, planned.why))
    return Preview(
        appliance=plan.appliance,
        plan=plan.plan,
        made_at_ns=plan.made_at_ns,
        capacity_bytes=capacity_bytes,
        free_bytes=free_bytes,
        fetch_bytes=sum(fetch.planned.bytes for fetch in diff.fetches),
        evict_bytes=sum(held.bytes for held in diff.evictions),
        steps=tuple(steps),
    )
