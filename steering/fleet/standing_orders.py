"""Keeps the fleet in step with the state: what operators drained from here, and who has yet to be turned up.

Ends drains whose time is over, and lets in whoever passes the checks; both are told of in the audit log.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from functools import partial
from typing import NamedTuple

from oca.common.clock import monotonic_s, now_ns
from oca.common.log import get_logger
from oca.common.threads import in_thread
from steering.decision.decider import Decider
from steering.fleet.drains import Drain, by_appliance, end, over, read_drains
from steering.fleet.orders_changes import changes
from steering.fleet.turnup import Check, Facts, checks, held_ratio, missing
from steering.fleet.turnup_records import Passed, begin, has_begun, keep_passed, read_passed, served_before
from steering.plan.store import PlanStore
from steering.probing.observations import Seen
from steering.state.store import StateStore
from steering.trust.audit import Actor, append

LOOK_S = 0.25
CONTENTS_S = 2.0
"""How often it is counted how much of its plan a new appliance holds."""
COUNTING_S_MAX = 0.5
"""For how long boxes are counted before other orders are looked at again."""
STEERING = Actor("steering", "this machine")
_log = get_logger("orders")


class _Held(NamedTuple):
    """The share of its plan that a box held when it was counted; None: there was no plan."""

    at_s: float
    ratio: float | None


class StandingOrders:
    """What one instance follows. ``look`` is called again and again."""

    def __init__(
        self, decider: Decider, state: StateStore, *, last_probe: Callable[[str], Seen | None], is_probed: bool
    ) -> None:
        """Read what is there.

        Raises:
            SteeringError: The state cannot be read.
        """
        self._decider = decider
        self._state = state
        self._plans = PlanStore(state)
        self._last_probe = last_probe
        self._is_probed = is_probed
        self._settings = decider.settings.turnup
        self._changes = -1
        self._over = 0
        self._drains: list[Drain] = []
        self._drained: dict[str, str] = {}
        self._waiting: set[str] = set()
        self._held: dict[str, _Held] = {}
        self._before = served_before(state)  # now: a moment later new ones may have reported
        self._begins = self._settings.wanted and not has_begun(state)
        decider.checks_of = self.checks
        self.follow()

    def follow(self) -> None:
        """Take up what the state says now.

        Raises:
            SteeringError: It cannot be read.
        """
        count = changes(self._state)
        is_new = count != self._changes
        if is_new:
            self._drains = read_drains(self._state)
            if self._settings.wanted:
                passed = read_passed(self._state).keys() | (self._before if self._begins else set())
                self._wait_for(set(self._decider.site_of) - passed)
            self._changes = count
        ended = len(over(self._drains, now_ns()))
        if is_new or ended != self._over:
            self._note_drains()
            self._over = ended

    def _note_drains(self) -> None:
        drained = by_appliance(self._drains, self._decider.site_of, now_ns())
        for appliance in self._drained.keys() | drained.keys():
            self._note(appliance, drained=drained.get(appliance, ""))
        self._drained = drained

    async def look(self) -> None:
        """Follow the state, end what is over, let in who has passed.

        Raises:
            SteeringError: The state cannot be read or written.
        """
        if self._begins:
            await in_thread(self._begin, name="turn-up")
            self._begins = False
            self._changes = -1  # another instance may have begun, with others
        self.follow()
        if past := over(self._drains, now_ns()):
            await in_thread(partial(self._end, past), name="drains")
        await self._count()
        passed = [name for name in self._waiting if self._has_passed(name)]
        if passed:
            await in_thread(partial(self._keep, passed), name="turn-up")
            self.follow()
        await asyncio.sleep(LOOK_S)

    def checks(self, appliance: str) -> list[Check]:
        """How a new appliance's checks stand; empty of one that has passed, or whose contents are yet to be counted."""
        member = self._decider.fleet.members[appliance]
        report, held = member.report, self._held.get(appliance)
        if appliance not in self._waiting or report is None or held is None:
            return []
        holders = self._decider.fleet.holders
        facts = Facts(
            report=report,
            received_at_ns=now_ns() - int((monotonic_s() - member.received_at_s) * 1e9),
            probe=self._last_probe(appliance),
            is_probed=self._is_probed,
            held=held.ratio,
            holds_anything=any(
                name in self._decider.catalogue.titles for name in holders.titles_of(appliance, at_most=100)
            ),
        )
        return checks(facts, self._settings)

    def _has_passed(self, appliance: str) -> bool:
        if appliance not in self._held or not self._decider.fleet.is_heard(appliance, monotonic_s()):
            return False
        why = missing(self.checks(appliance))
        self._note(appliance, turning_up=why or "all is checked")
        return not why

    async def _count(self) -> None:
        """Count what new boxes hold of their plans, those first whose count is oldest, as far as there is time."""
        began_at_s = monotonic_s()
        counted = {name: self._held[name].at_s if name in self._held else float("-inf") for name in self._waiting}
        for appliance in sorted(counted, key=counted.__getitem__):
            now_s = monotonic_s()
            if now_s - counted[appliance] < CONTENTS_S or now_s - began_at_s > COUNTING_S_MAX:
                return
            if self._decider.fleet.is_heard(appliance, now_s):
                ratio = await in_thread(partial(self._held_ratio, appliance), name="turn-up")
                self._held[appliance] = _Held(now_s, ratio)

    def _held_ratio(self, appliance: str) -> float | None:
        """Share of its plan that it holds; takes a while: a plan may name 100,000 assets."""
        wanted = self._plans.wanted(self._decider.site_of[appliance], appliance, self._decider.catalogue)
        return held_ratio(wanted, self._decider.fleet.holders.all_of(appliance)) if wanted is not None else None

    def _wait_for(self, waiting: set[str]) -> None:
        for appliance in self._waiting - waiting:
            self._held.pop(appliance, None)
            self._note(appliance, turning_up="")
        for appliance in waiting - self._waiting:
            self._note(appliance, turning_up="it is yet to be checked")
        self._waiting = waiting

    def _note(self, appliance: str, **changes: str) -> None:
        if self._decider.fleet.note(appliance, **changes):
            self._decider.heard(appliance)

    def _begin(self) -> None:
        with self._state.write() as transaction:
            begin(transaction, self._before, now_ns=now_ns())

    def _keep(self, passed: list[str]) -> None:
        at_ns = now_ns()
        with self._state.write() as transaction:
            for appliance in passed:
                keep_passed(transaction, appliance, Passed(at_ns=at_ns, who="steering: it passed all checks"))
                append(transaction, STEERING, "turn-up", f"{appliance} passed all checks", now_ns=at_ns)
        _log.info("turned up", appliances=passed)

    def _end(self, past: list[Drain]) -> None:
        with self._state.write() as transaction:
            for drain in over(read_drains(transaction), now_ns()):
                end(transaction, drain.scope, drain.name)
                what = f"{drain.scope} {drain.name}: the time that {drain.who} gave is over"
                append(transaction, STEERING, "undrain", what, now_ns=now_ns())
        _log.info("drains are over", of=[f"{drain.scope} {drain.name}" for drain in past])
