"""When the history is kept up: every few minutes, beside answering. What that takes is upkeep's business."""

from __future__ import annotations

import asyncio
from functools import partial

from oca.common.clock import now_ns
from oca.common.threads import in_thread
from steering.settings import SteeringSettings
from steering.state.store import StateStore

LOOK_S = 600.0


class HourlyHistory:
    """Looks in spells that are shorter than an hour, since the clock may be set meanwhile."""

    def __init__(self, state: StateStore, settings: SteeringSettings) -> None:
        self._state = state
        self._settings = settings
        self._aside: list[str] = []

    async def look(self) -> None:
        """Wait, then do what is due.

        Raises:
            SteeringError: The folder cannot be written; hours stay in the state until it can.
        """
        await asyncio.sleep(LOOK_S)
        from steering.history.upkeep import keep_up  # noqa: PLC0415 - the service starts without its engines

        self._aside = await in_thread(partial(keep_up, self._state, self._settings, now_ns=now_ns()), name="history")

    def faults(self) -> list[str]:
        """What plans have to do without, a line each."""
        return [f"history: {why}" for why in self._aside]
