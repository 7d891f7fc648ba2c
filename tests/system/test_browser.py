"""Debian's Chromium plays the real page: where each segment came from, whose bytes it has, and what a kill does."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator
from urllib.parse import urlsplit

import pytest
import pytest_asyncio
from playwright.async_api import Browser, Page, expect

from demo.studio import Studio
from demo.system import System
from oca.common.digest import digest_hex
from tests.system.watching import Watched, watch

pytestmark = [pytest.mark.system, pytest.mark.asyncio(loop_scope="session")]


@pytest_asyncio.fixture(loop_scope="session")
async def page(browser: Browser) -> AsyncIterator[Page]:
    context = await browser.new_context(viewport={"width": 1280, "height": 900})
    yield await context.new_page()
    await context.close()


def _hosts(system: System) -> dict[str, str]:
    return {appliance.delivery.partition(":")[0]: appliance.id for appliance in system.places.appliances}


def _assert_bytes_are_the_origins(watched: Watched, studio: Studio) -> None:
    for segment in watched.segments:
        wanted = digest_hex((studio.library / segment.path.lstrip("/")).read_bytes())
        assert segment.digest == wanted, f"{segment.path} from {segment.host} is not the origin's"


@pytest.mark.alone  # stalls are measured
async def test_page_plays_film_from_nearest_appliance(whole: System, studio: Studio, page: Page) -> None:
    title = whole.films[0]
    nearest = (await whole.playback(title.title))["pathways"][0]["pathway"]
    watched = await watch(page, whole.places.steering_url)
    await page.get_by_role("button", name=title.name).click()
    await watched.until_position(13, 45)
    await watched.settle()
    assert await watched.longest_stall_ms() < 500
    assert len(watched.segments) >= 12
    assert {_hosts(whole).get(segment.host, segment.host) for segment in watched.segments} == {nearest}
    _assert_bytes_are_the_origins(watched, studio)
    assert all(segment.signed for segment in watched.segments)
    log = await watched.log()
    assert {segment["pathway"] for segment in log["segments"]} == {nearest}
    # hls.js also tells of moments without progress, which are measured above.
    errors = [error for error in log["errors"] if error["details"] != "bufferStalledError"]
    assert (errors, log["stalls"], watched.console_errors) == ([], [], [])
    await expect(page.locator("#from")).to_have_text(f"from {nearest}")
    await expect(page.locator("#about")).to_have_text(title.synopsis)
    await expect(page.locator("#strip .cell.video").first).to_contain_text(nearest)


@pytest.mark.alone  # stalls are measured
async def test_page_plays_on_when_serving_appliance_is_killed(whole: System, studio: Studio, page: Page) -> None:
    title = whole.films[0]
    first, second = [way["pathway"] for way in (await whole.playback(title.title))["pathways"]][:2]
    watched = await watch(page, f"{whole.places.steering_url}/#{title.title}")
    await watched.until_position(6, 30)
    whole.processes.pop(first).kill()
    await watched.until_position(28, 60)  # past what was buffered when it died: 12 s and a segment
    await watched.settle()
    assert await watched.longest_stall_ms() < 1000
    served = [segment["pathway"] for segment in (await watched.log())["segments"]]
    assert set(served) == {first, second}
    assert served[-1] == second
    _assert_bytes_are_the_origins(watched, studio)
    await expect(page.locator("#notice")).to_be_hidden()
    assert watched.console_errors == []
    box = page.locator(f"[data-appliance={first}]")
    await expect(box).to_contain_text("no viewers", timeout=10_000)
    await expect(page.locator("#rejected")).to_contain_text(first)


async def test_page_watches_as_viewer_of_another_site(whole: System, page: Page) -> None:
    watched = await watch(page, whole.places.steering_url)
    await page.get_by_label("Watch as").select_option("203.0.113.10")
    await page.get_by_role("button", name=whole.films[0].name).click()
    await watched.until_position(4, 30)
    assert {segment["pathway"] for segment in (await watched.log())["segments"]} == {"region-a"}
    await page.get_by_text("Passed over").click()
    await expect(page.locator("#rejected")).to_contain_text("metro-a")


async def test_player_of_the_console_tries_one_box_alone(whole: System, page: Page) -> None:
    appliance = whole.places.appliances[-1]
    watched = await watch(page, f"{whole.places.steering_url}/console/player?box={appliance.id}")
    await page.get_by_label("Title it holds").select_option(whole.films[0].title)
    await page.get_by_role("button", name="Play").click()
    await watched.until_position(3, 30)
    await watched.settle()
    assert {segment.host for segment in watched.segments} == {appliance.delivery.partition(":")[0]}
    await expect(page.locator("#said")).to_contain_text("Steering says: up")
    await expect(page.locator("#segments tbody tr").first).to_contain_text(appliance.delivery)
    assert watched.console_errors == []


async def test_page_plays_by_keyboard_alone(whole: System, page: Page) -> None:
    watched = await watch(page, whole.places.steering_url)
    card = page.locator("#shelf button").first
    await expect(card).to_be_visible()
    await expect(page.get_by_text("A filled mark: that appliance holds all of the film")).to_be_visible()
    for _ in range(12):
        await page.keyboard.press("Tab")
        if await card.evaluate("node => node === document.activeElement"):
            break
    await page.keyboard.press("Enter")
    await watched.until_position(1, 30)
    assert watched.console_errors == []


async def test_page_plays_on_after_every_source_was_gone(whole: System, page: Page) -> None:
    await page.set_viewport_size({"width": 1280, "height": 720})
    watched = await watch(page, f"{whole.places.steering_url}/#{whole.films[0].title}")
    await watched.until_position(3, 30)
    hosts = [*_hosts(whole), urlsplit(whole.places.origin_url).netloc.partition(":")[0]]
    sources = re.compile(f"http://({'|'.join(re.escape(host) for host in hosts)}):")
    await page.route(sources, lambda route: route.abort("connectionrefused"))
    notice = page.locator("#notice")
    await expect(notice).to_contain_text("No source can be reached", timeout=30_000)
    await expect(notice).to_be_in_viewport()
    lost_at = await watched.position()
    await page.unroute(sources)
    await expect(notice).to_be_hidden(timeout=20_000)
    await watched.until_position(lost_at + 8, 30)
    assert watched.console_errors == []


async def test_page_keeps_focus_on_film_while_shelf_changes(whole: System, page: Page) -> None:
    await watch(page, whole.places.steering_url)
    card = page.locator(f"[data-title={whole.films[1].title}]")
    await card.focus()
    second = (await whole.playback(whole.films[0].title))["pathways"][1]["pathway"]
    await expect(page.locator("#shelf .holders").first).to_contain_text(second)
    whole.processes.pop(second).kill()
    await expect(page.locator("#shelf .holders").first).not_to_contain_text(second, timeout=15_000)
    await expect(card).to_be_focused()


async def test_page_follows_address_and_history(whole: System, page: Page) -> None:
    first, second = whole.films[:2]
    watched = await watch(page, f"{whole.places.steering_url}/#{first.title}")
    await expect(page.locator("#now")).to_have_text(first.name)
    await page.evaluate("title => { location.hash = title }", second.title)
    await expect(page.locator("#now")).to_have_text(second.name)
    await page.go_back()
    await expect(page.locator("#now")).to_have_text(first.name)
    await page.evaluate("location.hash = 'nope'")
    await expect(page.locator("#notice")).to_be_visible()
    await page.go_back()
    await expect(page.locator("#notice")).to_be_hidden()
    await page.evaluate("location.hash = '%'")
    await watched.until_position(1, 30)
    assert watched.console_errors == []


async def test_page_fits_on_phone(whole: System, browser: Browser) -> None:
    context = await browser.new_context(viewport={"width": 360, "height": 740}, is_mobile=True)
    page = await context.new_page()
    watched = await watch(page, f"{whole.places.steering_url}/#{whole.films[0].title}")
    await watched.until_position(1, 30)
    assert await page.evaluate("document.documentElement.scrollWidth") <= 360
    await context.close()


async def test_page_asks_nobody_but_system(whole: System, page: Page) -> None:
    asked: set[str] = set()
    page.on("request", lambda request: asked.add(request.url))
    watched = await watch(page, f"{whole.places.steering_url}/#{whole.films[0].title}")
    await watched.until_position(2, 30)
    strange = [url for url in asked if not url.startswith((f"http://{whole.places.network}.", "blob:", "data:"))]
    assert strange == []
