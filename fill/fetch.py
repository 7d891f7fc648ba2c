"""Brings one object from one source over HTTP and trusts nothing that the source says about it.

A redirect is followed only to the same host, by the same scheme or from http to https: a source must not send an
appliance, which stands inside an ISP's network, to look elsewhere. The digest is the store's to check, on the way in.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Callable

import aiohttp
from yarl import URL

from fill.pace import Pacer
from fill.rank import SourceRank
from fill.rate import PaceFloor
from fill.s3 import UNSIGNED, S3Signer
from fill.sources import Fault
from fill.tables import FillTable
from oca.common import clock
from oca.common.messages import FillSource, ObjectDescription
from oca.common.unreachable import failure

REDIRECTS_MAX = 5
LOOK_S = 0.2
_MAY_PASS = frozenset({408, 425, 429, 500, 502, 503, 504})
_CONTENT_RANGE = re.compile(r"bytes (\d{1,19})-(\d{1,19})/(\d{1,19}|\*)")

Sink = Callable[[bytes], None]
_HELD_UP = Fault("held-up", "the fill is to fetch nothing now", lasting=False)
"""Nothing that is wrong with the source: its connection is given up until there is something to fetch again."""


class ObjectFetcher:
    """Fetches objects within the time-outs of the settings and as fast as the pacer grants, which all fetches share."""

    def __init__(
        self,
        session: aiohttp.ClientSession,
        settings: FillTable,
        pacer: Pacer,
        rank: SourceRank,
        *,
        signer: S3Signer = UNSIGNED,
    ) -> None:
        self._session = session
        self._settings = settings
        self._pacer = pacer
        self._rank = rank
        self._signer = signer
        self._timeout = aiohttp.ClientTimeout(total=None, sock_connect=settings.connect_timeout_s)

    async def fetch(self, source: FillSource, wanted: ObjectDescription, offset: int, sink: Sink) -> Fault | None:
        """Hand the object's bytes from ``offset`` on to ``sink`` as they arrive.

        Returns:
            None once ``sink`` has had every byte; else why not. What ``sink`` has had by then stands, and a later
            fetch goes on from there.
        """
        had = offset

        def take(chunk: bytes) -> None:
            nonlocal had
            sink(chunk)
            had += len(chunk)

        while had < wanted.bytes:
            while self._pacer.stopped:  # noqa: ASYNC110 - what it is told of comes by time, and wakes nobody
                await asyncio.sleep(LOOK_S)
            fault = await self._explained(source, wanted, had, take)
            if fault is not _HELD_UP:
                return fault
        return None

    async def _explained(self, source: FillSource, wanted: ObjectDescription, offset: int, sink: Sink) -> Fault | None:
        try:
            return await self._fetch(source, wanted, offset, sink)
        except aiohttp.TooManyRedirects:
            return Fault("redirect", f"more than {REDIRECTS_MAX} redirects", lasting=True)
        except TimeoutError:
            return Fault("stalled", f"sent nothing for {self._settings.stall_timeout_s:g} s", lasting=False)
        except aiohttp.ClientConnectorError as error:
            return Fault("unreachable", f"cannot be reached: {failure(error)}", lasting=False)
        except aiohttp.ClientPayloadError:
            return Fault("short", "ended in the middle of a body", lasting=False)
        except (aiohttp.ClientConnectionError, OSError) as error:
            return Fault("reset", f"broke the connection off: {failure(error)}", lasting=False)
        except (aiohttp.ClientError, ValueError) as error:
            said = str(error).replace(source.token_path or wanted.path, "")  # the token is nobody's to read
            return Fault("not-http", f"does not speak HTTP as it should: {said[:100]}", lasting=True)

    async def _fetch(self, source: FillSource, wanted: ObjectDescription, offset: int, sink: Sink) -> Fault | None:
        asked_at = clock.monotonic_s()
        url = self._signer.url_of(source.url.rstrip("/") + source.token_path, wanted.path)
        response = await self._ask(url, wanted, offset)
        now_s = clock.monotonic_s()
        self._rank.answered(source.url, now_s - asked_at, now_s)
        async with response:
            if (fault := _refusal(response)) or (fault := _mismatch(response, wanted.bytes, offset)):
                response.close()
                return fault
            passed_over = offset if response.status == 200 else 0  # it ignores Range: read up to where we are
            return await self._take(source.url, response, wanted.bytes - offset, passed_over, sink)

    async def _ask(self, url: URL, wanted: ObjectDescription, offset: int) -> aiohttp.ClientResponse:
        headers = {"Accept-Encoding": "identity"}
        if offset:
            headers["Range"] = f"bytes={offset}-{wanted.bytes - 1}"
        for _ in range(REDIRECTS_MAX + 1):
            try:
                async with asyncio.timeout(self._settings.connect_timeout_s + self._settings.stall_timeout_s):
                    response = await self._session.get(
                        url, headers=self._signer.signed(url, headers), allow_redirects=False, timeout=self._timeout
                    )
            except aiohttp.ConnectionTimeoutError as error:
                raise aiohttp.ClientConnectionError(
                    f"no connection in {self._settings.connect_timeout_s:g} s"
                ) from error
            target = _redirect_target(response)
            if target is None:
                return response
            response.close()
            url = target
        raise aiohttp.TooManyRedirects(response.request_info, response.history)

    async def _take(
        self, source: str, response: aiohttp.ClientResponse, missing: int, passed_over: int, sink: Sink
    ) -> Fault | None:
        floor = PaceFloor(self._settings.source_rate_bytes_per_s_min, span_s=self._settings.stall_timeout_s)
        while missing:
            if self._pacer.stopped:
                response.close()
                return _HELD_UP
            granted = self._pacer.read_bytes()
            wait_s = self._pacer.take(source, granted, clock.monotonic_s())
            if wait_s:
                await asyncio.sleep(wait_s)
            asked_at = clock.monotonic_s()
            async with asyncio.timeout(self._settings.stall_timeout_s):
                data = await response.content.read(granted)
            waited_s = clock.monotonic_s() - asked_at
            self._pacer.arrived(source, len(data), granted)
            if not data:
                return Fault("short", f"ended {missing} bytes early", lasting=False)
            size = len(data)
            if passed_over:
                dropped = min(passed_over, size)
                passed_over -= dropped
                data = data[dropped:]
            if len(data) > missing:
                return Fault("too-long", "sends more bytes than the object has", lasting=True)
            missing -= len(data)
            sink(data)
            if not floor.held(size, waited_s):
                return Fault("slow", f"slower than {self._settings.source_rate_bytes_per_s_min} bytes/s", lasting=False)
        return None


def _redirect_target(response: aiohttp.ClientResponse) -> URL | None:
    """Where the response sends us, if it does and we follow; the response is then to be asked no further."""
    location = response.headers.get("Location", "")
    if response.status not in (301, 302, 303, 307, 308) or not location:
        return None
    target = response.url.join(URL(location, encoded=True))
    same_scheme = target.scheme == response.url.scheme and target.port == response.url.port
    upgraded = response.url.scheme == "http" and target.scheme == "https"
    return target if target.host == response.url.host and (same_scheme or upgraded) else None


def _refusal(response: aiohttp.ClientResponse) -> Fault | None:
    status = response.status
    if status in (200, 206):
        encoding = response.headers.get("Content-Encoding", "identity").strip().lower()
        if encoding != "identity":
            return Fault("encoded", f"sends Content-Encoding {encoding[:40]}, unasked", lasting=True)
        return None
    if 300 <= status < 400:
        return Fault(
            "redirect", f"redirects to {response.headers.get('Location', '')[:100] or 'nowhere'}", lasting=True
        )
    if status == 404:
        return Fault("absent", "does not have it (404)", lasting=True)
    return Fault("status", f"answers {status}", lasting=status not in _MAY_PASS)


def _mismatch(response: aiohttp.ClientResponse, size: int, offset: int) -> Fault | None:
    """What the head of a 200 or 206 says that cannot be so."""
    if response.status == 206:
        stated = response.headers.get("Content-Range", "")
        span = _CONTENT_RANGE.fullmatch(stated)
        wanted = (str(offset), str(size - 1))
        if not offset or span is None or span.groups()[:2] != wanted or span[3] not in ("*", str(size)):
            return Fault(
                "wrong-range", f"sends Content-Range {stated[:60]!r}, not {offset}-{size - 1}/{size}", lasting=True
            )
    length = response.headers.get("Content-Length")
    expected = size - offset if response.status == 206 else size
    if length is not None and length != str(expected):
        return Fault("wrong-length", f"sends {length[:20]} bytes instead of {expected}", lasting=True)
    return None
