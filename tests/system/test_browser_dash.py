"""dash.js in Chromium follows the DASH steering answer from one appliance to the next."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio
from aiohttp import web
from aiohttp.test_utils import TestServer
from playwright.async_api import Browser

from demo.system import System
from tests.system.watching import watch

pytestmark = [pytest.mark.system, pytest.mark.asyncio(loop_scope="session")]

PAGE = """<!doctype html><title>dash.js</title><video muted></video><script src="/dash.js"></script><script>
window.oca = { segments: [], errors: [] };
window.start = (url) => {
  const player = dashjs.MediaPlayer().create();
  player.updateSettings({ streaming: { buffer: { bufferTimeDefault: 8, bufferTimeAtTopQuality: 8,
    bufferTimeAtTopQualityLongForm: 8 } } });
  player.on("error", (event) => window.oca.errors.push(event.error && event.error.message));
  player.initialize(document.querySelector("video"), url, true);
};
</script>"""


@pytest_asyncio.fixture(loop_scope="session")
async def dash_page(player_files: Path) -> AsyncIterator[str]:
    async def index(_: web.Request) -> web.Response:
        return web.Response(text=PAGE, content_type="text/html")

    async def script(_: web.Request) -> web.FileResponse:
        return web.FileResponse(player_files / "dashjs/dist/modern/umd/dash.all.min.js")

    app = web.Application()
    app.router.add_get("/", index)
    app.router.add_get("/dash.js", script)
    async with TestServer(app) as server:
        yield str(server.make_url("/"))


@pytest.mark.alone  # stalls are measured
async def test_dashjs_follows_steering_to_next_appliance(whole: System, browser: Browser, dash_page: str) -> None:
    title = whole.films[0].title
    answer = await whole.playback(title)
    first, second = answer["pathways"][0], answer["pathways"][1]
    context = await browser.new_context()
    page = await context.new_page()
    steered: list[str] = []
    page.on("request", lambda request: steered.append(request.url) if "/steer/dash" in request.url else None)
    watched = await watch(page, dash_page)
    await page.evaluate("url => window.start(url)", answer["dash_url"])
    await watched.until_position(4, 30)
    await watched.settle()
    assert {f"http://{segment.host}:8080" for segment in watched.segments} == {first["url"]}
    await whole.command("oca", "drain", config=whole.appliance_config(first["pathway"]))
    before = len(watched.segments)
    await watched.until_position(30, 60)
    await watched.settle()
    hosts = [f"http://{segment.host}:8080" for segment in watched.segments[before:]]
    assert hosts[-1] == second["url"]
    assert set(hosts) <= {first["url"], second["url"]}
    assert steered, "dash.js never asked steering"
    assert await page.evaluate("window.oca.errors") == []
    assert await watched.longest_stall_ms() < 1000
    await context.close()
