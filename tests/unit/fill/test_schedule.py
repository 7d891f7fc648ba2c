from __future__ import annotations

from fill.schedule import in_order
from oca.common.messages import PlannedAsset


def planned(asset: str, release_at_ns: int = 0) -> PlannedAsset:
    return PlannedAsset(
        asset=asset, revision="a" * 32, bytes=1, popularity=1.0, why="popular", release_at_ns=release_at_ns
    )


def test_schedule_takes_nearest_release_first_then_the_plans_order() -> None:
    plan = [planned("t/a"), planned("t/b"), planned("late/a", 300), planned("soon/b", 200), planned("soon/a", 200)]
    assert [entry.asset for entry in in_order(plan)] == ["soon/b", "soon/a", "late/a", "t/a", "t/b"]
