from __future__ import annotations

import numpy as np

from steering.kept_plan import KeptPlan, decode_plan, encode_plan, fill_plan
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


def test_fill_plan_leaves_out_what_is_gone_and_counts_copies() -> None:
    published = {asset.asset: asset for asset in TITLE.assets}
    one, two = (fill_plan(KEPT, box, NAMES, published, {"a": TITLE}) for box in KEPT.boxes)
    assert [item.asset for item in one.assets] == ["a/2"]
    assert one.assets[0].why == "4.0 KiB a day expected here, over 1000 B; on 2 of 2 boxes"
    assert [item.asset for item in two.assets] == ["a/2", "a/0"]
    assert (two.capacity_bytes, two.made_at_ns, two.assets[0].popularity) == (200, 7, 4.096)
    assert two.assets[1].why == "not watched yet; released 1970-01-01; on 1 of 2 boxes"
