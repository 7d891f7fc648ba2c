"""Report, plan and fill are one trace: also where the plan is made hours later, or by another instance."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest

import steering.plan.traces as traces_module
from oca.common.clock import now_ns
from oca.common.tracing import NOTHING
from steering.plan.nightly import NightlyPlans
from steering.plan.traces import PlanTraces
from steering.settings import SteeringSettings
from steering.state.embedded import EmbeddedState
from steering.state.peers import Alone, Told, Topic
from tests.unit.steering.api_client import JSON, Steering
from tests.unit.steering.made_up import make_report
from tests.unit.steering.traced import CALLER, trace_into, traced_settings, traced_steering
from tests.unit.tracing import Collector, parent_of, traceparent

PLAN = "/v1/appliances/metro-a/fill-plan"
SITES = {"metro-a": "metro"}


@pytest.fixture
async def traced(
    state: EmbeddedState, settings: SteeringSettings, package: Path, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[tuple[Steering, Collector]]:
    async with traced_steering(state, settings, package, monkeypatch, traceparent=CALLER) as made:
        yield made


async def told(steering: Steering, path: str = PLAN) -> str:
    """The trace that the fill of a plan is to join."""
    async with steering.client.get(path, headers=JSON) as response:
        assert response.status == 200, await response.text()
        return response.headers.get("traceresponse", "")


async def test_fill_joins_the_plan_and_the_report_that_it_was_made_by(traced: tuple[Steering, Collector]) -> None:
    steering, collector = traced
    plans = steering.service._plans
    await plans._plan()
    joined = await told(steering)
    spans = collector.spans
    asked = next(span for span in spans if span.name == "GET /v1/appliances/{appliance}/fill-plan")
    assert traceparent(asked) == joined
    assert parent_of(asked, spans) == "plan"
    plan = collector.named("plan")
    assert parent_of(plan, spans) == "POST /v1/appliances/{appliance}/report"
    assert plan.context is not None
    assert plan.context.trace_id == 0xA
    night = collector.named("plan night")
    assert [traceparent_of_link(link) for link in plan.links] == [traceparent(night)]
    assert dict(plan.attributes or {}) == {"oca.appliance": "metro-a", "oca.site": "metro"}
    assert (asked.attributes or {})["oca.plan.made_now"] is False


def traceparent_of_link(link: object) -> str:
    context = link.context  # type: ignore[attr-defined]
    return f"00-{context.trace_id:032x}-{context.span_id:016x}-{context.trace_flags:02x}"


async def test_fill_joins_a_plan_that_is_made_as_it_is_asked_for(traced: tuple[Steering, Collector]) -> None:
    steering, collector = traced
    await told(steering)
    spans = collector.spans
    assert parent_of(collector.named("plan"), spans) == "GET /v1/appliances/{appliance}/fill-plan"
    asked = collector.named("GET /v1/appliances/{appliance}/fill-plan")
    assert parent_of(asked, spans) == "POST /v1/appliances/{appliance}/report"


async def test_box_that_does_not_trace_joins_nothing(
    state: EmbeddedState, settings: SteeringSettings, package: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    collector = Collector()
    trace_into(collector, monkeypatch)
    async with Steering(state, traced_settings(settings)) as steering:
        steering.publish(package)
        await steering.report(make_report("metro-a"))
        await steering.service._plans._plan()
        assert await told(steering) == ""
    assert [span.name for span in collector.spans] == ["plan night"]


async def test_plan_of_last_night_is_not_that_of_tonight(
    traced: tuple[Steering, Collector], settings: SteeringSettings
) -> None:
    steering, collector = traced
    await steering.service._plans._plan()
    first = await told(steering)
    # by a command, or an instance that heard of no trace
    await NightlyPlans(steering.state, settings, steering.service._counts, instance="other")._plan()
    spans_before = len(collector.spans)
    assert await told(steering) != first
    (asked,) = collector.spans[spans_before:]
    assert parent_of(asked, collector.spans) == "POST /v1/appliances/{appliance}/report"


class Ear(Alone):
    """Another instance: hears what is told, and may tell."""

    def __init__(self) -> None:
        super().__init__()
        self.heard: list[tuple[Topic, bytes, str]] = []
        self.take: Callable[[Told], None] = lambda _: None

    def tell(self, topic: Topic, body: bytes, *, about: str = "") -> None:
        self.heard.append((topic, body, about))

    def listen(self, topic: Topic, take: Callable[[Told], None]) -> None:
        assert topic == "traces"
        self.take = take


async def test_instances_tell_each_other_of_traced_reports(
    state: EmbeddedState, monkeypatch: pytest.MonkeyPatch
) -> None:
    collector, ear, other = Collector(), Ear(), Ear()
    here, there = (PlanTraces(collector.tracer, state, peers, SITES) for peers in (ear, other))
    with collector.tracer.root("report", {}) as report:
        here.reported("metro-a")
    ((topic, body, about),) = ear.heard
    assert (topic, about) == ("traces", "metro-a")
    other.take(Told("a", body, 3.0))
    other.take(Told("a", body.replace(b"metro-a", b"metro-z"), 3.0))  # its instance has other settings
    other.take(Told("a", b"no words of ours", 3.0))
    await there.planned(NOTHING, made_at_ns=now_ns())
    assert there.plan_of("metro-a") == report.traceparent  # no plans were kept by that time
    assert there.plan_of("metro-z") == ""
    monkeypatch.setattr(traces_module, "REPORT_S_MAX", 2.0)
    assert (here.plan_of("metro-a"), there.plan_of("metro-a")) == (report.traceparent, "")
    collector.tracer.close()
