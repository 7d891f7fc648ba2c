from __future__ import annotations

from pathlib import Path

import pytest

from oca.common.clock import now_ns
from oca.common.messages import StoreUse
from steering.console import api_plans
from steering.plan.evidence import DAY_NS
from steering.plan.planner import make_plans
from steering.settings import SteeringSettings
from tests.unit.steering.api_client import Steering
from tests.unit.steering.made_up import make_batch, make_contents, make_report


@pytest.fixture(autouse=True)
def _fresh(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(api_plans, "NIGHTS_S", 0.0)


async def test_plans_tell_forecast_and_what_came_of_it(
    steering: Steering, settings: SteeringSettings, package: Path
) -> None:
    steering.publish(package)
    today = now_ns() // DAY_NS * DAY_NS
    demand = make_batch(1, at_ns=today - DAY_NS // 2, harbour__video_240p=(3, 900))
    room = StoreUse(capacity_bytes=10**6, used_bytes=0, assets=0, objects=0)
    await steering.report(make_report(contents=make_contents({}), store=room, demand=demand))
    make_plans(steering.state, settings, now_ns=today - DAY_NS + 1)
    make_plans(steering.state, settings, now_ns=today + 1)
    page = await steering.get("/v1/plans?search=METRO")
    assert (page["planned"], page["matching"], page["at"]) == (1, 1, "01:30")
    yesterday, tonight = page["nights"]
    assert (yesterday["came_bytes"], yesterday["came_held_bytes"], yesterday["sites"]) == (900, 900, 1)
    assert tonight["came_bytes"] == -1
    assert page["sites"][0]["night"] == tonight
    site = await steering.get("/v1/plans/metro")
    assert [night["day"] for night in site["nights"]] == [today // DAY_NS - 1, today // DAY_NS]
    (box,) = site["boxes"]
    assert (box["appliance"], box["assets"]) == ("metro-a", len(box["first"]))
    assert box["first"][0]["why"].startswith("manifests first")


async def test_plans_before_the_first_night_are_none(steering: Steering) -> None:
    page = await steering.get("/v1/plans?limit=1")
    assert (page["made_at_ns"], page["planned"], page["nights"], page["after"]) == (0, 0, [], "metro")
    assert page["sites"] == [{"site": "metro", "name": "metro", "night": None}]
    assert await steering.get("/v1/plans/metro") == {"site": "metro", "nights": [], "boxes": []}
    assert (await steering.problem("GET", "/v1/plans/none"))[0] == 404
    assert (await steering.problem("GET", "/v1/plans?limit=x"))[0] == 400
