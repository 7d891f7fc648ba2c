"""The box's console in a real Chromium: what it shows and does, in light and dark, on a phone, asking nobody else."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest
from playwright.async_api import Browser, Page, expect

from tests.system.test_serve import HOST, Box, wait_until

pytestmark = pytest.mark.system

PHONE = {"width": 360, "height": 740}


class Seen:
    """What a page asked for and complained of."""

    def __init__(self, page: Page) -> None:
        self.hosts: set[str] = set()
        self.bytes = 0
        self.complaints: list[str] = []
        page.on("request", lambda request: self.hosts.add(request.url.split("/")[2]))
        page.on("console", lambda said: self.complaints.append(said.text) if said.type == "error" else None)
        page.on("pageerror", lambda error: self.complaints.append(str(error)))


@pytest.fixture
def box(tmp_path: Path) -> Box:
    made = Box(tmp_path)
    (tmp_path / "source").mkdir()
    (tmp_path / "source/1.m4s").write_bytes(os.urandom(2**20))
    asset = ("--asset", "harbour/video", "--mount", "/film", "--config", str(made.config))
    assert made.run("store", "import", str(tmp_path / "source"), *asset).returncode == 0
    return made


async def opened(browser: Browser, box: Box, **options: Any) -> tuple[Page, Seen]:
    page = await browser.new_page(**options)
    seen = Seen(page)
    await page.goto(f"http://{HOST}:{box.admin}/")
    await expect(page.locator("#state")).to_contain_text("health", timeout=20_000)
    return page, seen


async def luminance(page: Page, selector: str, what: str) -> float:
    colour = await page.eval_on_selector(selector, f"element => getComputedStyle(element).{what}")
    parts = [int(part) / 255 for part in colour.removeprefix("rgb(").removesuffix(")").split(",")]
    linear = [part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


async def contrast(page: Page, front: str, ground: str) -> float:
    one, other = await luminance(page, front, "color"), await luminance(page, ground, "backgroundColor")
    return (max(one, other) + 0.05) / (min(one, other) + 0.05)


@pytest.mark.asyncio(loop_scope="session")
async def test_console_shows_box_and_takes_it_out(browser: Browser, box: Box) -> None:
    with box.serving():
        page, seen = await opened(browser, box)
        await expect(page.locator("#name")).to_have_text("box at here")
        await expect(page.locator("#now")).to_contain_text("1 assets")
        await expect(page.locator("#changes tr")).to_have_count(1)
        await expect(page.locator("#charts figure")).to_have_count(9)
        await expect(page.locator("#undrain")).to_be_disabled()
        await page.locator("#drain").focus()
        await page.keyboard.press("Enter")
        await expect(page.locator("#state")).to_contain_text(" until ", timeout=20_000)
        await expect(page.locator("#answer")).to_contain_text("it serves again at")
        wait_until(lambda: box.ask("/v1/status")["serving"] != "serving")
        await page.locator("#undrain").click()
        await expect(page.locator("#state")).to_contain_text("serving, health", timeout=20_000)
        assert box.ask("/v1/status")["serving"] == "serving"
        assert seen.hosts == {f"{HOST}:{box.admin}"}
        assert not seen.complaints
        await page.close()


@pytest.mark.asyncio(loop_scope="session")
@pytest.mark.parametrize("scheme", ["light", "dark"])
async def test_console_can_be_read_in_light_and_dark(browser: Browser, box: Box, scheme: Any) -> None:
    with box.serving():
        page, seen = await opened(browser, box, color_scheme=scheme)
        for front, ground in (
            ("h1", "header"),
            ("#state", "header"),
            ("dt", "section"),
            ("button#drain", "button#drain"),
        ):
            assert await contrast(page, front, ground) >= 4.5, (front, ground)
        assert (await luminance(page, "body", "backgroundColor") > 0.5) == (scheme == "light")
        assert not seen.complaints
        await page.close()


@pytest.mark.asyncio(loop_scope="session")
async def test_console_fits_a_phone(browser: Browser, box: Box) -> None:
    with box.serving():
        page, _ = await opened(browser, box, viewport=PHONE)
        assert await page.evaluate("document.documentElement.scrollWidth") <= PHONE["width"]
        sizes = "all => all.map(one => one.getBoundingClientRect().height)"
        heights = await page.eval_on_selector_all("button, select", sizes)
        assert min(heights) >= 44
        named = await page.eval_on_selector_all("svg", "all => all.map(one => one.getAttribute('aria-label'))")
        assert all(" now, " in name for name in named)
        await page.close()


@pytest.mark.asyncio(loop_scope="session")
async def test_console_says_when_box_does_not_answer(browser: Browser, box: Box) -> None:
    with box.serving():
        page, _ = await opened(browser, box)
    await expect(page.locator("#state")).to_contain_text("The box does not answer", timeout=20_000)
    await page.close()
