"""What of the API is traced: a sample of players' requests with their decisions, and boxes' that are traced already."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from opentelemetry.trace import SpanKind, StatusCode

from oca.common.new_key import new_pair
from steering.api.authorisation import PROXIED
from steering.decision.address import Trust
from steering.settings import SteeringSettings
from steering.state.embedded import EmbeddedState
from steering.trust.traced import Traced
from tests.unit.steering.api_client import JSON, Steering
from tests.unit.steering.made_up import FailingSites, make_report
from tests.unit.steering.traced import CALLER, traced_steering
from tests.unit.steering.trust.box import Box
from tests.unit.tracing import Collector, parent_of

VIEWER = "198.51.100.77"
AT_HOME = "127.9.8.7"
"""In the prefix of the site metro."""


@pytest.fixture
async def traced(
    state: EmbeddedState, settings: SteeringSettings, package: Path, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[tuple[Steering, Collector]]:
    async with traced_steering(state, settings, package, monkeypatch) as made:
        yield made


async def get(steering: Steering, path: str, **headers: str) -> int:
    async with steering.client.get(path, headers=headers, allow_redirects=False) as response:
        return response.status


@pytest.mark.parametrize(
    ("path", "route", "kind", "status"),
    [
        ("/v1/playback/harbour/master.m3u8", "/v1/playback/{title}/master.m3u8", "hls", 200),
        ("/steer/hls?title=harbour&pathways=metro-a", "/steer/hls", "steer-hls", 200),
    ],
)
async def test_playback_and_its_decision_are_one_trace(
    traced: tuple[Steering, Collector], path: str, route: str, kind: str, status: int
) -> None:
    steering, collector = traced
    address = f"{path}{'&' if '?' in path else '?'}client={VIEWER}"
    assert await get(steering, address, traceparent=CALLER) == status
    server, decision = collector.named(f"GET {route}"), collector.named("decide")
    assert parent_of(decision, collector.spans) == server.name
    assert server.parent is not None
    assert (server.parent.trace_id, server.parent.span_id) == (0xA, 0xB)
    assert server.kind is SpanKind.SERVER
    said = dict(server.attributes or {})
    assert (said["http.request.method"], said["http.route"], said["http.response.status_code"]) == ("GET", route, 200)
    decided: dict[str, Any] = dict(decision.attributes or {})
    assert (decided["oca.decision.kind"], decided["oca.title"], decided["oca.pathways"]) == (kind, "harbour", 2)
    assert decided["oca.first.pathway"] == "origin"  # the viewer is of no site


async def test_no_span_tells_a_viewers_address_or_prefix(traced: tuple[Steering, Collector]) -> None:
    steering, collector = traced
    await get(steering, f"/v1/playback/harbour/master.m3u8?client={AT_HOME}", traceparent=CALLER)
    decided = dict(collector.named("decide").attributes or {})
    assert (decided["oca.viewer.site"], decided["oca.first.site"], decided["oca.first.class"]) == (
        "metro",
        "metro",
        "embedded",
    )
    await get(steering, f"/v1/playback/harbour/master.m3u8?client={VIEWER}", traceparent=CALLER)
    await get(steering, f"/r/harbour/none.m4s?client={VIEWER}", traceparent=CALLER)
    async with steering.client.post("/v1/playback", json={"title": "x"}, headers={"traceparent": CALLER}) as response:
        assert response.status == 404
    assert len(collector.spans) >= 6
    for span in collector.spans:
        assert "198.51" not in str(span.to_json()), span.name
        assert "127." not in str(span.attributes), span.name


async def test_requests_out_of_the_sample_are_not_traced(traced: tuple[Steering, Collector]) -> None:
    steering, collector = traced
    unsampled = CALLER.removesuffix("1") + "0"
    for headers in ({}, {"traceparent": "nonsense"}, {"traceparent": unsampled}):
        assert await get(steering, "/v1/playback/harbour/master.m3u8", **headers) == 200
    for path in ("/v1/fleet", "/health", "/", "/nothing"):
        await get(steering, path, traceparent=CALLER)
    left = [span.name for span in collector.spans]
    assert left == ["decide", "GET /v1/playback/{title}/master.m3u8"]  # a caller's nonsense begins a trace of its own


async def test_strangers_and_unproven_boxes_have_nothing_traced(traced: tuple[Steering, Collector]) -> None:
    steering, collector = traced
    async with await steering.report(make_report("nobody"), headers={"traceparent": CALLER}) as refused:
        assert refused.status == 403
    assert collector.spans == []
    asked = Traced(collector.tracer, Trust(["192.0.2.0/24"])).asked
    assert asked("POST", "/v1/playback", "203.0.113.9", CALLER) is None
    assert asked("POST", "/v1/playback", "nowhere", CALLER) is None
    assert asked("POST", "/v1/playback", "192.0.2.9", CALLER) is not None


@pytest.mark.parametrize("header", PROXIED)
async def test_trace_that_a_proxy_has_sent_on_is_not_followed(traced: tuple[Steering, Collector], header: str) -> None:
    steering, collector = traced
    await get(steering, "/v1/playback/harbour/master.m3u8", traceparent=CALLER, **{header: VIEWER})
    assert collector.spans == []


async def test_box_is_traced_once_it_has_proven_who_it_is(traced: tuple[Steering, Collector]) -> None:
    steering, collector = traced
    box, trace = Box(steering), {"traceparent": CALLER}
    for what in ("enrol", "renew", "report"):
        for body, headers in (
            (b"{}", trace),
            (b"", trace | {"Content-Type": "text/plain"}),
            (b"?" * 70_000, trace | box.sign("POST", f"/v1/appliances/metro-b/{what}", b"else")),
        ):
            path = f"/v1/appliances/{'metro-b' if what != 'report' else 'nobody'}/{what}"
            async with steering.client.post(path, data=body, headers=JSON | headers) as response:
                assert 400 <= response.status < 500, (what, response.status)
    assert collector.spans == []
    box.sends = trace
    assert (await box.enrol("metro-a." + "x" * 43))[0] == 403
    assert collector.spans == []
    assert (await box.enrol(box.token()))[0] == 200
    assert (await box.post("report", *box.report()))[0] == 200
    assert (await box.renew(new_pair()))[0] == 200
    stranger = Box(steering)
    stranger.sends = trace
    assert (await stranger.post("report", *stranger.report()))[0] == 401
    names = [span.name.rpartition("/")[2] for span in collector.spans]
    assert names == ["enrol", "report", "renew"]


async def test_fault_of_ours_is_a_failed_span(
    traced: tuple[Steering, Collector], monkeypatch: pytest.MonkeyPatch
) -> None:
    steering, collector = traced

    monkeypatch.setattr(steering.service.decider, "sites", FailingSites())
    assert await get(steering, "/v1/playback/harbour/master.m3u8", traceparent=CALLER) == 500
    server = collector.named("GET /v1/playback/{title}/master.m3u8")
    assert server.status.status_code is StatusCode.ERROR
    assert (server.attributes or {})["error.type"] == "500"
    assert "inner" not in "".join(str(span.to_json()) for span in collector.spans)


async def test_spans_are_counted_in_metrics(traced: tuple[Steering, Collector]) -> None:
    steering, collector = traced
    await get(steering, "/v1/playback/harbour/master.m3u8", traceparent=CALLER)
    assert len(collector.spans) == 2
    async with steering.client.get("/metrics") as response:
        assert 'oca_tracing_spans_total{outcome="taken"} 2.0' in await response.text()
