"""When plans are made: at the set time of day, or at once if that was missed. What they hold is planner's business."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from concurrent.futures import Future
from datetime import datetime
from functools import partial

import msgspec
from msgspec import Struct

from oca.common.clock import now_ns, utc_now
from oca.common.log import get_logger
from oca.common.threads import in_thread
from steering.metrics import Counts
from steering.plan.planner import last_planning, make_plans, next_planning, planned_at_ns
from steering.plan.traces import PlanTraces
from steering.settings import SteeringSettings
from steering.state.store import StateStore

LOOK_S = 60.0
CLOCK_SLACK_S = 3600.0
CLAIM_KEY = "about/planning"
CLAIM_S = 3600.0
"""An instance that has not planned by then is taken to have died in it."""
CLAIMED_LOOK_S = 10.0
SITES_TOLD_MIN = 100
OVERDUE_S = 26 * 3600.0
"""Longer than any night: the one on which summer time ends has 25 hours between plans."""
_log = get_logger("plans")


class Claim(Struct, frozen=True):
    """Which instance plans, and since when."""

    instance: str
    at_ns: int


_claims = msgspec.json.Decoder(Claim)
_encode = msgspec.json.Encoder().encode


class NightlyPlans:
    """Looks at the clock on the wall in short spells, since it may be set meanwhile."""

    def __init__(
        self,
        state: StateStore,
        settings: SteeringSettings,
        counts: Counts,
        *,
        instance: str,
        traces: PlanTraces | None = None,
    ) -> None:
        """``instance`` is the name of this one among those that share the state."""
        self._instance = instance
        self._traces = traces or PlanTraces.none(state)
        self._state = state
        self._settings = settings
        self._counts = counts
        self._made_at_s: float | None = None

    async def look(self) -> None:
        """Plan if it is time, else wait until the next look.

        Raises:
            SteeringError: The plans cannot be made or kept; last night's stay.
        """
        at, now = self._settings.plan.at, _local_now()
        # Without any plan, each fill is planned as it asks: there is nothing to catch up with.
        self._made_at_s = planned_at_ns(self._state) / 1e9 or self._made_at_s or now.timestamp()
        if self._made_at_s > now.timestamp() + CLOCK_SLACK_S:
            _log.warning("the last plans were made while the clock was ahead; making new ones", now=now.isoformat())
            self._made_at_s = 0.0
        if self._made_at_s < last_planning(at, now).timestamp():
            if await in_thread(partial(claim, self._state, self._instance, now_ns=now_ns()), name="plans"):
                await self._plan()
                self._made_at_s = now.timestamp()
                return
            await asyncio.sleep(CLAIMED_LOOK_S)
            return
        await asyncio.sleep(min(LOOK_S, (next_planning(at, now) - now).total_seconds()))

    def overdue(self) -> list[str]:
        """Why the plans are too old, if they are."""
        age_s = _local_now().timestamp() - (self._made_at_s or _local_now().timestamp())
        return [f"no plans were made for {age_s / 3600:.0f} h, limit {OVERDUE_S / 3600:.0f} h"] * (age_s > OVERDUE_S)

    async def _plan(self) -> None:
        at_ns, told, end = now_ns(), _tenths(), Future[None]()
        with self._traces.tracing.root("plan night", {}) as night:
            making = partial(make_plans, self._state, self._settings, now_ns=at_ns, told=told, end=end)
            try:
                plans = await in_thread(making, name="plans")
            except asyncio.CancelledError:
                end.cancel()  # the end of this process would wait for the threads that plan
                raise
            night.set({"oca.appliances": plans})
            await self._traces.planned(night, made_at_ns=at_ns)
        self._counts.add("steering_plans_made", plans)
        _log.info("plans made", appliances=plans)


def claim(state: StateStore, instance: str, *, now_ns: int) -> bool:
    """Whether the night is this instance's to plan: no other has said so within ``CLAIM_S``.

    Raises:
        SteeringError: The state cannot be written.
    """
    with state.write() as transaction:
        raw = transaction.get(CLAIM_KEY)
        kept = _claims.decode(raw) if raw is not None else None
        if kept is not None and kept.instance != instance and 0 <= now_ns - kept.at_ns < CLAIM_S * 1e9:
            return False
        transaction.put(CLAIM_KEY, _encode(Claim(instance, now_ns)))
        return True


def _tenths() -> Callable[[int, int], None]:
    """Logs how far the night's planning is at each tenth, unless the fleet is small."""
    tenth = 0

    def told(done: int, total: int) -> None:
        nonlocal tenth
        if total >= SITES_TOLD_MIN and done * 10 // total > tenth:
            tenth = done * 10 // total
            _log.info("making plans", sites=done, of=total)

    return told


def _local_now() -> datetime:
    return utc_now().astimezone()
