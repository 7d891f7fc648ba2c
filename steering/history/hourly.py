"""When the history is kept up: every few minutes, beside answering. What that takes is upkeep's business."""

from __future__ import annotations

import asyncio
from functools import partial

from oca.common.clock import now_ns
from oca.common.errors import SteeringError
from oca.common.log import get_logger
from oca.common.threads import in_thread
from steering.plan.demand import hours_of
from steering.settings import SteeringSettings
from steering.state.store import StateStore

LOOK_S = 600.0
PUT_AWAY_S_MAX = 20.0
"""How long the end of the service waits: what is not in files by then stays in the state, and nothing is lost."""
_log = get_logger("history")


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


async def put_away(state: StateStore, settings: SteeringSettings) -> None:
    """Leave no hour in the state as the service ends, so that an earlier release can take it up; or say that one is."""
    try:
        if not _has_hours(state):
            return
        from steering.history import upkeep  # noqa: PLC0415 - the service starts without its engines

        async with asyncio.timeout(PUT_AWAY_S_MAX):
            why = await in_thread(partial(upkeep.put_away, state, settings), name="history")
        if not _has_hours(state):
            return
    except TimeoutError:
        why = f"not done in {PUT_AWAY_S_MAX:.0f} s"
    except SteeringError as error:
        why = str(error)
    _log.warning("hours of demand stay in the state; the next start goes on with them, release 0.1.0 cannot", why=why)


def _has_hours(state: StateStore) -> bool:
    with state.reading() as snapshot:
        return next(hours_of(snapshot, "demand"), None) is not None
