from collections.abc import AsyncIterator
from typing import Any

import msgspec
import pytest
from aiohttp import web
from aiohttp.test_utils import TestClient, TestServer

from oca.common.errors import ProtocolError, StoreError
from oca.common.problem import Refusal, json_response, problems, read_body


class Body(msgspec.Struct):
    count: int


DECODER = msgspec.json.Decoder(Body)
Client = TestClient[web.Request, web.Application]


async def _read(request: web.Request) -> web.Response:
    return json_response({"count": (await read_body(request, DECODER)).count}, status=201, headers={"X-Seen": "1"})


async def _fail(request: web.Request) -> web.Response:
    raise {
        "refusal": Refusal(409, "Not now", detail="d", field="f", remedy="r"),
        "store": StoreError("disk gone", remedy="plug it in"),
        "client": ProtocolError("bad bytes"),
        "bug": ValueError("secret inner state"),
        "redirect": web.HTTPFound("/elsewhere"),
    }[request.match_info["kind"]]


@pytest.fixture
async def client() -> AsyncIterator[Client]:
    app = web.Application(middlewares=[problems])
    app.router.add_post("/read", _read)
    app.router.add_get("/fail/{kind}", _fail)
    async with TestClient(TestServer(app)) as made:
        yield made


async def problem_of(client: Client, method: str, path: str, **options: Any) -> dict[str, Any]:
    async with client.request(method, path, allow_redirects=False, **options) as response:
        assert response.content_type == "application/problem+json"
        found: dict[str, Any] = await response.json()
        assert found["status"] == response.status
        return found


async def test_body_reads_typed_json(client: Client) -> None:
    async with client.post("/read", data=b'{"count": 3, "newer": 1}') as response:
        assert (response.status, response.headers["X-Seen"]) == (201, "1")
        assert await response.json() == {"count": 3}


async def test_body_names_field_that_is_wrong(client: Client) -> None:
    found = await problem_of(client, "POST", "/read", data=b'{"count": "x"}')
    assert (found["status"], found["field"]) == (400, "$.count")


async def test_body_refuses_what_is_no_json(client: Client) -> None:
    found = await problem_of(client, "POST", "/read", data=b"{")
    assert (found["status"], found["title"]) == (400, "The body is not JSON")


async def test_body_refuses_missing_field(client: Client) -> None:
    found = await problem_of(client, "POST", "/read", data=b"{}")
    assert (found["field"], "count" in found["detail"]) == ("$", True)


@pytest.mark.parametrize(
    ("kind", "status", "title"),
    [
        ("refusal", 409, "Not now"),
        ("store", 500, "disk gone"),
        ("client", 400, "bad bytes"),
        ("bug", 500, "Internal fault"),
    ],
)
async def test_fault_becomes_problem_details(client: Client, kind: str, status: int, title: str) -> None:
    found = await problem_of(client, "GET", f"/fail/{kind}")
    assert (found["status"], found["title"]) == (status, title)
    assert "secret" not in str(found)


async def test_unknown_path_becomes_problem_details(client: Client) -> None:
    assert (await problem_of(client, "GET", "/none"))["status"] == 404
    assert (await problem_of(client, "GET", "/read"))["status"] == 405


async def test_redirect_passes_unchanged(client: Client) -> None:
    async with client.get("/fail/redirect", allow_redirects=False) as response:
        assert response.headers["Location"] == "/elsewhere"
