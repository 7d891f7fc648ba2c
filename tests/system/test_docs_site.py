"""The operator's guide as a site: built without a warning, whole, readable offline, in the dark and on a phone."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from playwright.async_api import Browser

from docs import check_site

pytestmark = [pytest.mark.system, pytest.mark.long]

ROOT = Path(__file__).resolve().parents[2]
PHONE = {"width": 360, "height": 740}


def build(pages: Path, site: Path) -> subprocess.CompletedProcess[str]:
    """As ``make docs`` does."""
    command = [sys.executable, "-m", "sphinx", "-q", "-n", "-W", "--keep-going", "-d", str(site.parent / "trees")]
    return subprocess.run([*command, str(pages), str(site)], cwd=ROOT, capture_output=True, text=True, check=False)


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("docs") / "site"
    built = build(ROOT / "docs", folder)
    assert (built.returncode, built.stderr) == (0, ""), built.stderr
    return folder


def test_site_is_whole_and_asks_nothing_elsewhere(site: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert check_site.main([str(site)]) == 0, capsys.readouterr().out


def test_site_is_not_built_with_a_dead_link(tmp_path: Path) -> None:
    pages = tmp_path / "pages"
    pages.mkdir()
    (pages / "conf.py").write_text((ROOT / "docs/conf.py").read_text())
    (pages / "index.md").write_text("# Guide\n\n[gone](gone.md) and [here](#nowhere)\n")
    built = build(pages, tmp_path / "site")
    assert built.returncode != 0
    assert "gone.md" in built.stderr
    assert "nowhere" in built.stderr


@pytest.mark.asyncio(loop_scope="session")
async def test_site_is_searched_and_read_without_network(site: Path, browser: Browser, tmp_path: Path) -> None:
    context = await browser.new_context(offline=True, viewport={"width": 1280, "height": 800})
    page = await context.new_page()
    asked: list[str] = []
    errors: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    page.on("pageerror", lambda error: errors.append(str(error)))
    await page.goto(f"{site.as_uri()}/index.html")
    await page.screenshot(path=tmp_path / "start.png")
    await page.get_by_role("textbox", name="Search").first.fill("undrain")
    await page.keyboard.press("Enter")
    hit = page.locator("ul.search a", has_text="Reload, upgrade, roll back, drain").first
    await hit.click()
    await page.wait_for_url("**/operations.html*")
    await page.goto(f"{site.as_uri()}/reference/settings.html")
    await page.screenshot(path=tmp_path / "settings.png")
    assert {url.partition(":")[0] for url in asked} <= {"file", "data"}
    assert not errors
    await context.close()


@pytest.mark.asyncio(loop_scope="session")
async def test_site_is_dark_where_wanted_and_fits_a_phone(site: Path, browser: Browser, tmp_path: Path) -> None:
    context = await browser.new_context(offline=True, viewport=PHONE, color_scheme="dark")  # type: ignore[arg-type]
    page = await context.new_page()
    for name in ("index", "turnup", "reference/settings"):
        await page.goto(f"{site.as_uri()}/{name}.html")
        await page.screenshot(path=tmp_path / f"phone-{name.replace('/', '-')}.png")
        assert await page.evaluate("document.documentElement.scrollWidth") <= PHONE["width"], name
        red = await page.evaluate("parseInt(getComputedStyle(document.body).backgroundColor.match(/\\d+/)[0])")
        assert red < 60, name
    await context.close()
