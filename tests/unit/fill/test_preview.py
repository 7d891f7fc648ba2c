from __future__ import annotations

from fill.diff import Held, Skipped, diff_plan
from fill.preview import preview_fill
from oca.common.messages import FillPlan, PlannedAsset

NEW = "a" * 32


def planned(asset: str, size: int) -> PlannedAsset:
    return PlannedAsset(asset=asset, revision=NEW, bytes=size, popularity=1.0, why=f"{asset} is popular")


def test_preview_lists_steps_in_plan_order_with_evictions_before_their_fetch() -> None:
    wanted = [
        planned("t/held", 10),
        planned("t/huge", 999),
        planned("t/new", 40),
        planned("t/held", 10),
        planned("t/dear", 5),
    ]
    plan = FillPlan(plan="c" * 32, appliance="fra1-a", made_at_ns=7, capacity_bytes=60, assets=wanted)
    store = [Held("t/held", NEW, 10, 0, 1), Held("t/gone", NEW, 30, 0, 1)]
    diff = diff_plan(wanted[:-1], store, free_bytes=20, overhead_bytes=0)

    preview = preview_fill(
        plan, diff, [Skipped("t/dear", 5, "costs more than it serves")], capacity_bytes=60, free_bytes=20
    )

    assert [(step.action, step.asset, step.bytes, step.why) for step in preview.steps] == [
        ("keep", "t/held", 10, "t/held is popular"),
        ("skip", "t/huge", 999, "no room: needs 999 B, 20 B free and 30 B held that the plan does not want"),
        ("evict", "t/gone", 30, "no longer wanted; makes room for t/new"),
        ("fetch", "t/new", 40, "t/new is popular"),
        ("leave", "t/dear", 5, "costs more than it serves"),
    ]
    assert (preview.appliance, preview.plan, preview.made_at_ns) == ("fra1-a", "c" * 32, 7)
    assert (preview.capacity_bytes, preview.free_bytes) == (60, 20)
    assert (preview.fetch_bytes, preview.evict_bytes) == (40, 30)
