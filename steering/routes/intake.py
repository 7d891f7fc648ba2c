"""Takes batches of routes in, between answers to viewers, whether an appliance brings them or another instance does."""

from __future__ import annotations

import asyncio
from collections import defaultdict

from oca.common.log import get_logger
from oca.common.routes import RouteBatch
from steering.decision.decider import Decider

_log = get_logger("routes")


class RouteIntake:
    """One batch of an appliance at a time."""

    def __init__(self, decider: Decider) -> None:
        self._decider = decider
        self._taking: defaultdict[str, asyncio.Lock] = defaultdict(asyncio.Lock)

    async def take(self, appliance: str, batch: RouteBatch) -> str:
        """Take a batch in; why it cannot be, or an empty string."""
        reach, fault = self._decider.reach, ""
        async with self._taking[appliance]:
            for said in reach.take(appliance, batch):
                fault = said
                await asyncio.sleep(0)
        outcome = "refused" if fault else "taken"
        self._decider.counts.add(f"steering_route_batches:{outcome}")
        if fault:
            _log.warning("a batch of routes is not taken; the whole table is wanted", appliance=appliance, why=fault)
        elif batch.ends:
            _log.info("routes heard", appliance=appliance, routes=reach.heard[appliance].routes)
        return fault
