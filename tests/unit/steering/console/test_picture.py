from __future__ import annotations

from typing import Any

import pytest
from msgspec.structs import replace

from oca.common.messages import Health, Load, StoreUse
from steering.console.picture import Bounds, boxes_matching, page, picture, sites_matching, state_of
from steering.fleet.liveness import NEVER_REPORTED, Liveness
from tests.unit.steering.made_up import UP, make_report, make_site

DEGRADED = replace(make_report(), health=Health(verdict="degraded", reasons=["hot"], weight=0.5))
GONE = Liveness("gone", 0.0, "last report 9.0 s old, limit 4.5 s")
DRAINED = Liveness("drained", 0.0, "drained: no new viewers")
METRO = make_site("metro", appliances=("metro-a", "metro-b"), latitude=52.5, longitude=13.4, isp="Net")
REGION = make_site("region", "regional", ("region-a",), latitude=-10.0, longitude=20.0, region="ZA")
EMPTY = make_site("empty")


def seen(**liveness: Liveness) -> Any:
    standing = {name.replace("_", "-"): found for name, found in liveness.items()}
    names = ("metro-a", "metro-b", "region-a")
    load = Load(connections=1, sent_bytes_per_s=10.0, link_bytes_per_s=100.0, cpu_ratio=0)
    use = StoreUse(capacity_bytes=50, used_bytes=20, assets=1, objects=1)
    reports = {name: make_report(name, load=load, store=use) for name in names[1:]}
    return picture(
        (METRO, REGION, EMPTY),
        {name: standing.get(name, UP) for name in names},
        {"metro-a": None, **reports},
    )


@pytest.mark.parametrize(
    ("liveness", "report", "state"),
    [
        (UP, make_report(), "serving"),
        (UP, None, "serving"),
        (UP, DEGRADED, "degraded"),
        (GONE, DEGRADED, "out"),
        (NEVER_REPORTED, None, "out"),
        (DRAINED, make_report(), "drained"),
        (Liveness("draining", 0.0, ""), make_report(), "drained"),
        (Liveness("turning-up", 0.0, ""), make_report(), "waiting"),
        (Liveness("returning", 0.0, ""), make_report(), "waiting"),
        (Liveness("unreachable", 0.0, ""), make_report(), "out"),
    ],
)
def test_state_of_box_is_one_word(liveness: Liveness, report: Any, state: str) -> None:
    assert state_of(liveness, report) == state


def test_picture_sums_boxes_up_by_site() -> None:
    metro, region, empty = seen(metro_a=GONE).sites
    assert (metro.state, metro.by_state, metro.boxes) == ("partly", {"out": 1, "serving": 1}, 2)
    assert metro.why == "metro-a: last report 9.0 s old, limit 4.5 s"
    assert (metro.sent_bytes_per_s, metro.link_bytes_per_s, metro.used_bytes, metro.capacity_bytes) == (10, 100, 20, 50)
    assert (region.state, region.why, region.name) == ("serving", "", "region")
    assert (empty.state, empty.boxes) == ("empty", 0)


def test_site_without_a_box_that_serves_is_out() -> None:
    site = seen(metro_a=GONE, metro_b=DRAINED).sites[0]
    assert (site.state, site.why) == ("out", "metro-a: last report 9.0 s old, limit 4.5 s")


@pytest.mark.parametrize(
    ("asked", "found"),
    [
        ({}, ["metro", "region", "empty"]),
        ({"state": "partly"}, ["metro"]),
        ({"search": "NET"}, ["metro"]),
        ({"search": "za"}, ["region"]),
        ({"search": "nothing"}, []),
        ({"bounds": Bounds(50, 10, 52.5, 13.4)}, ["metro"]),
        ({"bounds": Bounds(-90, -180, 0.0, 0.0)}, ["empty"]),
    ],
)
def test_sites_are_found_by_state_text_and_place(asked: Any, found: list[str]) -> None:
    wanted = {"state": "", "search": "", "bounds": None, **asked}
    assert [site.site for site in sites_matching(seen(metro_a=GONE).sites, **wanted)] == found


@pytest.mark.parametrize(
    ("asked", "found"),
    [
        ({}, ["region-a", "metro-b", "metro-a"]),
        ({"state": "trouble"}, ["region-a", "metro-b"]),
        ({"state": "serving"}, ["metro-a"]),
        ({"site": "metro"}, ["metro-b", "metro-a"]),
        ({"search": "9.0 S OLD"}, ["region-a"]),
        ({"search": "METRO-A"}, ["metro-a"]),
    ],
)
def test_boxes_are_found_worst_first(asked: Any, found: list[str]) -> None:
    wanted = {"state": "", "site": "", "search": "", **asked}
    boxes = seen(metro_b=DRAINED, region_a=GONE).boxes
    assert [box.appliance for box in boxes_matching(boxes, **wanted)] == found


def test_pages_follow_each_other_to_the_end() -> None:
    rows = [f"r{number}" for number in range(7)]
    seen_rows, after = [], ""
    for _ in range(10):
        shown, after = page(rows, str, after=after, limit=3)
        seen_rows += shown
        if not after:
            break
    assert seen_rows == rows
    assert page(rows, str, after="gone", limit=2) == (["r0", "r1"], "r1")
    assert page([], str, after="", limit=2) == ([], "")
    assert page(rows[:3], str, after="", limit=3) == (rows[:3], "")
