"""Holds the first viewers after a start back until the fleet is known.

The fleet is in memory only, and content steering can order only the pathways that a manifest declared: a viewer
answered before the first reports would stay on the origin for the whole film.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable

from oca.common.clock import monotonic_s
from steering.fleet.liveness import first_reports_wait_s


class FirstReports:
    """Which appliances are not known yet since the start, and a wait for them, once."""

    def __init__(
        self, appliances: Iterable[str], *, wait_s_max: float, now_s: Callable[[], float] = monotonic_s
    ) -> None:
        """Begin: the time runs from now."""
        self._unheard = set(appliances)
        self._wait_s_max = wait_s_max
        self._now_s = now_s
        self._began_at_s = now_s()
        self._ended = asyncio.Event()

    def heard(self, appliance: str) -> None:
        """What this appliance is and holds is known."""
        self._unheard.discard(appliance)
        if not self._unheard:
            self.end()

    def end(self) -> None:
        """Nobody waits any more."""
        self._ended.set()

    @property
    def over(self) -> bool:
        """Whether nobody waits any more."""
        return self._ended.is_set()

    async def wait(self) -> None:
        """Return once all appliances are known or the time is over; at once ever after."""
        if self._ended.is_set():
            return
        wait_s = first_reports_wait_s(len(self._unheard), self._now_s() - self._began_at_s, self._wait_s_max)
        try:
            async with asyncio.timeout(wait_s):
                await self._ended.wait()
        except TimeoutError:
            self.end()
