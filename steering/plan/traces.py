"""One trace from what a box reported, by the plan that was made of it, to the fill that carries the plan out.

The last report of a box that was traced is the parent of its plan, hours later as may be; the plan's span is kept with
the plan, and named to the fill agent that asks for it, which goes on from there. So it is one trace a box and night.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import suppress
from functools import partial
from typing import NamedTuple

import msgspec

from oca.common.clock import monotonic_s
from oca.common.threads import in_thread
from oca.common.tracing import OFF, Span, Tracing
from steering.plan.planner import planned_at_ns
from steering.state.peers import Alone, Peers, Told
from steering.state.store import StateStore

REPORT_S_MAX = 6 * 3600.0
"""A box whose last traced report is older has stopped tracing."""
BOXES_MAX = 2000
"""Plans that one night traces; more at once would be dropped before they are sent."""
_encode = msgspec.msgpack.Encoder().encode
_reported = msgspec.msgpack.Decoder(tuple[str, str])


class _Report(NamedTuple):
    """A traced report, and when it came."""

    traceparent: str
    at_s: float


class PlanTraces:
    """What is remembered to join them; shared among the instances of steering, for any of them may plan."""

    def __init__(self, tracing: Tracing, state: StateStore, peers: Peers, site_of: Mapping[str, str]) -> None:
        """``site_of`` has every configured appliance."""
        self.tracing = tracing
        self._state = state
        self._peers = peers
        self._site_of = site_of
        self._reports: dict[str, _Report] = {}
        if tracing.is_on:
            peers.listen("traces", self._hear)

    @classmethod
    def none(cls, state: StateStore) -> PlanTraces:
        """Where nothing is traced."""
        return cls(OFF, state, Alone(), {})

    def reported(self, appliance: str) -> None:
        """The report that is being answered is of this box; if it is traced, its next plan goes on from it."""
        traceparent = self.tracing.current()
        if traceparent:
            self._reports[appliance] = _Report(traceparent, monotonic_s())
            self._peers.tell("traces", _encode((appliance, traceparent)), about=appliance)

    async def planned(self, night: Span, *, made_at_ns: int) -> None:
        """The night's plans were made: a span for each box that traces, below its report.

        Args:
            night: What the plans were made in.
            made_at_ns: When, as it is kept with the plans.

        Raises:
            SteeringError: The state cannot be written.
        """
        now_s = monotonic_s()
        due = [(name, report) for name, report in self._reports.items() if now_s - report.at_s <= REPORT_S_MAX]
        if due:
            await in_thread(partial(self._trace, due[:BOXES_MAX], night.traceparent, made_at_ns), name="traces")

    def plan_of(self, appliance: str) -> str:
        """The span of a box's plan; else of its last traced report; else empty: the box does not trace."""
        report = self._reports.get(appliance)
        if report is None or monotonic_s() - report.at_s > REPORT_S_MAX:
            return ""
        kept = self._state.get(_key(appliance))
        made_at, _, traceparent = (kept or b"").decode().partition(" ")
        return traceparent if made_at == str(planned_at_ns(self._state)) else report.traceparent

    def _trace(self, due: Sequence[tuple[str, _Report]], night: str, made_at_ns: int) -> None:
        plans = {}
        for name, report in due:
            attributes = {"oca.appliance": name, "oca.site": self._site_of[name]}
            with self.tracing.root(
                "plan", attributes, parent=report.traceparent, link=night, began_at_ns=made_at_ns
            ) as span:
                plans[name] = span.traceparent
        with self._state.write() as transaction:
            for appliance, traceparent in plans.items():
                transaction.put(_key(appliance), f"{made_at_ns} {traceparent}".encode())

    def _hear(self, told: Told) -> None:
        with suppress(msgspec.DecodeError):  # an instance of another release
            appliance, traceparent = _reported.decode(told.body)
            if appliance in self._site_of:
                self._reports[appliance] = _Report(traceparent, monotonic_s() - told.age_s)


def _key(appliance: str) -> str:
    return f"plan-trace/{appliance}"
