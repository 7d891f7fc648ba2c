import asyncio
import gzip
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import msgspec
import pytest
from aiohttp import web
from aiohttp.test_utils import TestClient, TestServer
from aiohttp.web_runner import BaseRunner
from structlog.testing import capture_logs

from oca.common import problem
from oca.common.errors import ProtocolError, StoreError
from oca.common.http_signature import content_digest
from oca.common.problem import Refusal, json_response, problems, read_body
from tests.waiting import WAIT_S


class Body(msgspec.Struct):
    count: int


DECODER = msgspec.json.Decoder(Body)
Client = TestClient[web.Request, web.Application]


async def _read(request: web.Request) -> web.Response:
    body = await read_body(request, DECODER, bytes_max=100)
    return json_response({"count": body.count}, status=201, headers={"X-Seen": "1"})


async def _fail(request: web.Request) -> web.Response:
    raise {
        "refusal": Refusal(409, "Not now", detail="d", field="f", remedy="r"),
        "store": StoreError("disk gone", remedy="plug it in"),
        "client": ProtocolError("bad bytes"),
        "bug": ValueError("secret inner state"),
        "redirect": web.HTTPFound("/elsewhere"),
    }[request.match_info["kind"]]


class Server(TestServer):
    """Tells a handler of a lost connection as our services do: by its next read, not by cancelling it."""

    async def _make_runner(self, **options: Any) -> BaseRunner:
        return await super()._make_runner(**{**options, "handler_cancellation": False})


@pytest.fixture
async def client() -> AsyncIterator[Client]:
    app = web.Application(middlewares=[problems])
    app.router.add_post("/read", _read)
    app.router.add_get("/fail/{kind}", _fail)
    async with TestClient(Server(app)) as made:
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


async def pieces(*parts: bytes) -> AsyncIterator[bytes]:
    for part in parts:
        yield part


async def test_body_reads_chunks(client: Client) -> None:
    async with client.post("/read", data=pieces(b'{"count"', b": 3}")) as response:
        assert response.status == 201


async def test_body_refuses_more_than_its_bound(client: Client) -> None:
    for data in (b" " * 101, pieces(b" " * 60, b" " * 60)):
        found = await problem_of(client, "POST", "/read", data=data)
        assert (found["status"], found["title"]) == (413, "The body is larger than 100 bytes")


@pytest.mark.parametrize("data", [gzip.compress(b'{"count": 3}', mtime=0), b"no gzip"], ids=["whole", "broken"])
@pytest.mark.parametrize("coding", ["gzip", "GZIP", "deflate", "br"])
async def test_body_refuses_to_inflate(client: Client, data: bytes, coding: str) -> None:
    found = await problem_of(client, "POST", "/read", data=data, headers={"Content-Encoding": coding})
    assert (found["status"], found["remedy"]) == (415, "send the body as it is, without Content-Encoding")


async def test_body_takes_identity_for_no_coding(client: Client) -> None:
    async with client.post("/read", data=b'{"count": 3}', headers={"Content-Encoding": "identity"}) as response:
        assert response.status == 201


@asynccontextmanager
async def begun(client: Client, framing: bytes) -> AsyncIterator[tuple[asyncio.StreamReader, asyncio.StreamWriter]]:
    """A connection whose request's handler waits for the body."""
    reader, writer = await asyncio.open_connection(client.host, client.port)
    writer.write(b"POST /read HTTP/1.1\r\nHost: x\r\nExpect: 100-continue\r\n%b\r\n\r\n" % framing)
    try:
        async with asyncio.timeout(WAIT_S):
            assert await reader.readuntil(b"\r\n\r\n") == b"HTTP/1.1 100 Continue\r\n\r\n"
            yield reader, writer
    finally:
        writer.close()


async def test_body_refuses_to_wait_for_ever(client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(problem, "BODY_S_MAX", 0.05)
    async with begun(client, b"Content-Length: 5") as (reader, writer):
        writer.write(b"{")
        assert (await reader.readline()).startswith(b"HTTP/1.1 408 ")


async def test_body_cut_short_is_no_fault_of_ours(client: Client) -> None:
    with capture_logs() as lines:
        async with begun(client, b"Content-Length: 5") as (_, writer):
            writer.write(b"{")
        await until_connections(client, 0)
    assert lines == []


async def until_connections(client: Client, count: int) -> None:
    runner = client.server.runner
    assert runner is not None
    assert runner.server is not None
    async with asyncio.timeout(WAIT_S):
        while len(runner.server.connections) != count:  # noqa: ASYNC110 - the server wakes nobody for it
            await asyncio.sleep(0.005)


async def test_body_must_be_the_one_its_digest_names(client: Client) -> None:
    raw = b'{"count": 1}'
    for said, status in ((content_digest(raw), 201), (content_digest(b"another"), 400), ("md5=:AAAA:", 400)):
        async with client.post("/read", data=raw, headers={"Content-Digest": said}) as response:
            assert response.status == status


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


async def test_wrong_method_names_those_allowed(client: Client) -> None:
    async with client.get("/read") as response:
        assert (response.status, response.headers["Allow"]) == (405, "POST")


@pytest.mark.parametrize("path", ["/none", "/read", "/fail/refusal", "/fail/store", "/fail/bug"])
async def test_refusals_are_not_kept_by_caches(client: Client, path: str) -> None:
    async with client.get(path) as response:
        assert response.headers["Cache-Control"] == "no-store"


async def test_redirect_passes_unchanged(client: Client) -> None:
    async with client.get("/fail/redirect", allow_redirects=False) as response:
        assert response.headers["Location"] == "/elsewhere"
