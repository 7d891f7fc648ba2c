"""The whole system as real processes on addresses of its own, with a small library that is encoded once."""

from __future__ import annotations

import shutil
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio
from playwright.async_api import Browser, async_playwright, expect

from demo import vendor
from demo.places import Places
from demo.studio import Studio
from demo.system import System
from demo.titles import films
from tests.system.side_by_side import WORKER, one_at_a_time

ROOT = Path(__file__).resolve().parents[2]
KEPT = ROOT / ".demo" / "tests"
NETWORK = f"127.61.{70 + WORKER}"
LONGEST_FIRST = "package", "browser", "reload", "demo", "device_faults", "ktls", "fill_kill", "fill_cluster"
TITLES = 2
SECONDS = 44
EXPECT_MS = 15_000
"""A page on a busy machine may take a while for what it shows in a tenth of a second on an idle one."""
BROWSER_FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--autoplay-policy=no-user-gesture-required",
]


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Put the files that take longest first: the last to begin is then soon done, and no process waits for it alone."""
    place = {f"test_{name}.py": number for number, name in enumerate(LONGEST_FIRST)}
    items.sort(key=lambda item: place.get(item.path.name, len(place)))


@pytest.fixture(scope="session")
def studio() -> Studio:
    """Two films, kept between runs."""
    studio = Studio(KEPT, seconds=SECONDS)
    with one_at_a_time(KEPT):
        for film in studio.missing(films(TITLES)):
            studio.encode(film, lambda _: None)
    return studio


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def system(studio: Studio, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[System]:
    """Origin, steering, three filled appliances at two sites."""
    chosen = films(TITLES)
    recipes = {film.title: studio.key(film) for film in chosen}
    places = Places(NETWORK, tmp_path_factory.mktemp("demo"))
    system = System(places, studio.library, chosen, recipes, workers=1)
    try:
        await system.start()
        await system.publish(lambda _done, _more="": None)
        await system.plan()
        await system.fill(lambda _done, _more="": None)
        await system.playable()
        yield system
    finally:
        await system.stop()


@pytest_asyncio.fixture(loop_scope="session")
async def whole(system: System) -> AsyncIterator[System]:
    """The system with every appliance up, also after a test that ended some."""
    yield system
    for appliance in system.places.appliances:
        if appliance.id not in system.processes:
            system.start_again(appliance.id)
    await system.serve_all()
    await system.playable()


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def browser() -> AsyncIterator[Browser]:
    """Debian's Chromium."""
    path = shutil.which("chromium")
    assert path, "the browser tests need Debian's chromium: run scripts/debian.sh"
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=path, headless=True, args=BROWSER_FLAGS)
        expect.set_options(timeout=EXPECT_MS)
        yield browser
        await browser.close()


@pytest.fixture(scope="session")
def axe(player_files: Path) -> str:
    """The source of axe-core."""
    return (player_files / "axe-core" / "axe.min.js").read_text()


@pytest.fixture(scope="session")
def player_files() -> Path:
    """The folder of node packages, with dash.js in it."""
    with one_at_a_time(KEPT):
        vendor.fetch(dev=True)
    return ROOT / "node_modules"
