"""Takes the pictures of both consoles that the pages show: ``python -m docs.pictures``; by hand, when they change.

A box's: the page's own files in Chromium, told the made-up facts of ``docs.examples``. The fleet's: steering itself,
with the fleet of its test. The picture of the README is of the demo: ``python -m demo.screenshot``.
"""

from __future__ import annotations

import math
import shutil
import sys
import tempfile
from pathlib import Path
from typing import Any

import msgspec
from playwright.sync_api import Browser, Route, sync_playwright

from docs.examples import NOW_NS, example_status
from oca.admin.routes import RoutesPage, SessionStatus
from oca.admin.top import HotAsset, HotPage
from oca.report.history import INTERVAL_NS, SAMPLES_MAX, HealthChange, HistoryPage
from oca.store.fill_record import FilledNight, FilledNights, NightShown
from tests.system.test_fleet_console import Fleet, is_up
from tests.waiting import wait_until

ROOT = Path(__file__).resolve().parents[1]
PAGE = ROOT / "oca/admin/page_files"
URL = "http://box.invalid"
WIDTH = 1200
TIB, GIB, GIGABIT = 2**40, 2**30, 125_000_000
_HOUR_NS = 3600 * 10**9
_TYPES = {".js": "text/javascript", ".css": "text/css", ".html": "text/html"}


def _history() -> HistoryPage:
    """Two days, each with its peak, as now; for a quarter of an hour a device answered late."""
    at_s = [(NOW_NS - (SAMPLES_MAX - 1 - place) * INTERVAL_NS) // 10**9 for place in range(SAMPLES_MAX)]
    use = [0.07 + 0.31 * (1 + math.sin((at % 86400) / 86400 * 2 * math.pi - math.pi / 6)) for at in at_s]
    return HistoryPage(
        interval_s=INTERVAL_NS / 1e9,
        at_s=at_s,
        sent_bytes_per_s=[int(each * 25 * GIGABIT) for each in use],
        connections=[int(each * 12_190) for each in use],
        responses_per_s=[each * 1_290 for each in use],
        content_misses_per_s=[each * 4 for each in use],
        health_misses_per_s=[0.3 if 600 <= place < 608 else 0.0 for place in range(SAMPLES_MAX)],
        cut_per_s=[each * 0.6 for each in use],
        first_byte_ms=[5.0 if 600 <= place < 608 else 1.0 if each > 0.5 else 0.5 for place, each in enumerate(use)],
        cpu_ratio=[each * 0.45 for each in use],
        used_bytes=[int((12.6 + 0.4 * place / SAMPLES_MAX) * TIB) for place in range(SAMPLES_MAX)],
        changes=[
            HealthChange(at_s[0] * 10**9, "ok", "serving", []),
            HealthChange(at_s[600] * 10**9, "degraded", "serving", ["/var/lib/oca/nvme1: does not answer reads"]),
            HealthChange(at_s[608] * 10**9, "ok", "serving", []),
        ],
    )


def _nights() -> FilledNights:
    shown: list[NightShown] = []
    for ago, (peers, origin, served) in enumerate(((371, 41, 0.6), (402, 28, 21.8), (455, 33, 24.1))):
        ended_ns = NOW_NS - ago * 24 * _HOUR_NS - 3 * _HOUR_NS
        night = FilledNight(
            night=f"2026-11-{25 - ago}",
            started_at_ns=ended_ns - 3 * _HOUR_NS,
            ended_at_ns=ended_ns,
            filling_s=10_800.0 - 900 * ago,
            assets_in=96 + 9 * ago,
            bytes_in=(peers + origin) * GIB,
            bytes_by_source={"peer": peers * GIB, "origin": origin * GIB},
            assets_out=88 + 9 * ago,
            bytes_out=(peers + origin - 20) * GIB,
            state="done",
            served_bytes=int(served * TIB),
            served_until_ns=ended_ns + 24 * _HOUR_NS if ago else NOW_NS,
        )
        shown.insert(0, NightShown(night=night, efficiency=night.efficiency, is_final=night.efficiency_is_final))
    return FilledNights(nights=shown)


def _answers() -> dict[str, Any]:
    sessions = tuple(SessionStatus(f"isp{4 + 2 * n}", True, "Established", "2 d", "64500", 602_059) for n in range(2))
    rates = (
        ("northern-lights/video-2160p", 391.0, 4.1),
        ("northern-lights/video-1080p", 604.0, 3.2),
        ("harbour/video-1080p", 288.0, 1.5),
    )
    return {
        "/v1/status": example_status(),
        "/v1/history": _history(),
        "/v1/nights": _nights(),
        "/v1/routes": RoutesPage(socket="/run/bird/bird.ctl", why="", routes=1_204_118, sessions=sessions),
        "/v1/hot": HotPage(60.0, [HotAsset(name, each, rate * GIGABIT) for name, each, rate in rates]),
    }


def main(folder: Path = ROOT / "docs/images") -> int:
    """Write the pictures."""
    chromium = shutil.which("chromium")
    if chromium is None:
        sys.stderr.write("docs/pictures.py: there is no chromium here; run scripts/debian.sh\n")
        return 1
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox", "--disable-gpu"])
        _box(browser, folder / "console.png")
        _fleet(browser, folder / "fleet-console.png")
        browser.close()
    return 0


def _box(browser: Browser, picture: Path) -> None:
    answers = _answers()

    def answer(route: Route) -> None:
        path = route.request.url.removeprefix(URL).partition("?")[0]
        if path in answers:
            route.fulfill(body=msgspec.json.encode(answers[path]), content_type="application/json")
        else:
            file = PAGE / (path.rpartition("/")[2] or "index.html")
            route.fulfill(body=file.read_bytes(), content_type=_TYPES[file.suffix])

    page = browser.new_page(
        viewport={"width": WIDTH, "height": 900}, color_scheme="light", locale="en-GB", timezone_id="UTC"
    )
    page.route("**/*", answer)
    page.goto(URL)
    page.locator("#nights tr").nth(2).wait_for()
    page.locator("#charts figure").nth(8).wait_for()
    page.screenshot(path=picture, full_page=True)


def _fleet(browser: Browser, picture: Path) -> None:
    with tempfile.TemporaryDirectory() as folder:
        fleet = Fleet(Path(folder))
        try:
            wait_until(lambda: is_up(fleet))
            fleet.report()
            page = browser.new_page(viewport={"width": WIDTH, "height": 1120}, color_scheme="light", locale="en-GB")
            page.goto(f"{fleet.url}/console")
            page.get_by_role("heading", name="All sites").wait_for()
            page.screenshot(path=picture)
        finally:
            fleet.stop()


if __name__ == "__main__":
    sys.exit(main())
