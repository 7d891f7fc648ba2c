"""Asks the origin for one object, and trusts nothing that it says.

What goes there is the configured address, the path, and who asks: no field of a viewer's request. Redirects are not
followed: an origin must not send a box inside an ISP's network to look elsewhere.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import aiohttp
from yarl import URL

from oca import __version__
from oca.common import clock
from oca.delivery.miss_settings import MissTable
from oca.delivery.origin_head import Fault, OriginHead, read_head
from oca.http1.request import PULL_AGENT

READ_BYTES_MAX = 2**18


class OriginFaultError(Exception):
    """The origin does not bring the object; ``fault`` says why."""

    def __init__(self, fault: Fault) -> None:
        super().__init__(fault)
        self.fault: Fault = fault


class Origin:
    """The configured origin, by one client for all fetches of a worker."""

    def __init__(self, table: MissTable) -> None:
        self._table = table
        self._base = table.origin_url.rstrip("/")
        self._session = aiohttp.ClientSession(
            auto_decompress=False,
            connector=aiohttp.TCPConnector(limit=0),
            cookie_jar=aiohttp.DummyCookieJar(),
            headers={"User-Agent": f"{PULL_AGENT.decode()}/{__version__}", "Accept-Encoding": "identity"},
            read_bufsize=READ_BYTES_MAX,
        )

    @asynccontextmanager
    async def ask(self, path: str, loop_field: str) -> AsyncIterator[tuple[OriginHead, AsyncIterator[bytes]]]:
        """The head of the answer, and its body as it arrives.

        Raises:
            OriginFaultError: It cannot be reached, refuses, stalls, drips, or breaks off.
        """
        table = self._table
        try:
            async with asyncio.timeout(table.head_timeout_s):  # connecting included
                response = await self._session.get(
                    URL(self._base + path, encoded=True), headers={"CDN-Loop": loop_field}, allow_redirects=False
                )
        except TimeoutError:
            raise OriginFaultError("time-out") from None
        except (aiohttp.ClientError, OSError, ValueError):
            raise OriginFaultError("unreachable") from None
        try:
            head = read_head(response.status, response.headers, path, now_s=clock.now_s(), table=table)
            if not isinstance(head, OriginHead):
                raise OriginFaultError(head)
            yield head, self._body(response)
        finally:
            response.close()

    async def _body(self, response: aiohttp.ClientResponse) -> AsyncIterator[bytes]:
        begun_s, got = clock.monotonic_s(), 0
        while True:
            try:
                async with asyncio.timeout(self._table.stall_timeout_s):
                    data = await response.content.read(READ_BYTES_MAX)
            except TimeoutError:
                raise OriginFaultError("stalled") from None
            except (aiohttp.ClientError, OSError, ValueError):
                raise OriginFaultError("short") from None
            if not data:
                return
            got += len(data)
            took_s = clock.monotonic_s() - begun_s
            if took_s > self._table.stall_timeout_s and got < self._table.origin_rate_bytes_per_s_min * took_s:
                raise OriginFaultError("slow")
            yield data

    async def close(self) -> None:
        """End its connections."""
        await self._session.close()
