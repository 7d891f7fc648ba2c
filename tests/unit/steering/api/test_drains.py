from __future__ import annotations

from steering.fleet.turnup_settings import TurnupTable
from steering.state.embedded import EmbeddedState
from steering.trust.audit import read_entries
from tests.unit.steering.api_client import Steering
from tests.unit.steering.made_up import make_report, make_settings
from tests.waiting import until


async def standing(steering: Steering, name: str = "metro-a") -> str:
    rows = (await steering.get("/v1/fleet"))["appliances"]
    return next(str(row["standing"]) for row in rows if row["appliance"] == name)


async def test_operator_drains_and_undrains_by_http(steering: Steering) -> None:
    await steering.report(make_report("metro-a"))
    body = {"scope": "site", "name": "metro", "for_s": 3600, "reason": "power works"}
    async with steering.client.post("/v1/drains", json=body) as response:
        assert response.status == 200
        made = (await response.json())["drains"][0]
    assert (made["scope"], made["name"], made["who"], made["reason"]) == ("site", "metro", "local", "power works")
    assert made["until_ns"] - made["at_ns"] == 3600 * 10**9
    assert steering.service.decider.liveness("metro-a").standing == "drained"
    async with steering.report_and_answer(make_report("metro-a", sequence=2)) as answer:
        assert answer["sends_viewers"] is False
        assert "local drained its site metro" in answer["why"]
    assert await steering.get("/v1/drains") == {"drains": [made]}
    async with steering.client.post("/v1/drains/end", json={"scope": "site", "name": "metro"}) as response:
        assert (response.status, await response.json()) == (200, {"drains": []})
    assert steering.service.decider.liveness("metro-a").standing == "up"
    entries = [(entry.who, entry.action) for entry in read_entries(steering.state, last=9)]
    assert entries == [("local", "drain"), ("local", "undrain")]


async def test_drains_refuse_what_is_not_there(steering: Steering) -> None:
    for path, body, title in (
        ("/v1/drains", {"scope": "site", "name": "nowhere"}, "No such site: nowhere"),
        ("/v1/drains", {"scope": "appliance", "name": "metro"}, "No such appliance: metro"),
        ("/v1/drains/end", {"scope": "site", "name": "metro"}, "site metro is not drained from here"),
        ("/v1/turnup", {"appliance": "nobody", "action": "accept"}, "No such appliance: nobody"),
    ):
        status, problem = await steering.problem("POST", path, json=body)
        assert (status, problem["title"]) == (404, title)
    status, problem = await steering.problem("POST", "/v1/drains", json={"scope": "rack", "name": "metro"})
    assert (status, problem["field"]) == (400, "$.scope")


async def test_operator_lets_a_new_box_in(state: EmbeddedState) -> None:
    async with Steering(state, make_settings(turnup=TurnupTable())) as steering:
        await steering.report(make_report("metro-a"))
        await until(lambda: bool(steering.service.decider.checks_of("metro-a")))  # a thread counts what it holds
        rows = (await steering.get("/v1/fleet"))["appliances"]
        checks = {check["name"]: check["passed"] for row in rows for check in row["checks"]}
        assert await standing(steering) == "turning-up"
        assert checks["version"] is True
        assert checks["contents"] is False
        for action, after in (("accept", "up"), ("again", "turning-up")):
            async with steering.client.post("/v1/turnup", json={"appliance": "metro-a", "action": action}) as response:
                assert response.status == 204
            assert steering.service.decider.liveness("metro-a").standing == after
