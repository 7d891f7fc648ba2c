"""hls.js, dash.js and Shaka in Chromium, three appliances: one is killed, drained, overloaded, and playback moves."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import Any

import aiohttp
import pytest
import pytest_asyncio
from aiohttp import web
from aiohttp.test_utils import TestServer
from playwright.async_api import Browser

from demo.system import System
from steering.decision.address import parse_address
from steering.decision.load import takes
from tests.system.watching import Watched, watch

pytestmark = [pytest.mark.system, pytest.mark.long, pytest.mark.asyncio(loop_scope="session")]

STALL_MS_MAX = 1000
PLAYED_BEFORE_S, PLAYED_AFTER_S = 4.0, 8.0
TIMEOUT_S = 60
LIMIT_BYTES_PER_S = 400_000
"""Of an overloaded appliance: below what is asked of it meanwhile."""
PLAYERS = {
    "hls.js": ("hls_url", "hls.js/dist/hls.min.js"),
    "dash.js": ("dash_url", "dashjs/dist/modern/umd/dash.all.min.js"),
    "shaka": ("hls_url", "shaka-player/dist/shaka-player.compiled-es2021.js"),
}
PAGE = """<!doctype html><title>player</title><video muted width=320 height=180></video>
<script src="/PLAYER/script"></script><script>
window.oca = { errors: [] };
const video = document.querySelector("video");
const told = (what) => window.oca.errors.push(String(what));
window.starts = {
  "hls.js": (url) => {
    const player = new Hls({ maxBufferLength: 8, maxMaxBufferLength: 8, capLevelToPlayerSize: true });
    player.on(Hls.Events.ERROR, (_, error) => error.fatal && told(error.details));
    player.loadSource(url);
    player.attachMedia(video);
    video.play();
  },
  "dash.js": (url) => {
    const player = dashjs.MediaPlayer().create();
    player.updateSettings({ streaming: { abr: { limitBitrateByPortal: true }, buffer: { bufferTimeDefault: 8,
      bufferTimeAtTopQuality: 8, bufferTimeAtTopQualityLongForm: 8 } } });
    const { errors } = dashjs.MediaPlayer; // a segment that could not be had is told of, and had elsewhere
    const passing = [errors.DOWNLOAD_ERROR_ID_INITIALIZATION_CODE, errors.DOWNLOAD_ERROR_ID_CONTENT_CODE];
    player.on("error", ({ error }) => passing.includes(error.code) || told(error.message));
    player.initialize(video, url, true);
  },
  "shaka": async (url) => {
    const player = new shaka.Player();
    await player.attach(video);
    player.configure({ streaming: { bufferingGoal: 8 }, restrictions: { maxHeight: 240 } });
    player.addEventListener("error", (event) => told(event.detail.code));
    await player.load(url);
    video.play();
  },
};
</script>"""


@pytest_asyncio.fixture(loop_scope="session")
async def pages(player_files: Path) -> AsyncIterator[str]:
    """A server with a page for each player."""

    async def index(request: web.Request) -> web.Response:
        return web.Response(text=PAGE.replace("PLAYER", request.match_info["player"]), content_type="text/html")

    async def script(request: web.Request) -> web.FileResponse:
        return web.FileResponse(player_files / PLAYERS[request.match_info["player"]][1])

    app = web.Application()
    app.router.add_get("/{player}/script", script)
    app.router.add_get("/{player}", index)
    async with TestServer(app) as server:
        yield str(server.make_url("/"))


Fault = Callable[[System, str, str], contextlib.AbstractAsyncContextManager[None]]


@contextlib.asynccontextmanager
async def killed(system: System, appliance: str, url: str) -> AsyncIterator[None]:
    """It is gone without a word."""
    del url
    system.processes.pop(appliance).kill()
    yield


@contextlib.asynccontextmanager
async def drained(system: System, appliance: str, url: str) -> AsyncIterator[None]:
    """An operator takes it out; it serves on."""
    del url
    await system.command("oca", "drain", config=system.appliance_config(appliance))
    yield


@contextlib.asynccontextmanager
async def overloaded(system: System, appliance: str, url: str) -> AsyncIterator[None]:
    """It sends more than its limit: it turns new viewers away with 429 and says so in its health."""
    settings = system.appliance_config(appliance)
    plain = settings.read_text()
    settings.write_text(f"{plain}\n[delivery.overload]\nrate_bytes_per_s_max = {LIMIT_BYTES_PER_S}\n")
    await system.command("oca", "reload", config=settings)
    load = asyncio.create_task(_keep_busy(url))
    try:
        await system.until("it says that it is overloaded", lambda: _says(system, appliance, "turned away"), TIMEOUT_S)
        yield
        assert not load.done(), load.exception()
    finally:
        load.cancel()
        settings.write_text(plain)
        await system.command("oca", "reload", config=settings)
        await system.until("it is well again", lambda: _says(system, appliance, "turned away", not_so=True), TIMEOUT_S)


async def _keep_busy(url: str) -> None:
    """One viewer, there before the overload, who takes twice what the box may send."""
    async with aiohttp.ClientSession() as session:
        while True:
            async with session.get(url) as response:
                assert response.status == 200
                await asyncio.sleep(len(await response.read()) / (2 * LIMIT_BYTES_PER_S))


async def _row(system: System, appliance: str) -> Any:
    return next(row for row in (await system.fleet())["appliances"] if row["appliance"] == appliance)


async def _says(system: System, appliance: str, words: str, *, not_so: bool = False) -> bool:
    return any(words in reason for reason in (await _row(system, appliance))["reasons"]) != not_so


def _shed_client(appliance: str) -> str:
    """A viewer of the first site in one of the networks that a box at half its weight does not take."""
    for number in range(1, 255):
        client = parse_address(f"127.61.{number}.1")
        assert client is not None
        if not takes(appliance, f"{client.number >> 8:x}", 0.5):
            return client.text
    raise AssertionError("a box takes half of the networks, not all")


@pytest.mark.parametrize("fault", [drained, overloaded, killed], ids=lambda fault: fault.__name__)
async def test_players_move_without_a_stall(whole: System, browser: Browser, pages: str, fault: Fault) -> None:
    title = whole.films[0].title
    first = (await whole.playback(title))["pathways"][0]["pathway"]
    answer = await whole.playback(title, client=_shed_client(first))
    ways = {way["pathway"]: way["url"].partition("//")[2].partition(":")[0] for way in answer["pathways"]}
    segment = next(urls[0] for asset, urls in answer["assets"].items() if "video" in asset)
    context = await browser.new_context()
    watched = {player: await watch(await context.new_page(), pages + player) for player in PLAYERS}
    for player, seen in watched.items():
        await seen.page.evaluate(
            "([player, url]) => { window.starts[player](url); }", [player, answer[PLAYERS[player][0]]]
        )
    await _all(watched, lambda seen: seen.until_position(PLAYED_BEFORE_S, TIMEOUT_S))
    assert {segment.host for seen in watched.values() for segment in seen.segments} == {ways[first]}
    async with fault(whole, first, segment):
        at_s = {player: await seen.position() for player, seen in watched.items()}
        await _all(watched, lambda seen: _moved(seen, ways[first]))
        for player, seen in watched.items():
            await seen.until_position(at_s[player] + PLAYED_AFTER_S, TIMEOUT_S)
    await _all(watched, lambda seen: seen.settle())
    found = {
        player: (
            {segment.host for segment in seen.segments} - {ways[first]} <= set(ways.values()),
            seen.segments[-1].host != ways[first],
            round(await seen.longest_stall_ms()) if await seen.longest_stall_ms() > STALL_MS_MAX else "no stall",
            (await seen.log())["errors"] + seen.console_errors,
        )
        for player, seen in watched.items()
    }
    await context.close()
    assert found == dict.fromkeys(PLAYERS, (True, True, "no stall", []))


async def _all(watched: dict[str, Watched], do: Callable[[Watched], Awaitable[None]]) -> None:
    await asyncio.gather(*(do(seen) for seen in watched.values()))


async def _moved(seen: Watched, host: str) -> None:
    """Wait for a segment from another host than this one, after which none came from it."""
    async with asyncio.timeout(TIMEOUT_S):
        while not seen.segments or seen.segments[-1].host == host:
            await seen.page.wait_for_timeout(100)
