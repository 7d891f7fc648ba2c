from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from aiohttp.test_utils import TestClient, TestServer

from steering.api.app import steering_app
from steering.api.page import Page


@pytest.fixture
async def client(tmp_path: Path) -> Any:
    (tmp_path / "index.html").write_text("<!doctype html>")
    (tmp_path / "console").mkdir()
    for name in ("index.html", "player.html"):
        (tmp_path / "console" / name).write_text("<!doctype html>")
    (tmp_path / "app.js").write_text("export {}")
    (tmp_path / "part").mkdir()
    (tmp_path / "part" / "style.css").write_text("a{}")
    (tmp_path / "vendor").mkdir()
    (tmp_path / "vendor" / "hls.mjs").write_text("export {}")
    (tmp_path.parent / "secret").write_text("x")
    async with TestClient(TestServer(steering_app([Page(tmp_path)]))) as started:
        yield started


@pytest.mark.parametrize(
    ("path", "media_type"),
    [
        ("/", "text/html"),
        ("/console", "text/html"),
        ("/console/player", "text/html"),
        ("/page/app.js", "text/javascript"),
        ("/page/part/style.css", "text/css"),
        ("/vendor/hls.mjs", "text/javascript"),
    ],
)
async def test_page_serves_its_files_under_strict_policy(client: Any, path: str, media_type: str) -> None:
    async with client.get(path) as response:
        assert (response.status, response.content_type) == (200, media_type)
        policy = response.headers["Content-Security-Policy"]
        tag = response.headers["ETag"]
    assert "default-src 'none'" in policy
    assert "unsafe" not in policy
    async with client.get(path, headers={"If-None-Match": tag}) as response:
        assert response.status == 304


@pytest.mark.parametrize(
    "path", ["/page/none.js", "/page/..%2f..%2fsecret", "/page/.hidden", "/page/part", "/page//etc"]
)
async def test_page_serves_nothing_else(client: Any, path: str) -> None:
    async with client.get(path) as response:
        assert response.status == 404


async def test_missing_player_says_what_to_run(client: Any) -> None:
    async with client.get("/vendor/none.js") as response:
        remedy = (await response.json())["remedy"]
    assert "in a checkout run 'make setup'" in remedy
    assert "'make wheel'" in remedy


async def test_console_may_ask_steering_alone(client: Any) -> None:
    policies = {}
    for path in ("/console", "/console/player"):
        async with client.get(path) as response:
            directives = response.headers["Content-Security-Policy"].split("; ")
            policies[path] = next(each for each in directives if each.startswith("connect-src"))
    assert policies == {"/console": "connect-src 'self'", "/console/player": "connect-src 'self' http: https:"}
