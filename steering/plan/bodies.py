"""The fill plans that appliances ask for, as the bodies of answers: made beside the event loop, kept while they hold.

A plan may name 100,000 assets, and an appliance may ask as often as it likes.
"""

from __future__ import annotations

import asyncio
from functools import partial
from typing import NamedTuple

import msgspec

from oca.common.clock import now_ns
from oca.common.messages import FillPlan
from oca.common.problem import Refusal
from oca.common.threads import in_thread
from steering.decision.decider import Decider
from steering.plan.kept_plan import fill_plan, mark_urgent, next_urgent_ns
from steering.plan.planner import compute_plans
from steering.plan.store import PlanStore
from steering.state.store import StateStore

BODIES_BYTES_MAX = 64 * 2**20
_encode = msgspec.json.Encoder().encode


class _Version(NamedTuple):
    """What a body was made of."""

    made_at_ns: int
    names: str
    generation: bytes | None
    ahead_s: float


class _Body(NamedTuple):
    version: _Version
    until_ns: int | None
    body: bytes


class PlanBodies:
    """Makes one body at a time, whoever asks; of those, the newest are kept."""

    def __init__(self, decider: Decider, state: StateStore, plans: PlanStore) -> None:
        self._decider = decider
        self._state = state
        self._plans = plans
        self._making = asyncio.Lock()
        self._kept: dict[str, _Body] = {}

    async def body(self, appliance: str) -> tuple[bytes, bool]:
        """Last night's plan of a box as it is now, or one made now if there is none yet; and whether it was made now.

        Raises:
            Refusal: 409, its capacity is not known.
        """
        async with self._making:  # who waits for the body that is being made finds it kept
            return await in_thread(partial(self._body, appliance), name="fill plan")

    def _body(self, appliance: str) -> tuple[bytes, bool]:
        at_ns, ahead_s = now_ns(), self._decider.settings.plan.urgent_s
        catalogue = self._decider.catalogue
        generation = catalogue.generation  # before the titles: it moves after them
        kept = self._plans.kept(self._decider.site_of[appliance])
        if kept is None or appliance not in kept.boxes:
            return _encode(mark_urgent(self._computed(appliance), now_ns=at_ns, ahead_s=ahead_s)), True
        version = _Version(kept.made_at_ns, kept.names, generation, ahead_s)
        found = self._kept.get(appliance)
        if found is not None and found.version == version and (found.until_ns is None or at_ns < found.until_ns):
            return found.body, False
        plan = fill_plan(kept, appliance, self._plans.names(kept.names), catalogue.assets, catalogue.titles)
        body = _encode(mark_urgent(plan, now_ns=at_ns, ahead_s=ahead_s))
        self._keep(appliance, _Body(version, next_urgent_ns(plan, now_ns=at_ns, ahead_s=ahead_s), body))
        return body, False

    def _keep(self, appliance: str, made: _Body) -> None:
        self._kept.pop(appliance, None)
        self._kept[appliance] = made
        excess_bytes = sum(len(each.body) for each in self._kept.values()) - BODIES_BYTES_MAX
        for name in list(self._kept)[:-1]:  # the newest stays: others may wait for it
            if excess_bytes <= 0:
                break
            excess_bytes -= len(self._kept.pop(name).body)

    def _computed(self, appliance: str) -> FillPlan:
        decider = self._decider
        site = decider.sites[decider.site_of[appliance]]
        plan = compute_plans(self._state, decider.settings, [site], decider.catalogue, now_ns=now_ns()).get(appliance)
        if plan is None:
            raise Refusal(
                409,
                f"{appliance} has not reported yet, so its capacity is not known",
                remedy="start oca serve on it, then ask again",
            )
        return plan
