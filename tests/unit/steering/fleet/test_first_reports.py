from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace

from steering.fleet import liveness as liveness_module
from steering.fleet.first_reports import FirstReports
from steering.settings import SteeringSettings
from steering.state.embedded import EmbeddedState
from tests.unit.steering.api_client import Steering
from tests.unit.steering.made_up import make_contents, make_report
from tests.waiting import WAIT_S

FLEET = (("metro-a", "metro"), ("metro-b", "metro"), ("region-a", "region"))
ASKING = [
    ("POST", "/v1/playback"),
    ("GET", "/v1/playback/harbour/master.m3u8"),
    ("GET", "/v1/playback/harbour/manifest.mpd"),
    ("GET", "/r/harbour/seg-0-00001.m4s"),
]


async def ask(steering: Steering, method: str, path: str) -> str:
    body: dict[str, Any] = {"json": {"title": "harbour"}} if method == "POST" else {}
    async with steering.client.request(method, path, allow_redirects=False, **body) as response:
        assert response.status in (200, 302)
        return await response.text() + response.headers.get("Location", "")


def waiting(settings: SteeringSettings, seconds: float) -> SteeringSettings:
    return replace(settings, fleet=replace(settings.fleet, report_interval_s=seconds, report_grace_s=0))


@pytest.mark.parametrize("asked", ASKING)
async def test_viewer_who_comes_before_the_first_reports_is_offered_appliances(
    state: EmbeddedState,
    settings: SteeringSettings,
    package: Path,
    monkeypatch: pytest.MonkeyPatch,
    asked: tuple[str, str],
) -> None:
    monkeypatch.setattr(liveness_module, "FIRST_REPORTS_S_MAX", 300)
    async with Steering(state, waiting(settings, 300), just_started=True) as steering, asyncio.timeout(WAIT_S):
        contents = make_contents(steering.publish(package))
        asking = asyncio.get_running_loop().create_task(ask(steering, *asked))
        for name, site in FLEET:
            assert (await steering.get("/steer/hls?title=harbour&pathways=metro-a.origin"))["PATHWAY-PRIORITY"]
            await steering.report(make_report(name, site, contents=replace(contents, assets=None)))
            assert not asking.done()  # that it is there is known, but not yet what it holds
            await steering.report(make_report(name, site, sequence=2, contents=contents))
        assert "//metro-" in await asking


@pytest.mark.parametrize("asked", ASKING)
async def test_viewer_does_not_wait_longer_for_a_dead_appliance(
    state: EmbeddedState, settings: SteeringSettings, package: Path, asked: tuple[str, str]
) -> None:
    async with Steering(state, waiting(settings, 0.1), just_started=True) as steering, asyncio.timeout(WAIT_S):
        contents = make_contents(steering.publish(package))
        await steering.report(make_report("region-a", "region", contents=contents))
        await ask(steering, *asked)


async def test_wait_is_once_and_only_for_what_is_left() -> None:
    now_s = [100.0]
    first = FirstReports(["a", "b"], wait_s_max=1000, now_s=lambda: now_s[0])
    first.heard("a")
    now_s[0] = 1100.0
    async with asyncio.timeout(WAIT_S):
        await first.wait()
        now_s[0] = 100.0  # once over, it is over whatever the clock says
        await first.wait()


async def test_wait_ends_as_soon_as_all_are_known() -> None:
    first = FirstReports(["a", "b"], wait_s_max=1000)
    waiters = [asyncio.get_running_loop().create_task(first.wait()) for _ in range(3)]
    first.heard("a")
    first.heard("a")
    await asyncio.sleep(0)
    assert not any(waiter.done() for waiter in waiters)
    first.heard("b")
    async with asyncio.timeout(WAIT_S):
        await asyncio.gather(*waiters)


async def test_nobody_waits_where_no_appliance_is_configured() -> None:
    async with asyncio.timeout(WAIT_S):
        await FirstReports([], wait_s_max=1000).wait()
