from __future__ import annotations

from typing import Any

import pytest
from structlog.testing import capture_logs

from steering.settings import SteeringSettings
from steering.trust.settings import LimitsTable
from tests.unit.steering.api_client import Steering
from tests.unit.steering.made_up import make_report, make_settings

PATHS = ("/v1/playback/harbour/master.m3u8", "/r/harbour/x.m4s", "/v1/fleet", "/", "/nothing")


@pytest.fixture
def settings() -> SteeringSettings:
    return make_settings(limits=LimitsTable(requests_per_s=0.1, burst=5))


async def ask(steering: Steering, path: str = "/r/harbour/x.m4s", client: str = "198.51.100.7", **options: Any) -> int:
    headers = {"X-Forwarded-For": client}
    async with steering.client.get(path, headers=headers, allow_redirects=False, **options) as response:
        return response.status


async def test_client_beyond_its_rate_is_told_when_to_come_back(steering: Steering) -> None:
    with capture_logs() as lines:
        codes = [await ask(steering) for _ in range(7)]
    assert codes == [404] * 5 + [429] * 2
    assert [line["event"] for line in lines] == ["a client asks more often than it may, and is answered 429"]
    async with steering.client.get(PATHS[0], headers={"X-Forwarded-For": "198.51.100.7"}) as response:
        assert (response.status, response.content_type) == (429, "application/problem+json")
        assert 1 <= int(response.headers["Retry-After"]) <= 10
        assert response.headers["Access-Control-Allow-Origin"] == "*"
        assert "Retry-After" in response.headers["Access-Control-Expose-Headers"]
    async with steering.client.get("/metrics") as response:
        assert "oca_steering_requests_limited_total 3.0" in await response.text()


async def test_other_clients_are_not_limited_with_it(steering: Steering) -> None:
    for _ in range(6):
        await ask(steering)
    assert await ask(steering, client="198.51.100.8") == 404
    for number in range(6):
        code = await ask(steering, client=f"2001:db8:0:1::{number}")
    assert code == 429
    assert await ask(steering, client="2001:db8:0:2::1") == 404


async def test_every_public_path_is_limited_but_these(steering: Steering) -> None:
    for _ in range(5):
        await ask(steering)
    assert [await ask(steering, path) for path in PATHS] == [429] * len(PATHS)
    assert [await ask(steering, path) for path in ("/health", "/steer/hls?title=x", "/steer/dash?title=x")] == [200] * 3
    async with await steering.report(make_report()) as response:
        assert response.status == 200


async def test_client_that_forges_its_way_is_its_own(steering: Steering) -> None:
    """What stands left of the last untrusted hop is the client's own word."""
    for number in range(6):
        code = await ask(steering, client=f"203.0.113.{number}, 198.51.100.7")
    assert code == 429


async def test_trusted_services_are_not_limited(steering: Steering) -> None:
    for _ in range(20):
        async with steering.client.post("/v1/playback", json={"title": "none", "client": "192.0.2.1"}) as response:
            assert response.status == 404
