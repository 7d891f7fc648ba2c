from __future__ import annotations

import asyncio
import dataclasses
from pathlib import Path

import pytest
from msgspec.structs import replace

import steering.api.kept as kept_module
from steering.api.views import HOLDERS_NAMED_MAX
from steering.settings import SteeringSettings
from steering.state.embedded import EmbeddedState
from tests.unit.steering.api_client import TITLE, Steering
from tests.unit.steering.made_up import make_contents, make_report, make_site
from tests.waiting import WAIT_S


async def test_titles_show_assets_and_who_holds_them(steering: Steering, package: Path) -> None:
    held = steering.publish(package, dataclasses.replace(TITLE, synopsis="Ships pass."))
    await steering.report(make_report("metro-b", contents=make_contents(held)))
    await steering.report(make_report("metro-a", contents=make_contents(held), serving="drained"))
    (title,) = (await steering.get("/v1/titles"))["titles"]
    assert (title["title"], title["name"], title["poster"]) == ("harbour", "Harbour", "/harbour/poster.jpg")
    assert (title["synopsis"], title["holders_count"]) == ("Ships pass.", 1)
    assert (title["copies"], title["live"]) == (1, True)
    assert {asset["asset"]: asset["holders"] for asset in title["assets"]} == {asset: ["metro-b"] for asset in held}


async def test_titles_name_the_first_holders_and_count_the_rest(
    state: EmbeddedState, settings: SteeringSettings, package: Path
) -> None:
    names = tuple(f"box-{number:02}" for number in range(HOLDERS_NAMED_MAX + 5))
    crowd = replace(settings, site=(make_site(appliances=names),))
    async with Steering(state, crowd) as steering:
        held = steering.publish(package)
        manifests = {asset: revision for asset, revision in held.items() if asset.endswith("/manifests")}
        for name in names:
            await steering.report(make_report(name, contents=make_contents(manifests if name == "box-03" else held)))
        (title,) = (await steering.get("/v1/titles"))["titles"]
    assert title["holders_count"] == len(names)
    assert title["copies"] == len(names) - 1, "as many as hold the asset that the fewest hold"
    by_asset = {asset["asset"]: asset for asset in title["assets"]}
    assert by_asset["harbour/manifests"]["holders"] == list(names[:HOLDERS_NAMED_MAX])
    assert by_asset["harbour/video-240p"]["holders_count"] == len(names) - 1
    assert by_asset["harbour/video-240p"]["holders"] == [name for name in names[:HOLDERS_NAMED_MAX] if name != "box-03"]


@pytest.mark.parametrize(("holders", "live"), [(0, False), (1, False), (2, True)])
async def test_title_is_live_once_enough_copies_of_each_asset_are_held(
    state: EmbeddedState, settings: SteeringSettings, package: Path, holders: int, live: bool
) -> None:
    two = replace(settings, plan=replace(settings.plan, live_copies=2))
    async with Steering(state, two) as steering:
        held = steering.publish(package)
        some = {asset: revision for asset, revision in held.items() if asset.endswith("/manifests")}
        for number, name in enumerate(("metro-a", "metro-b")):
            await steering.report(make_report(name, contents=make_contents(held if number < holders else some)))
        (title,) = (await steering.get("/v1/titles"))["titles"]
    assert (title["copies"], title["live"]) == (holders, live)


async def test_views_are_kept_for_a_second(steering: Steering, package: Path) -> None:
    before = [await steering.get("/v1/titles"), await steering.get("/v1/fleet")]
    await steering.report(make_report(contents=make_contents(steering.publish(package))))
    assert [await steering.get("/v1/titles"), await steering.get("/v1/fleet")] == before


async def test_fleet_shows_sites_and_why_appliances_are_out(steering: Steering) -> None:
    fleet = await steering.get("/v1/fleet")
    assert [(site["site"], site["class"]) for site in fleet["sites"]] == [("metro", "embedded"), ("region", "regional")]
    first = fleet["appliances"][0]
    assert (first["up"], first["standing"], first["why"]) == (False, "unknown", "no report yet since steering started")


async def test_health_says_what_is_amiss(steering: Steering, package: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(kept_module, "KEEP_S", 0.0)
    health = await steering.get("/health")
    assert health["verdict"] == "degraded"
    assert health["reasons"] == ["no title is published", "no appliance is up: viewers are sent to the origin"]
    steering.publish(package)
    await steering.report(make_report())
    health = await steering.get("/health")
    assert (health["verdict"], health["appliances_up"], health["titles"]) == ("ok", 1, 1)


async def test_metrics_count_standings_and_decisions(steering: Steering, package: Path) -> None:
    steering.publish(package)
    await steering.report(make_report())
    await steering.playback()
    async with steering.client.get("/metrics") as response:
        text = await response.text()
    assert 'oca_steering_appliances{standing="up"} 1.0' in text
    assert 'oca_steering_appliances{standing="unknown"} 2.0' in text
    assert 'oca_steering_decisions_total{kind="playback"} 1.0' in text
    assert 'oca_steering_first_choices_total{class="fallback"} 1.0' in text
    assert "oca_steering_titles 1.0" in text


async def test_preflight_is_answered_for_pages_of_any_origin(steering: Steering) -> None:
    async with steering.client.options("/v1/playback", headers={"Origin": "http://page.example"}) as response:
        assert response.status == 204
        assert "POST" in response.headers["Access-Control-Allow-Methods"]


async def test_appliance_endpoints_are_not_for_pages(steering: Steering) -> None:
    async with await steering.report(make_report()) as response:
        assert "Access-Control-Allow-Origin" not in response.headers
    async with steering.client.options("/v1/appliances/metro-a/report") as response:
        assert response.status == 405


@pytest.mark.parametrize("path", ["/nothing", "/v1/playback"])
async def test_wrong_addresses_are_problems(steering: Steering, path: str) -> None:
    status, problem = await steering.problem("GET", path)
    assert status in (404, 405)
    assert problem["status"] == status


async def test_fault_of_ours_tells_nothing_internal(steering: Steering, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(appliance: str, now_s: float) -> None:
        raise RuntimeError("secret " + appliance)

    monkeypatch.setattr(steering.service.decider.fleet, "liveness", fail)
    status, problem = await steering.problem("GET", "/v1/fleet")
    assert status == 500
    assert "secret" not in str(problem)


@pytest.mark.parametrize("path", ["/steer/hls", "/none"])
async def test_expectation_that_is_no_text_is_refused(steering: Steering, path: str) -> None:
    reader, writer = await asyncio.open_connection(steering.client.host, steering.client.port)
    writer.write(b"GET %b HTTP/1.1\r\nHost: x\r\nExpect: \xff\r\n\r\n" % path.encode())
    async with asyncio.timeout(WAIT_S):
        assert await reader.readline() == b"HTTP/1.1 417 Expectation Failed\r\n"
    writer.close()
