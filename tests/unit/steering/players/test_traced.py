"""Plain playback requests are traced as by aiohttp's way, and answered the same."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from steering.players.traced import TracedExpress
from steering.settings import SteeringSettings
from steering.state.embedded import EmbeddedState
from tests.unit.steering.api_client import Steering
from tests.unit.steering.front import plain
from tests.unit.steering.traced import CALLER, trace_into, traced_settings
from tests.unit.tracing import Collector, parent_of


@pytest.fixture
def collector(monkeypatch: pytest.MonkeyPatch) -> Iterator[Collector]:
    made = Collector(sample=0.5)
    trace_into(made, monkeypatch)
    yield made
    made.tracer.close()


async def test_plain_playback_and_its_decision_are_one_trace(
    state: EmbeddedState, settings: SteeringSettings, package: Path, collector: Collector
) -> None:
    async with Steering(state, traced_settings(settings)) as steering:
        steering.publish(package)
        express = steering.service.express
        assert isinstance(express, TracedExpress)
        answers = [express.answer(plain(), "127.0.0.1") for _ in range(10)]
        assert {answer[0][9:12] for answer in answers if not isinstance(answer, str)} == {b"200"}
        servers = [span for span in collector.spans if span.name == "POST /v1/playback"]
        assert len(servers) == 5
        decisions = [span for span in collector.spans if span.name == "decide"]
        assert {parent_of(decision, servers) for decision in decisions} == {"POST /v1/playback"}
        express.answer(plain(f"traceparent: {CALLER}", title="mist"), "127.0.0.1")
        joined = [span for span in collector.spans if span.parent is not None and span.parent.span_id == 0xB]
        assert [(span.attributes or {})["http.response.status_code"] for span in joined] == [404]
        for _ in range(10):  # a viewer's, as a reverse proxy beside steering sends it on
            express.answer(plain(f"traceparent: {CALLER}", "X-Forwarded-For: 192.0.2.1"), "127.0.0.1")
        assert [span for span in collector.spans if span.parent is not None and span.parent.span_id == 0xB] == joined


async def test_plain_playback_is_not_slowed_where_traces_are_off(steering: Steering) -> None:
    assert type(steering.service.express).__name__ == "Express"
    assert type(steering.service.decider).__name__ == "Decider"
    assert len(steering.service.app.middlewares) == 4
