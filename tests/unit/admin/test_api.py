import asyncio
import re
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import msgspec
import pytest
from aiohttp import web
from aiohttp.test_utils import TestClient, TestServer
from prometheus_client import CollectorRegistry

from fill.night import Night
from fill.state import FillState
from oca.admin.api import ENDPOINTS, admin_app
from oca.admin.quality import By, QualityPage, quality_page
from oca.admin.routes import RoutesPage
from oca.admin.status import Renewal, Status
from oca.admin.top import HotAsset, HotPage
from oca.common.messages import Health, Serving
from oca.common.metrics_collector import FamilyCollector
from oca.common.quality import Quality
from oca.delivery.metrics import DELIVERY
from oca.report.past import Past
from oca.report.snapshot import Snapshot
from oca.store.records import HeldPack
from tests.waiting import WAIT_S

Client = TestClient[web.Request, web.Application]


class FakeAppliance:
    def __init__(self, snapshot: Snapshot, status: Status, device: Path) -> None:
        self.snapshot = snapshot
        self.past = Past(device, now_ns=0)
        self._status = status
        self.state: Serving = "serving"

    def status(self) -> Status:
        return msgspec.structs.replace(self._status, serving=self.state)

    def quality(self, by: By, limit: int) -> QualityPage:
        sums = [Quality("film/video", f"192.0.{net}.0/24", 4, starved=net) for net in range(3)]
        return quality_page(sums, is_on=True, window_s=900, by=by, limit=limit)

    def routes(self, after: str, limit: int) -> RoutesPage:
        return RoutesPage(socket=f"after {after}", why="", routes=limit)

    def hot(self, limit: int) -> HotPage:
        return HotPage(window_s=60, assets=[HotAsset(asset="harbour/v", requests_per_s=1, bytes_per_s=2)][:limit])

    def drain(self, for_s: int) -> bool:
        self.drained_for_s = for_s
        changed = self.state != "draining"
        self.state = "draining"
        return changed

    async def reload(self) -> Renewal:
        return Renewal(kind="reload", at_ns=5, said="changed log.level")

    async def upgrade(self) -> Renewal:
        return Renewal(kind="upgrade", at_ns=5, said="process 7 serves")

    def undrain(self) -> bool:
        changed = self.state != "serving"
        self.state = "serving"
        return changed


@pytest.fixture
def appliance(make_snapshot: Callable[..., Snapshot], status: Status, tmp_path: Path) -> FakeAppliance:
    packs = [HeldPack(f"film/{name}", "a" * 32, 10, 2, 0, 5) for name in ("audio", "video")]
    return FakeAppliance(make_snapshot(*packs), status, tmp_path)


@pytest.fixture
async def client(appliance: FakeAppliance) -> AsyncIterator[Client]:
    registry = CollectorRegistry()
    registry.register(FamilyCollector(DELIVERY, dict))
    async with TestClient(TestServer(admin_app(appliance, registry, ("box.example",)), host="127.0.0.1")) as made:
        yield made


@pytest.mark.parametrize(("verdict", "status"), [("ok", 200), ("degraded", 200), ("failed", 503)])
async def test_health_answers_by_verdict(
    client: Client, appliance: FakeAppliance, make_snapshot: Callable[..., Snapshot], verdict: Any, status: int
) -> None:
    appliance.snapshot = make_snapshot(health=Health(verdict=verdict, reasons=["why"]))
    async with client.get("/health") as response:
        assert response.status == status
        assert await response.json() == {"verdict": verdict, "reasons": ["why"], "weight": 1.0}


async def test_metrics_answer_in_text_format(client: Client) -> None:
    async with client.get("/metrics") as response:
        assert response.headers["Content-Type"].startswith("text/plain; version=")
        assert 'oca_delivery_responses_total{status="200"} 0.0' in await response.text()


async def test_index_names_every_endpoint_that_answers(client: Client) -> None:
    async with client.get("/") as response:
        assert (await response.json())["endpoints"] == ENDPOINTS
    for endpoint in ENDPOINTS:
        method, path = endpoint.split()
        async with client.request(method, path, json={} if method == "POST" else None) as response:
            assert response.status == 200, endpoint


async def test_status_is_what_commands_read(client: Client, status: Status) -> None:
    async with client.get("/v1/status") as response:
        assert msgspec.json.decode(await response.read(), type=Status) == status


async def test_drain_and_undrain_say_whether_anything_changed(client: Client) -> None:
    answers = []
    for path in ("/v1/drain", "/v1/drain", "/v1/undrain"):
        async with client.post(path, json={}) as response:
            answers.append(await response.json())
    told = [answer.pop("follows") for answer in answers]
    assert [bool(text) for text in told] == [True, True, False]
    assert answers == [
        {"serving": "draining", "changed": True},
        {"serving": "draining", "changed": False},
        {"serving": "serving", "changed": True},
    ]


async def test_assets_come_in_pages(client: Client) -> None:
    async with client.get("/v1/assets?limit=1") as response:
        first = await response.json()
    assert ([each["asset"] for each in first["assets"]], first["next"]) == (["film/audio"], "film/audio")
    async with client.get("/v1/assets", params={"after": first["next"]}) as response:
        assert [each["asset"] for each in (await response.json())["assets"]] == ["film/video"]


@pytest.mark.parametrize("limit", ["0", "10001", "-1", "x", "", "1" * 400, "٣"])
async def test_assets_refuse_limit_out_of_bounds(client: Client, limit: str) -> None:
    async with client.get("/v1/assets", params={"limit": limit}) as response:
        assert response.status == 400
        assert (await response.json())["field"] == "limit"


