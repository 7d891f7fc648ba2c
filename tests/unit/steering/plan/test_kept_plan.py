from __future__ import annotations

import numpy as np
from msgspec.structs import replace

from steering.plan.kept_plan import (
    KeptPlan,
    decode_plan,
    encode_plan,
    fill_plan,
    mark_urgent,
    next_urgent_ns,
    wanted_assets,
)
from tests.unit.steering.made_up import make_summary, make_title

TITLE = make_title("a", assets=[make_summary("a/0"), make_summary("a/1"), make_summary("a/2")])
NAMES = ["a/0", "a/1", "a/2", "gone/0"]
KEPT = KeptPlan(
    made_at_ns=7,
    names="x",
    boxes=["one", "two"],
    capacities=[100, 200],
    rows=np.array([2, 3, 0], np.uint32).tobytes(),
    expected=np.array([4096.0, 9.0, 0.0], np.float32).tobytes(),
    on=np.packbits(np.array([[True, True, False], [True, False, True]])).tobytes(),
)


def test_kept_plan_comes_back_as_it_was_kept() -> None:
    kept = decode_plan(encode_plan(KEPT))
    assert kept == KEPT
    assert kept.of("one").tolist() == [2, 3]
    assert kept.of("two").tolist() == [2, 0]
    assert [kept.boxes_with(place) for place in range(4)] == [["two"], [], ["one", "two"], ["one"]]


def test_fill_plan_leaves_out_what_is_gone_and_counts_copies() -> None:
    published = {asset.asset: asset for asset in TITLE.assets}
    one, two = (fill_plan(KEPT, box, NAMES, published, {"a": TITLE}) for box in KEPT.boxes)
    assert [item.asset for item in one.assets] == ["a/2"]
    assert one.assets[0].why == "4.0 KiB a day expected here, over 1000 B; on 2 of 2 boxes"
    assert [item.asset for item in two.assets] == ["a/2", "a/0"]
    assert (two.capacity_bytes, two.made_at_ns, two.assets[0].popularity) == (200, 7, 4.096)
    assert two.assets[1].why == "not watched yet; released 1970-01-01; on 1 of 2 boxes"


def test_wanted_assets_are_those_of_the_fill_plan() -> None:
    published = {asset.asset: asset for asset in TITLE.assets}
    assert [item.asset for item in wanted_assets(KEPT, "one", NAMES, published)] == ["a/2"]
    assert [item.asset for item in wanted_assets(KEPT, "two", NAMES, published)] == ["a/0", "a/2"]


def test_next_urgent_is_when_more_of_a_plan_is_marked() -> None:
    published = {asset.asset: asset for asset in TITLE.assets}
    plan = fill_plan(KEPT, "two", NAMES, published, {"a": TITLE})
    assert next_urgent_ns(plan, now_ns=0, ahead_s=1) is None
    releases = zip(plan.assets, (5 * 10**9, 9 * 10**9), strict=True)
    plan = replace(plan, assets=[replace(item, release_at_ns=at_ns) for item, at_ns in releases])
    assert next_urgent_ns(plan, now_ns=0, ahead_s=1) == 4 * 10**9
    assert next_urgent_ns(plan, now_ns=4 * 10**9, ahead_s=1) == 8 * 10**9
    for now_ns, urgent in ((4 * 10**9 - 1, 0), (4 * 10**9, 1), (8 * 10**9, 2)):
        assert sum(item.urgent for item in mark_urgent(plan, now_ns=now_ns, ahead_s=1).assets) == urgent
    assert next_urgent_ns(plan, now_ns=8 * 10**9, ahead_s=1) is None
