from __future__ import annotations

from pathlib import Path

import pytest

from tests.unit.steering.api_client import Steering
from tests.unit.steering.made_up import make_contents, make_report


async def test_titles_show_assets_and_who_holds_them(steering: Steering, package: Path) -> None:
    held = steering.publish(package)
    await steering.report(make_report("metro-b", contents=make_contents(held)))
    await steering.report(make_report("metro-a", contents=make_contents(held), serving="drained"))
    (title,) = (await steering.get("/v1/titles"))["titles"]
    assert (title["title"], title["name"], title["poster"]) == ("harbour", "Harbour", "/harbour/poster.jpg")
    assert {asset["asset"]: asset["holders"] for asset in title["assets"]} == {asset: ["metro-b"] for asset in held}


async def test_fleet_shows_sites_and_why_appliances_are_out(steering: Steering) -> None:
    fleet = await steering.get("/v1/fleet")
    assert [(site["site"], site["class"]) for site in fleet["sites"]] == [("metro", "embedded"), ("region", "regional")]
    first = fleet["appliances"][0]
    assert (first["up"], first["standing"], first["why"]) == (False, "unknown", "no report yet since steering started")


async def test_health_says_what_is_amiss(steering: Steering, package: Path) -> None:
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
    def fail(appliance: str) -> None:
        raise RuntimeError("secret " + appliance)

    monkeypatch.setattr(steering.service.decider, "liveness", fail)
    status, problem = await steering.problem("GET", "/v1/fleet")
    assert status == 500
    assert "secret" not in str(problem)