async def test_routes_come_from_where_asked(client: Client) -> None:
    async with client.get("/v1/routes?after=45.1.0.0/16&limit=3") as response:
        page = await response.json()
        assert (response.status, page["socket"], page["routes"]) == (200, "after 45.1.0.0/16", 3)
    async with client.get("/v1/routes?limit=0") as response:
        assert response.status == 400


async def test_quality_comes_by_what_is_asked_worst_first(client: Client) -> None:
    async with client.get("/v1/quality?limit=1") as response:
        page = await response.json()
    assert (page["all"]["requests"], page["rows"][0]["prefix"], page["left_out"]) == (12, "192.0.2.0/24", 2)
    async with client.get("/v1/quality?by=asset") as response:
        assert [row["asset"] for row in (await response.json())["rows"]] == ["film/video"]


@pytest.mark.parametrize(("query", "field"), [("by=viewer", "by"), ("limit=0", "limit"), ("limit=x", "limit")])
async def test_quality_refuses_what_it_cannot_show(client: Client, query: str, field: str) -> None:
    async with client.get(f"/v1/quality?{query}") as response:
        assert (response.status, (await response.json())["field"]) == (400, field)


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({"Host": "evil.example", "Content-Type": "application/json"}, 421),
        ({"Content-Type": "text/plain"}, 415),
        ({"Content-Type": "application/json", "Origin": "http://evil.example"}, 403),
    ],
)
async def test_drain_refuses_web_pages(
    client: Client, appliance: FakeAppliance, headers: dict[str, str], status: int
) -> None:
    async with client.post("/v1/drain", headers=headers, data=b"{}") as response:
        assert response.status == status
        assert response.content_type == "application/problem+json"
    assert appliance.state == "serving"


async def test_unknown_path_answers_problem_details(client: Client) -> None:
    async with client.get("/v1/nothing") as response:
        assert (response.status, response.content_type) == (404, "application/problem+json")


@pytest.mark.parametrize("path", ["/health", "/none"])
async def test_expectation_that_is_no_text_is_refused(client: Client, path: str) -> None:
    reader, writer = await asyncio.open_connection(client.host, client.port)
    writer.write(b"GET %b HTTP/1.1\r\nHost: localhost\r\nExpect: \xff\r\n\r\n" % path.encode())
    async with asyncio.timeout(WAIT_S):
        assert await reader.readline() == b"HTTP/1.1 417 Expectation Failed\r\n"
    writer.close()


@pytest.mark.parametrize(("kind", "said"), [("reload", "changed log.level"), ("upgrade", "process 7 serves")])
async def test_reload_and_upgrade_answer_with_their_outcome(client: Client, kind: str, said: str) -> None:
    async with client.post(f"/v1/{kind}", json={}) as response:
        outcome = msgspec.json.decode(await response.read(), type=Renewal)
    assert (outcome.kind, outcome.said) == (kind, said)


async def test_api_drains_for_a_time(client: Client, appliance: FakeAppliance) -> None:
    assert (await client.post("/v1/drain?for_s=7200", json={})).status == 200
    assert appliance.drained_for_s == 7200
    for wrong in ("-1", "2592001", "soon", "99999999"):
        assert (await client.post(f"/v1/drain?for_s={wrong}", json={})).status == 400
    assert (await client.post("/v1/drain", json={})).status == 200
    assert appliance.drained_for_s == 0


async def test_api_shows_hottest_assets(client: Client) -> None:
    answer = await client.get("/v1/hot?limit=5")
    assert (await answer.json())["assets"][0]["asset"] == "harbour/v"
    assert (await client.get("/v1/hot?limit=0")).status == 400


async def test_api_shows_console_to_browsers(client: Client) -> None:
    async with client.get("/", headers={"Accept": "text/html,*/*"}) as page:
        assert page.content_type == "text/html"
        policy = page.headers["Content-Security-Policy"]
        body = await page.text()
    assert "script-src 'self'; style-src 'self'" in policy
    assert "unsafe" not in policy
    named = re.findall(r'(?:href|src)="(/[^"]*)"', body)
    assert named
    for path in (*named, "/page/chart.js"):
        async with client.get(path) as file:
            assert (file.status, file.headers["Content-Security-Policy"]) == (200, policy)


@pytest.mark.parametrize("name", ["api.py", "..%2Fapi.py", "none.js"])
async def test_api_shows_no_other_file(client: Client, name: str) -> None:
    async with client.get(f"/page/{name}") as answer:
        assert answer.status == 404


async def test_nights_are_those_that_the_agent_wrote_down(client: Client, tmp_path: Path) -> None:
    async with client.get("/v1/nights") as answer:
        assert await answer.json() == {"nights": [], "why": ""}
    night = Night(night="2026-11-25", started_at_ns=1, ended_at_ns=2, bytes_in=10, served_bytes=5, served_until_ns=3)
    FillState(tmp_path).keep([night])
    async with client.get("/v1/nights") as answer:
        (told,) = (await answer.json())["nights"]
    assert (told["efficiency"], told["is_final"], told["night"]["night"]) == (0.5, False, "2026-11-25")
    (tmp_path / "fill" / "nights.json").write_text("[{}]")
    async with client.get("/v1/nights") as answer:
        assert "is not as the agent wrote it" in (await answer.json())["why"]


async def test_history_has_columns_of_one_length(client: Client) -> None:
    async with client.get("/v1/history") as answer:
        told = await answer.json()
    assert {len(column) for name, column in told.items() if isinstance(column, list)} == {0}
