from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer

from oca.common.errors import SteeringError
from steering.api.client import RefusedError, SteeringClient
from steering.api.messages import Device, PlaybackRequest
from tests.unit.steering.api_client import Steering
from tests.unit.steering.made_up import make_contents, make_report

ELSEWHERE = "198.51.100.7"


@pytest.fixture
async def client(steering: Steering, package: Path) -> AsyncIterator[SteeringClient]:
    """Of a service whose title all three appliances hold."""
    contents = make_contents(steering.publish(package))
    for name, site in (("metro-a", "metro"), ("metro-b", "metro"), ("region-a", "region")):
        await steering.report(make_report(name, site, contents=contents))
    async with SteeringClient(str(steering.client.make_url("/"))) as asking:
        yield asking


async def test_client_asks_for_playback(client: SteeringClient) -> None:
    answer = await client.playback("harbour", client=ELSEWHERE)
    assert [way.pathway for way in answer.pathways] == ["region-a", "origin"]
    assert (answer.client, answer.client_from, answer.pathways[0].source_class) == (ELSEWHERE, "parameter", "regional")
    small = await client.playback("harbour", device=Device(protocols=("dash",), height_max=240))
    assert (small.hls_url, small.dash_url.endswith("/manifest.mpd")) == ("", True)


async def test_client_brings_refusals_as_one_named_error(client: SteeringClient) -> None:
    with pytest.raises(RefusedError, match="404: No such title") as caught:
        await client.playback("none")
    assert (caught.value.problem.status, caught.value.problem.field) == (404, "$.title")
    with pytest.raises(RefusedError, match=r"406: Nothing of harbour plays .*video-240p: codec avc1"):
        await client.playback("harbour", device=Device(codecs=("av01",)))


async def test_client_asks_on_how_many_boxes_a_title_lies(client: SteeringClient) -> None:
    found = await client.copies("harbour")
    assert (found.row.title, found.row.whole, found.sites) == ("harbour", 3, 2)
    with pytest.raises(RefusedError, match="404: No such title"):
        await client.copies("none")


async def test_client_asks_for_many_at_once(client: SteeringClient) -> None:
    requests = [PlaybackRequest(title="harbour" if number % 2 else "none", client=ELSEWHERE) for number in range(501)]
    items = await client.playbacks(requests)
    assert len(items) == 501
    assert {item.problem.status for item in items[::2] if item.problem is not None} == {404}
    assert {item.answer.client for item in items[1::2] if item.answer is not None} == {ELSEWHERE}
    assert all((item.answer is None) != (item.problem is None) for item in items)
    assert await client.playbacks([]) == []


async def test_client_follows_a_viewer_through_manifest_and_steering(client: SteeringClient) -> None:
    assert "metro-a" in await client.manifest("harbour", "hls")
    assert "ContentSteering" in await client.manifest("harbour", "dash", client=ELSEWHERE)
    answer = await client.steer(
        "dash", {"title": "harbour", "pathways": "origin,region-a,metro-a", "client": ELSEWHERE}
    )
    assert (answer.version, answer.ttl, answer.pathway_priority) == (1, 10, ["region-a", "origin", "metro-a"])
    assert await client.redirect("/harbour/poster.jpg", client=ELSEWHERE) == (
        "http://region-a.example:8080/harbour/poster.jpg"
    )


async def test_client_looks_at_everything(client: SteeringClient) -> None:
    assert [title.title for title in (await client.titles()).titles] == ["harbour"]
    assert {box.appliance: box.standing for box in (await client.fleet()).appliances}["metro-a"] == "up"
    assert (await client.health()).appliances_up == 3
    assert (await client.route_audit()).findings == []
    assert (await client.explain("harbour", client=ELSEWHERE)).rejected[0].why.startswith("embedded in another network")


async def test_client_says_where_nobody_answers() -> None:
    async with SteeringClient("http://127.0.105.9:9") as asking:
        with pytest.raises(SteeringError, match=r"http://127.0.105.9:9 cannot be reached"):
            await asking.health()


@pytest.mark.parametrize("status", [200, 502])
async def test_client_tells_other_servers_apart(status: int) -> None:
    async def answer(request: web.Request) -> web.Response:
        return web.Response(text="hello", status=status)

    app = web.Application()
    app.router.add_get("/health", answer)
    async with TestServer(app) as server, SteeringClient(str(server.make_url("/"))) as asking:
        with pytest.raises(SteeringError, match="is not steering"):
            await asking.health()
