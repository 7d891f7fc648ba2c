"""What a viewer sees and what the network brought, recorded while a film plays in a real browser."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

from playwright.async_api import Page, Response

from oca.common.digest import digest_hex
from oca.common.signed_url import TokenPlaces

# Every 50 ms the position is noted; a stall is the time for which it did not move while it should have.
SAMPLER = """() => {
  const video = document.querySelector("video");
  window.seen = { longest_ms: 0, started: false };
  let position = 0, since = performance.now();
  setInterval(() => {
    const now = performance.now();
    if (video.currentTime !== position || !window.seen.started || video.ended) {
      if (video.currentTime > 0) window.seen.started = true;
      position = video.currentTime;
      since = now;
    }
    if (window.seen.started) window.seen.longest_ms = Math.max(window.seen.longest_ms, now - since);
  }, 50);
}"""


@dataclass(frozen=True)
class Segment:
    """One segment as the browser got it; ``path`` as its server looks it up, without its token."""

    host: str
    path: str
    signed: bool
    status: int
    digest: str


@dataclass
class Watched:
    """Everything recorded on one page."""

    page: Page
    segments: list[Segment] = field(default_factory=list)
    console_errors: list[str] = field(default_factory=list)
    _reading: set[asyncio.Future[None]] = field(default_factory=set)

    async def position(self) -> float:
        return float(await self.page.evaluate("document.querySelector('video').currentTime"))

    async def longest_stall_ms(self) -> float:
        return float(await self.page.evaluate("window.seen.longest_ms"))

    async def log(self) -> dict[str, Any]:
        """What the page itself kept."""
        return dict(await self.page.evaluate("window.oca"))

    async def until_position(self, seconds: float, timeout_s: float) -> None:
        # The page's policy allows no eval, which Playwright's own wait for a condition needs.
        async with asyncio.timeout(timeout_s):
            while await self.position() < seconds:
                await self.page.wait_for_timeout(100)

    async def settle(self) -> None:
        """Wait until every body that arrived has been read."""
        while self._reading:
            await asyncio.gather(*self._reading)

    def take(self, response: Response) -> None:
        if urlsplit(response.url).path.endswith(".m4s"):
            reading = asyncio.ensure_future(self._read(response))
            self._reading.add(reading)
            reading.add_done_callback(self._reading.discard)

    async def _read(self, response: Response) -> None:
        url = urlsplit(response.url)
        body = await response.body()
        placed = TokenPlaces().take(url.path.encode(), url.query.encode())
        path = placed.path.decode()
        self.segments.append(Segment(url.hostname or "", path, bool(placed.token), response.status, digest_hex(body)))


async def watch(page: Page, url: str) -> Watched:
    """Open ``url`` and record from the start."""
    watched = Watched(page)
    page.on("response", watched.take)
    page.on("pageerror", lambda error: watched.console_errors.append(str(error)))
    await page.goto(url)
    await page.evaluate(SAMPLER)
    return watched
