from __future__ import annotations

from pathlib import Path
from typing import Any

import msgspec
from aiohttp import ClientResponse

from oca.common.routes import NOTHING, RouteBatch, RouteGroup
from steering.state.embedded import EmbeddedState
from tests.unit.steering.api_client import JSON, Steering
from tests.unit.steering.made_up import make_contents, make_report, make_settings, make_site, revision
from tests.unit.steering.routes_made_up import FAR, NEAR, Box


async def post(steering: Steering, box: Box, batch: RouteBatch) -> ClientResponse:
    path = f"/v1/appliances/{box.name}/routes"
    return await steering.client.post(path, data=msgspec.json.encode(batch), headers=JSON)


async def told(steering: Steering, box: Box, batch: RouteBatch) -> Any:
    async with await post(steering, box, batch) as response:
        assert response.status == 200, await response.text()
        return await response.json()


async def test_routes_are_taken_and_wanted_whole_after_a_gap(steering: Steering) -> None:
    box = Box("metro-a")
    assert await told(steering, box, box.batch({"45.1.0.0/16": NEAR})) == {"digest": box.digest, "full_wanted": False}
    box.batch({"45.2.0.0/16": NEAR})
    assert (await told(steering, box, box.batch({"45.3.0.0/16": FAR})))["full_wanted"]
    async with await steering.report(make_report(routes=box.digest)) as response:
        assert (await response.json())["routes_wanted"]
    assert await told(steering, box, box.batch({}, whole=True)) == {"digest": box.digest, "full_wanted": False}
    async with await steering.report(make_report(sequence=2, routes=box.digest)) as response:
        assert not (await response.json())["routes_wanted"]


async def test_routes_are_wanted_by_steering_that_knows_none(steering: Steering) -> None:
    async with await steering.report(make_report(routes=NOTHING)) as response:
        assert not (await response.json())["routes_wanted"]
    async with await steering.report(make_report(sequence=2, routes=revision("some"))) as response:
        assert (await response.json())["routes_wanted"]


async def test_routes_steer_viewers(steering: Steering, package: Path) -> None:
    revisions = steering.publish(package)
    for name, site in (("metro-a", "metro"), ("region-a", "region")):
        async with await steering.report(make_report(name, site, contents=make_contents(revisions))):
            pass
    box = Box("metro-a")
    await told(steering, box, box.batch({"45.1.0.0/16": FAR}))
    _, answer = await steering.playback(client="45.1.2.3")
    assert (answer["prefix"], answer["site"]) == ("45.1.0.0/16", "metro")
    assert [pathway["pathway"] for pathway in answer["pathways"]] == ["metro-a", "region-a", "origin"]
    assert (
        "client in its prefix 45.1.0.0/16 by BGP, AS path 64500 64501, local-pref 100" in answer["pathways"][0]["why"]
    )
    await told(steering, box, box.batch({}, ("45.1.0.0/16",)))
    _, answer = await steering.playback(client="45.1.2.3")
    assert (answer["prefix"], answer["pathways"][0]["pathway"]) == ("", "region-a")


async def test_audit_tells_what_is_wrong(steering: Steering) -> None:
    box = Box("metro-a")
    await told(steering, box, box.batch({"0.0.0.0/0": NEAR}))
    audit = await steering.get("/v1/routes/audit")
    assert [(one["kind"], one["appliance"]) for one in audit["findings"]] == [("set-aside", "metro-a")]
    async with steering.client.get("/metrics") as response:
        text = await response.text()
    assert 'oca_steering_routes{standing="set-aside"} 1.0' in text
    assert 'oca_steering_route_batches_total{outcome="taken"} 1.0' in text


async def test_routes_of_another_and_nonsense_are_refused(steering: Steering) -> None:
    stranger = Box("stranger")
    async with await post(steering, stranger, stranger.batch({})) as response:
        assert response.status == 403
    path = "/v1/appliances/metro-a/routes"
    many = RouteGroup(NEAR, ["45.0.0.0/8"] * 20_001)
    batch = msgspec.structs.replace(Box("metro-a").batch({}), announced=[many])
    for body in (b"", b"[]", b'{"epoch": 1}', msgspec.json.encode(batch)):
        status, _ = await steering.problem("POST", path, data=body, headers=JSON)
        assert status == 400
    batch = msgspec.structs.replace(batch, announced=[RouteGroup(NEAR, ["nonsense"])], after=revision("x"))
    assert (await told(steering, Box("metro-a"), batch))["full_wanted"]


async def test_claims_to_everything_and_to_another_isp_steer_nobody(state: EmbeddedState, package: Path) -> None:
    greedy = make_site("greedy", appliances=("greedy-a",), prefixes=("45.9.0.0/16",), isp="Greedy")
    honest = make_site("honest", appliances=("honest-a",), prefixes=("45.1.0.0/16",), isp="Honest")
    async with Steering(state, make_settings(site=(greedy, honest))) as steering:
        contents = make_contents(steering.publish(package))
        for name, site in (("greedy-a", "greedy"), ("honest-a", "honest")):
            async with await steering.report(make_report(name, site, contents=contents)):
                pass
        box = Box("greedy-a")
        claims = ("0.0.0.0/0", "45.1.7.0/24", "45.0.0.0/8", "10.0.0.0/8", "::/0", "240.0.0.0/4")
        await told(steering, box, box.batch(dict.fromkeys(claims, NEAR)))
        _, theirs = await steering.playback(client="45.1.7.1")
        assert (theirs["site"], theirs["pathways"][0]["pathway"]) == ("honest", "honest-a")
        _, nobodys = await steering.playback(client="9.9.9.9")
        assert (nobodys["prefix"], [way["pathway"] for way in nobodys["pathways"]]) == ("", ["origin", "origin-retry"])
        kinds = {one["kind"] for one in (await steering.get("/v1/routes/audit"))["findings"]}
        assert "set-aside" in kinds
