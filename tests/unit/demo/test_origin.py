from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from aiohttp.test_utils import TestClient, TestServer
from aiohttp.web import Application, Request

from demo.origin import make_app

Client = TestClient[Request, Application]


@pytest.fixture
async def origin(tmp_path: Path) -> AsyncIterator[Client]:
    folder = tmp_path / "library"
    (folder / "film").mkdir(parents=True)
    (folder / "film" / "chunk.m4s").write_bytes(b"0123456789")
    (tmp_path / "secret").write_text("not yours")
    async with TestClient(TestServer(make_app(folder))) as client:
        yield client


async def test_origin_serves_whole_file(origin: Client) -> None:
    answer = await origin.get("/film/chunk.m4s")
    assert (answer.status, await answer.read()) == (200, b"0123456789")
    assert answer.headers["Access-Control-Allow-Origin"] == "*"
    assert answer.content_type == "video/iso.segment"


@pytest.mark.parametrize(
    ("asked", "status", "body", "content_range"),
    [
        ("bytes=2-4", 206, b"234", "bytes 2-4/10"),
        ("bytes=8-", 206, b"89", "bytes 8-9/10"),
        ("bytes=-3", 206, b"789", "bytes 7-9/10"),
        ("bytes=0-", 206, b"0123456789", "bytes 0-9/10"),
        ("bytes=10-", 416, b"", "bytes */10"),
        ("items=0-1", 200, b"0123456789", None),
    ],
)
async def test_origin_serves_range(
    origin: Client, asked: str, status: int, body: bytes, content_range: str | None
) -> None:
    answer = await origin.get("/film/chunk.m4s", headers={"Range": asked})
    assert (answer.status, await answer.read()) == (status, body)
    assert answer.headers.get("Content-Range") == content_range


async def test_origin_ignores_range_of_head(origin: Client) -> None:
    answer = await origin.head("/film/chunk.m4s", headers={"Range": "bytes=2-4"})
    assert (answer.status, answer.headers["Content-Length"]) == (200, "10")


@pytest.mark.parametrize("path", ["/film/none", "/film", "/../secret", "/%2e%2e/secret", "/film/../../secret"])
async def test_origin_hides_what_is_not_below_folder(origin: Client, path: str) -> None:
    assert (await origin.get(path)).status == 404


async def test_origin_counts_what_it_sent(origin: Client) -> None:
    await origin.get("/film/chunk.m4s", headers={"Range": "bytes=0-3"})
    await origin.get("/film/chunk.m4s")
    await origin.head("/film/chunk.m4s")
    await origin.get("/film/none")
    assert await (await origin.get("/-/sent")).json() == {"/film/chunk.m4s": 2}
