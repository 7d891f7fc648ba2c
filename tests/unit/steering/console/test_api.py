from __future__ import annotations

import asyncio
import threading
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace

from oca.common.clock import monotonic_s
from oca.common.messages import AssetProgress
from steering.api.messages import TitlesView
from steering.console import api
from steering.state.embedded import EmbeddedState
from steering.titles.publish import Publication
from tests.unit.steering.api_client import Steering
from tests.unit.steering.made_up import make_contents, make_progress, make_report, make_settings, make_site
from tests.unit.steering.routes_made_up import NEAR, Box


@pytest.fixture(autouse=True)
def _fresh(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(api, "PICTURE_S", 0.0)
    monkeypatch.setattr(api, "AUDIT_S", 0.0)


async def test_overview_counts_fleet_by_state(steering: Steering, package: Path) -> None:
    steering.publish(package)
    await steering.report(make_report())
    await steering.report(make_report("metro-b", serving="drained"))
    seen = await steering.get("/v1/fleet/overview")
    assert (seen["sites"], seen["boxes"], seen["titles"], seen["unplaced"]) == (2, 3, 1, 0)
    assert seen["by_state"] == {"serving": 1, "drained": 1, "out": 1}
    assert seen["by_standing"] == {"up": 1, "drained": 1, "unknown": 1}
    assert seen["sites_by_state"] == {"partly": 1, "out": 1}
    assert sorted(mark["name"] for mark in seen["marks"]) == ["metro", "region"]


async def test_sites_come_in_pages(steering: Steering) -> None:
    first = await steering.get("/v1/fleet/sites?limit=1")
    second = await steering.get(f"/v1/fleet/sites?limit=1&after={first['after']}")
    assert [each["sites"][0]["site"] for each in (first, second)] == ["metro", "region"]
    assert (first["matching"], second["after"]) == (2, "")
    (metro,) = (await steering.get("/v1/fleet/sites?bounds=51,-1,53,1"))["sites"]
    assert (metro["site"], metro["why"]) == ("metro", "metro-a: no report yet since steering started")


async def test_boxes_tell_why_they_are_out(steering: Steering) -> None:
    await steering.report(make_report())
    boxes = await steering.get("/v1/fleet/boxes?state=trouble&site=metro")
    (row,) = boxes["boxes"]
    assert (row["state"], row["appliance"]["appliance"]) == ("out", "metro-b")
    assert row["appliance"]["why"] == "no report yet since steering started"


async def test_boxes_name_one_asset_of_a_long_fill(steering: Steering) -> None:
    asset = AssetProgress(asset="harbour/video", state="fetching", bytes=1, bytes_done=0)
    long = replace(make_progress(), current=[asset] * 100)
    steering.service.decider.fleet.progress(long)
    boxes = await steering.get("/v1/fleet/boxes?search=METRO-A")
    assert len(boxes["boxes"][0]["appliance"]["fill"]["current"]) == 1


async def test_catalogue_tells_copies(steering: Steering, package: Path) -> None:
    held = steering.publish(package)
    await steering.report(make_report(contents=make_contents(held)))
    page = await steering.get("/v1/catalogue?search=harb")
    assert (page["titles"], page["matching"], page["after"]) == (1, 1, "")
    assert (page["rows"][0]["whole"], page["rows"][0]["partly"]) == (1, 0)
    title = await steering.get("/v1/catalogue/harbour")
    assert {asset["holders_count"] for asset in title["assets"]} == {1}
    assert title["sites_named"] == ["metro"]


async def test_box_can_be_tried_with_what_it_holds(steering: Steering, package: Path) -> None:
    held = steering.publish(package)
    some = {asset: revision for asset, revision in held.items() if not asset.endswith("/manifests")}
    await steering.report(make_report(contents=make_contents(some), serving="drained"))
    (title,) = (await steering.get("/v1/fleet/boxes/metro-a/titles"))["titles"]
    assert (title["title"], title["assets_held"], title["assets"]) == ("harbour", len(held) - 1, len(held))
    answer = await steering.get("/v1/fleet/boxes/metro-a/playback/harbour")
    assert answer["hls_url"] == "http://metro-a.example:8080/harbour/master.m3u8"
    assert (answer["standing"], answer["missing"]) == ("drained", ["harbour/manifests"])


@pytest.mark.parametrize(
    ("path", "status", "said"),
    [
        ("/v1/fleet/sites?limit=0", 400, "limit"),
        ("/v1/fleet/boxes?state=lost", 400, "state"),
        ("/v1/catalogue/none", 404, "No such title"),
        ("/v1/fleet/boxes/none/titles", 404, "No such appliance"),
        ("/v1/fleet/boxes/metro-a/playback/none", 404, "No such title"),
        ("/v1/fleet/boxes/metro-a/playback/harbour", 404, "it has not reported yet"),
    ],
)
async def test_console_refuses_what_is_not_there(
    steering: Steering, package: Path, path: str, status: int, said: str
) -> None:
    steering.publish(package)
    refused, problem = await steering.problem("GET", path)
    assert refused == status
    assert said in str(problem)


async def test_shelf_shows_titles_a_page_at_a_time_as_all_of_them_are_shown(steering: Steering, package: Path) -> None:
    await steering.report(make_report(contents=make_contents(steering.publish(package))))
    steering.publish(package, Publication("mist", "Mist", "/mist", "", (), 0, 0))
    everything = (await steering.get("/v1/titles"))["titles"]
    first = await steering.get("/v1/shelf?limit=1")
    second = await steering.get(f"/v1/shelf?limit=1&after={first['after']}")
    assert (first["matching"], first["after"], second["after"]) == (2, "harbour", "")
    assert [*first["titles"], *second["titles"]] == everything
    assert everything[0]["holders_count"] == 1
    (found,) = (await steering.get("/v1/shelf?search=MIS"))["titles"]
    assert found["title"] == "mist"


async def test_shelves_are_made_one_at_a_time(steering: Steering, monkeypatch: pytest.MonkeyPatch) -> None:
    two = threading.Barrier(2)
    together: list[int] = []

    def titles_page(*_: object, **__: object) -> TitlesView:
        with suppress(threading.BrokenBarrierError):
            together.append(two.wait(timeout=0.05))
        return TitlesView([])

    monkeypatch.setattr("steering.console.api.titles_page", titles_page)
    await asyncio.gather(steering.get("/v1/shelf"), steering.get("/v1/shelf"))
    assert together == []


async def test_findings_of_routes_come_in_pages(steering: Steering) -> None:
    assert await steering.get("/v1/routes/findings") == {
        "prefixes": 1,
        "appliances": 0,
        "routes": 0,
        "set_aside": 0,
        "kinds": {},
        "findings": [],
        "after": "",
    }
    reach = steering.service.decider.reach
    assert not Box("metro-a").tell(reach, {"10.0.0.0/8": NEAR}, whole=True)
    page: Any = await steering.get("/v1/routes/findings?search=METRO")
    assert (page["appliances"], page["routes"], page["set_aside"]) == (1, 1, 1)
    assert page["kinds"] == {"set-aside": 1}
    assert page["findings"][0]["examples"] == ["10.0.0.0/8"]
    assert (await steering.get("/v1/routes/findings?search=region"))["findings"] == []


async def test_console_stays_small_and_quick_at_20_000_boxes(state: EmbeddedState, package: Path) -> None:
    sites = tuple(
        make_site(
            f"s{number}",
            appliances=tuple(f"s{number}-{letter}" for letter in "abcd"),
            latitude=number * 7919 % 120 - 60.0,
            longitude=number * 104729 % 360 - 180.0,
        )
        for number in range(5000)
    )
    async with Steering(state, make_settings(site=sites)) as steering:
        contents = make_contents(steering.publish(package))
        for site in sites:
            for entry in site.appliance:
                report = make_report(entry.id, site.id, contents=contents)
                steering.service.decider.fleet.observe(report, monotonic_s())
        sizes = {}
        for path in (
            "/v1/fleet/overview",
            "/v1/fleet/sites",
            "/v1/fleet/boxes?state=serving",
            "/v1/fleet/boxes?site=s77",
            "/v1/fleet/boxes?limit=24",
            "/v1/shelf?limit=60",
            "/v1/catalogue",
            "/v1/catalogue/harbour",
            "/v1/explain?title=harbour&rejected=100",
        ):
            async with steering.client.get(path) as response:
                assert response.status == 200, path
                sizes[path] = len(await response.read())
        row = (await steering.get("/v1/catalogue"))["rows"][0]
    assert row["whole"] == 20_000
    assert max(sizes.values()) < 100_000, sizes
