from __future__ import annotations

from pathlib import Path

import msgspec
import pytest

from steering.settings import SteeringSettings
from tests.unit.steering.api_client import Steering
from tests.unit.steering.made_up import make_report, make_settings, make_site

REPORT = "/v1/appliances/metro-a/report"


async def test_unknown_appliance_is_refused(steering: Steering) -> None:
    status, problem = await steering.problem("POST", "/v1/appliances/nobody/report", data=b"{}")
    assert (status, problem["title"]) == (403, "Unknown appliance")


@pytest.mark.parametrize(
    "header", ["Origin", "X-Forwarded-For", "X-Real-IP", "Forwarded", "Via", "origin", "x-forwarded-for"]
)
async def test_loopback_alone_vouches_for_no_page_and_no_proxy(steering: Steering, header: str) -> None:
    for method, path in (("POST", REPORT), ("GET", "/v1/appliances/metro-a/fill-plan")):
        status, problem = await steering.problem(
            method, path, json={} if method == "POST" else None, headers={header: "x"}
        )
        assert (status, problem["remedy"]) == (
            403,
            "enrol the appliance or give it a token_file: that counts whatever lies between",
        )


@pytest.mark.parametrize("content_type", ["text/plain", "application/x-www-form-urlencoded", ""])
async def test_report_must_be_sent_as_json(steering: Steering, content_type: str) -> None:
    for path in (REPORT, "/v1/appliances/metro-a/fill-progress"):
        status, problem = await steering.problem(
            "POST", path, data=msgspec.json.encode(make_report()), headers={"Content-Type": content_type}
        )
        assert (status, problem["title"]) == (415, "Send Content-Type: application/json")


class TestTokens:
    """With a token file, the token alone counts."""

    @pytest.fixture
    def settings(self, tmp_path: Path) -> SteeringSettings:
        (tmp_path / "token").write_text("0123456789abcdef\n")
        site = make_site("metro", appliances=("metro-a",))
        entry = msgspec.structs.replace(site.appliance[0], token_file=str(tmp_path / "token"))
        return make_settings(site=(msgspec.structs.replace(site, appliance=(entry,)),))

    async def test_right_token_lets_in(self, steering: Steering) -> None:
        headers = {"Authorization": "Bearer 0123456789abcdef"}
        for sequence, way in enumerate(({}, {"X-Forwarded-For": "192.0.2.1"})):
            async with await steering.report(make_report(sequence=sequence), headers=headers | way) as response:
                assert response.status == 200

    @pytest.mark.parametrize("header", ["", "Bearer", "Bearer wrong", "Basic 0123456789abcdef", "Bearer é"])
    async def test_wrong_token_keeps_out(self, steering: Steering, header: str) -> None:
        status, _ = await steering.problem("POST", REPORT, data=b"{}", headers={"Authorization": header})
        assert status == 401
