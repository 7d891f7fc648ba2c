"""Keeps a fill to its rate from second to second: the window's cap, and what the box's daemon says of itself."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import aiohttp
import msgspec

from fill.busy import share_of
from fill.http import read_body
from fill.pace import Pacer
from fill.tables import BusyTable
from oca.common import clock
from oca.common.addresses import parse_listen
from oca.common.log import get_logger
from oca.common.messages import Load
from oca.common.units import format_rate

LOOK_INTERVAL_S = 1.0
ANSWER_TIMEOUT_S = 2.0
SAID_INTERVAL_S = 30.0
ANSWER_BYTES_MAX = 4 * 2**20
_log = get_logger("pace")


class _Status(msgspec.Struct):
    load: Load


_statuses = msgspec.json.Decoder(_Status)


class Governor:
    """Tells the pacer once a second what a fill may use.

    Args:
        session: Asks the daemon with it.
        listen: The daemon's ``admin.listen``.
        pacer: Is told.
        limits: When serving slows a fill.
        rate_now: The cap that holds now; 0: none.
    """

    def __init__(
        self,
        session: aiohttp.ClientSession,
        listen: str,
        pacer: Pacer,
        limits: BusyTable,
        rate_now: Callable[[], int],
    ) -> None:
        self._session = session
        self._url = f"http://{parse_listen(listen, setting='admin.listen').reachable.authority}/v1/status"
        self._pacer = pacer
        self._limits = limits
        self._rate_now = rate_now
        self._said = ""
        self._said_at = -SAID_INTERVAL_S

    async def run(self) -> None:
        """Look at the box for ever."""
        while True:
            await self.look()
            await asyncio.sleep(LOOK_INTERVAL_S)

    async def look(self) -> None:
        """Look at the box once."""
        share = share_of(await self._load(), self._limits, stopped=self._pacer.share.ratio <= 0)
        now = clock.monotonic_s()
        self._pacer.allow(self._rate_now(), share, now)
        held_back = self.held_back
        if bool(held_back) != bool(self._said) and now - self._said_at >= SAID_INTERVAL_S:
            self._said, self._said_at = held_back, now
            _log.info("fill held back" if held_back else "fill goes on at its full rate", why=held_back)

    @property
    def held_back(self) -> str:
        """Why the fill is slower than it may be at best; empty: it is not."""
        share = self._pacer.share
        if share.ratio >= 1:
            return ""
        rate = format_rate(self._pacer.rate_bytes_per_s_max)
        return f"stopped: {share.why}" if self._pacer.stopped else f"at most {rate}: {share.why}"

    async def _load(self) -> Load | None:
        """What the box does; None while its daemon is away, for then it serves nobody."""
        timeout = aiohttp.ClientTimeout(total=ANSWER_TIMEOUT_S)
        try:
            async with self._session.get(self._url, timeout=timeout, allow_redirects=False) as response:
                body = await read_body(response, ANSWER_BYTES_MAX) if response.status == 200 else None
                return _statuses.decode(body).load if body is not None else None
        except (aiohttp.ClientError, TimeoutError, OSError, msgspec.DecodeError):
            return None
