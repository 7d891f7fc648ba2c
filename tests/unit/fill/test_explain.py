from __future__ import annotations

from msgspec.structs import replace

from fill.diff import diff_plan
from fill.explain import explain, in_words
from fill.preview import preview_fill
from fill.tables import BudgetTable, LadderTable
from oca.common.messages import AssetManifest, FillSource

from .conftest import make_files, make_manifest, make_plan

MANIFEST = make_manifest(
    "t/a",
    make_files("t/a", [100]),
    [
        FillSource(kind="peer", url="http://peer", appliance="fra1-b"),
        FillSource(kind="origin", url="http://origin"),
    ],
)
LADDER = LadderTable(peer_wait_s=600, tier_wait_s=60)


def words(manifest: AssetManifest, **changes: object) -> list[str]:
    plan = make_plan(MANIFEST)
    planned = replace(plan.assets[0], **changes)
    plan = replace(plan, assets=[planned])
    preview = preview_fill(
        plan, diff_plan(plan.assets, [], free_bytes=10**6, overhead_bytes=0), [], capacity_bytes=1, free_bytes=1
    )
    found = explain(planned, preview, manifest, ladder=LADDER, budget=BudgetTable(), window="the window opens soon")
    return list(in_words(found))


def test_explanation_tells_place_reason_and_whom_it_asks_when() -> None:
    assert words(replace(MANIFEST, master=False)) == [
        "t/a would be fetched: popular",
        "  1 of 1 in order; 100 B; expected to be served 1.00 times its size a day, 7.00 times over budget.days",
        "  the window opens soon",
        "  this appliance waits for a peer that brings it",
        "  peer   http://peer fra1-b at once",
        "  origin http://origin  after 11 min 0 s",
    ]
    assert words(MANIFEST)[3:] == [
        "  this appliance brings it to this site",
        "  peer   http://peer fra1-b at once",
        "  origin http://origin  after 1 min 0 s",
    ]


def test_explanation_tells_release_and_that_nobody_has_it() -> None:
    said = words(replace(MANIFEST, sources=[]), release_at_ns=1_800_000_000 * 10**9, urgent=True)
    assert said[2] == "  released at 2027-01-15 08:00:00Z; urgent: it is fetched outside the window, too"
    assert said[-1] == "  nobody has it that steering knows of"
    assert "urgent" not in words(MANIFEST, release_at_ns=1_800_000_000 * 10**9)[2]
