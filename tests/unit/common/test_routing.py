from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest
from aiohttp import web
from aiohttp.test_utils import TestClient, TestServer

from oca.common.problem import problems
from oca.common.routing import mount
from tests.waiting import WAIT_S

PATHS = ("/here", "/nowhere", "/there/a", "/a%0Ab")


async def _answer(request: web.Request) -> web.Response:
    return web.Response(body=await request.read() or b"here")


@pytest.fixture
async def client() -> AsyncIterator[TestClient[Any, Any]]:
    app = web.Application(middlewares=[problems])
    mount(app, [web.get("/here", _answer), web.put("/here", _answer), web.post("/there/{name}", _answer)])
    async with TestClient(TestServer(app)) as made:
        yield made


async def ask(client: TestClient[Any, Any], head: bytes, *, body: bytes = b"", lines: int = 1) -> list[bytes]:
    reader, writer = await asyncio.open_connection(client.host, client.port)
    writer.write(head + b"\r\nHost: x\r\n\r\n" + body)
    try:
        async with asyncio.timeout(WAIT_S):
            return [(await reader.readuntil(b"\r\n\r\n")).partition(b"\r\n")[0] for _ in range(lines)]
    finally:
        writer.close()


@pytest.mark.parametrize("expected", [b"\xff\xfe", b"200-ok", "fünf".encode()])
@pytest.mark.parametrize("path", PATHS)
async def test_route_refuses_to_meet_other_expectations(
    client: TestClient[Any, Any], path: str, expected: bytes
) -> None:
    head = b"GET %b HTTP/1.1\r\nExpect: %b" % (path.encode(), expected)
    assert await ask(client, head) == [b"HTTP/1.1 417 Expectation Failed"]


async def test_route_asks_for_a_body_that_waits(client: TestClient[Any, Any]) -> None:
    head = b"PUT /here HTTP/1.1\r\nExpect: 100-Continue\r\nContent-Length: 2"
    assert await ask(client, head, body=b"ab", lines=2) == [b"HTTP/1.1 100 Continue", b"HTTP/1.1 200 OK"]


async def test_route_ignores_expectations_of_http_1_0(client: TestClient[Any, Any]) -> None:
    assert await ask(client, b"GET /here HTTP/1.0\r\nExpect: \xff") == [b"HTTP/1.0 200 OK"]


@pytest.mark.parametrize(
    ("method", "path", "status", "allowed"),
    [
        ("GET", "/here", 200, None),
        ("HEAD", "/here", 200, None),
        ("DELETE", "/here", 405, "GET,HEAD,PUT"),
        ("GET", "/there/a", 405, "POST"),
        ("GET", "/nowhere", 404, None),
        ("POST", "/", 404, None),
    ],
)
async def test_route_refuses_what_none_takes(
    client: TestClient[Any, Any], method: str, path: str, status: int, allowed: str | None
) -> None:
    async with client.request(method, path) as response:
        assert (response.status, response.headers.get("Allow")) == (status, allowed)
