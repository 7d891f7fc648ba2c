"""Take the picture of the running page that the README shows: ``python -m demo.screenshot URL FILE``.

Needs a running demo, Playwright and Debian's Chromium; it is made by hand when the page changes.
"""

from __future__ import annotations

import argparse
import os
import shutil
import signal
import sys
from pathlib import Path

from playwright.sync_api import sync_playwright

from oca.common.clock import monotonic_s

PLAY_S_MAX = 90
KILL_AT_S = 12
FLAGS = ["--no-sandbox", "--disable-gpu", "--hide-scrollbars", "--autoplay-policy=no-user-gesture-required"]


def main() -> int:
    """Open the page, let the film play for a while, and write the picture."""
    parser = argparse.ArgumentParser(prog="python -m demo.screenshot", description="Picture the running page.")
    parser.add_argument("url", help="the page, with #title")
    parser.add_argument("file", type=Path)
    parser.add_argument("--width", type=int, default=1280)
    parser.add_argument("--height", type=int, default=1180)
    parser.add_argument("--scheme", choices=["light", "dark"], default="light")
    parser.add_argument("--at", type=float, default=24, metavar="SECONDS", help="position of the film")
    parser.add_argument("--kill", type=int, metavar="GROUP", help="end this process group once the film plays")
    options = parser.parse_args()
    chromium = shutil.which("chromium")
    if chromium is None:
        print("demo.screenshot: there is no chromium here; run scripts/debian.sh", file=sys.stderr)
        return 1
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=FLAGS)
        page = browser.new_page(
            viewport={"width": options.width, "height": options.height}, color_scheme=options.scheme
        )
        page.goto(options.url)
        # The page's policy allows no eval, which Playwright's own wait for a condition needs.
        until = monotonic_s() + PLAY_S_MAX
        while (position := page.evaluate("document.querySelector('video').currentTime")) < options.at:
            if monotonic_s() > until:
                print(f"demo.screenshot: the film did not reach {options.at} s", file=sys.stderr)
                return 1
            if options.kill and position > KILL_AT_S:
                os.killpg(options.kill, signal.SIGKILL)
                options.kill = None
            page.wait_for_timeout(200)
        page.evaluate("scrollTo(0, 0)")
        options.file.parent.mkdir(parents=True, exist_ok=True)
        page.screenshot(path=options.file)
        browser.close()
    return 0


if __name__ == "__main__":
    sys.exit(main())
