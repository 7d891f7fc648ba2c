"""Signed URLs, required as in the demo: who is served, who may fill, what rotation and the loss of steering do."""

from __future__ import annotations

import asyncio
import re

import pytest

from demo.process import stop
from demo.system import COMMANDS, System
from tests.waiting import WAIT_S

pytestmark = [pytest.mark.system, pytest.mark.asyncio(loop_scope="session")]

TOKEN = re.compile(r"/t/([A-Za-z0-9_-]+\.[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+)/")


async def status(system: System, url: str, method: str = "GET") -> int:
    async with system.session.request(method, url) as response:
        await response.read()
        return response.status


async def signed_url(system: System, title: str, appliance: str) -> str:
    """The URL of a media playlist at one appliance, as steering hands it out now."""
    answer = await system.playback(title)
    host = next(way["url"] for way in answer["pathways"] if way["pathway"] == appliance)
    urls = [url for asset in answer["assets"].values() for url in asset]
    return str(next(url for url in urls if url.startswith(host) and url.endswith(".m3u8")))


def token_of(url: str) -> str:
    found = TOKEN.search(url)
    assert found is not None, url
    return found[1]


async def comes_true(system: System, url: str, wanted: int) -> None:
    async with asyncio.timeout(WAIT_S):
        while await status(system, url) != wanted:  # noqa: ASYNC110 - another process has no event to wait on
            await asyncio.sleep(0.1)


async def test_appliance_serves_whoever_shows_a_token_of_the_title(whole: System) -> None:
    title, other = (film.title for film in whole.films[:2])
    url = await signed_url(whole, title, "metro-a")
    bare = TOKEN.sub("/", url)
    assert await status(whole, url) == await status(whole, url, "HEAD") == 200
    assert await status(whole, bare) == await status(whole, bare, "HEAD") == 403
    assert await status(whole, bare, "OPTIONS") == 204
    assert await status(whole, f"{bare}?URISigningPackage={token_of(url)}") == 200
    theirs = TOKEN.sub("/", await signed_url(whole, other, "metro-a"))
    swapped = theirs.replace(f"/{other}/", f"/t/{token_of(url)}/{other}/")
    assert await status(whole, swapped) == 403
    assert await status(whole, url.replace(token_of(url), token_of(url)[:-3] + "AAA")) == 403


async def test_fill_loads_from_peers_that_ask_for_a_token(whole: System) -> None:
    title = whole.films[0].title
    asset = next(each for each in (await whole.playback(title))["assets"] if each.endswith("240p"))
    config = whole.appliance_config("metro-b")
    before = await whole.sent_by_origin()
    await whole.command("oca", "store", "remove", asset, config=config)
    await whole.command("oca-fill", "run", "--now", config=config.parent / "fill.toml")
    await whole.command("oca", "store", "verify", config=config)
    assert await whole.sent_by_origin() == before
    await whole.playable()


async def test_keys_rotate_with_overlap_and_end_when_revoked(whole: System) -> None:
    title = whole.films[0].title
    old = await signed_url(whole, title, "metro-a")
    await whole.command("oca-steering", "keys", "rotate")
    async with asyncio.timeout(WAIT_S):
        while token_of(new := await signed_url(whole, title, "metro-a")).split(".")[0] == token_of(old).split(".")[0]:
            assert await status(whole, new) == 200  # at every moment what is handed out is good
            await asyncio.sleep(0.1)
    assert await status(whole, new) == await status(whole, old) == 200
    await whole.command("oca-steering", "keys", "rotate", "--revoke")
    await comes_true(whole, old, 403)
    await comes_true(whole, new, 403)
    async with asyncio.timeout(WAIT_S):
        # None is signed for the box until it has told that it holds the new key.
        while not TOKEN.search(url := await signed_url(whole, title, "metro-a")):  # noqa: ASYNC110 - as above
            await asyncio.sleep(0.1)
    assert await status(whole, url) == 200


async def test_appliance_judges_by_what_it_kept_after_restart_without_steering(whole: System) -> None:
    url = await signed_url(whole, whole.films[0].title, "metro-a")
    await stop([whole.processes.pop("steering"), whole.processes.pop("metro-a")])
    whole.start_again("metro-a")
    try:
        async with asyncio.timeout(WAIT_S):
            while True:
                try:
                    assert await status(whole, url) == 200
                    break
                except OSError:
                    await asyncio.sleep(0.1)
        assert await status(whole, TOKEN.sub("/", url)) == 403
    finally:
        command = [str(COMMANDS / "oca-steering"), "serve", "--config", str(whole.steering_config)]
        whole.processes["steering"] = whole._spawn("steering", command)
        await whole.serve_all()
    assert await status(whole, url) == 200


async def test_no_log_and_no_metric_holds_a_token(whole: System) -> None:
    url = await signed_url(whole, whole.films[0].title, "metro-a")
    for each in (url, url.replace(".m3u8", ".none"), url.replace("/t/", "/t/x"), TOKEN.sub("/", url)):
        await status(whole, each)
    shown = {path.name: path.read_text(errors="replace") for path in whole.logs.iterdir()}
    assert "metro-a.log" in shown
    for appliance in whole.places.appliances:
        async with whole.session.get(f"http://{appliance.admin}/metrics") as response:
            shown[f"metrics of {appliance.id}"] = await response.text()
    assert not [name for name, text in shown.items() if "eyJ" in text]
    refused = re.search(r'delivery_authorisation_refusals_total\{reason="missing"\} (\S+)', shown["metrics of metro-a"])
    assert refused is not None
    assert float(refused[1]) > 0
