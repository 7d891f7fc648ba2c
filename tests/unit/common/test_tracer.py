"""Spans: who is below whom, what is sampled, and that a collector that is away costs nothing but traces."""

from __future__ import annotations

import gzip
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.trace import SpanKind, StatusCode
from structlog.testing import capture_logs

from oca.common.errors import StoreError
from oca.common.span_queue import Queue
from oca.common.tracer import Tracer
from oca.common.tracing import NOTHING, open_tracing
from oca.common.tracing_settings import TracingTable
from tests.unit.tracing import Away, Collector, parent_of
from tests.waiting import WAIT_S

PARENT = f"00-{7:032x}-{8:016x}-01"


@pytest.fixture
def collector() -> Iterator[Collector]:
    made = Collector()
    yield made
    made.tracer.close()


def test_children_are_below_the_current_span_alone(collector: Collector) -> None:
    tracer = collector.tracer
    assert tracer.child("nothing", {}) is NOTHING
    assert tracer.current() == ""
    with tracer.root("fill", {"oca.assets": 2}) as fill:
        assert tracer.current() == fill.traceparent == fill.headers["traceparent"]
        with tracer.child("asset", {}, kind="client"):
            pass
        with tracer.quiet():
            assert tracer.child("nothing", {}) is NOTHING
            assert tracer.current() == ""
    assert tracer.current() == ""
    names = {span.name: parent_of(span, collector.spans) for span in collector.spans}
    assert names == {"fill": "", "asset": "fill"}
    assert collector.named("asset").kind is SpanKind.CLIENT
    assert collector.named("fill").attributes == {"oca.assets": 2}
    resource = collector.named("fill").resource.attributes
    assert (resource["service.name"], resource["service.instance.id"]) == ("test", "here")


def test_root_goes_on_from_another_program_and_names_what_led_to_it(collector: Collector) -> None:
    link = f"00-{9:032x}-{10:016x}-01"
    with collector.tracer.root("plan", {}, parent=PARENT, link=link, began_at_ns=5):
        pass
    span = collector.named("plan")
    assert span.parent is not None
    assert span.context is not None
    assert (span.context.trace_id, span.parent.span_id, span.start_time) == (7, 8, 5)
    assert [(each.context.trace_id, each.context.span_id) for each in span.links] == [(9, 10)]


def test_root_is_not_recorded_where_its_parent_is_not(collector: Collector) -> None:
    with collector.tracer.root("plan", {}, parent=PARENT.removesuffix("1") + "0") as span:
        assert (span.traceparent, span.headers) == ("", {})
        assert collector.tracer.child("below", {}) is NOTHING
    assert collector.spans == []


@pytest.mark.parametrize(
    "wrong", ["x", "0" * 55, PARENT.replace("00-", "ff-", 1), PARENT + "0", PARENT.replace("7", "g")]
)
def test_root_stands_alone_where_its_parent_is_none(collector: Collector, wrong: str) -> None:
    with collector.tracer.root("plan", {}, parent=wrong, link=wrong):
        pass
    assert collector.named("plan").parent is None
    assert not collector.named("plan").links


def test_spans_tell_of_errors_events_and_no_more_than_they_may(collector: Collector) -> None:
    with pytest.raises(KeyError), collector.tracer.root("fault", {}):
        raise KeyError("secret")
    with pytest.raises(StoreError), collector.tracer.root("refusal", {}):
        raise StoreError("no room", remedy="make some")
    with collector.tracer.root("long", {"why": "x" * 1000}) as span:
        span.event("put back", {"oca.why": "y"})
        span.set({f"oca.{number}": number for number in range(100)})
        span.fail("z" * 1000)
    with collector.tracer.root("forgotten", {}) as span:
        span.forget()
    fault, refusal, long = (collector.named(name) for name in ("fault", "refusal", "long"))
    assert (fault.status.status_code, fault.status.description) == (StatusCode.ERROR, "")
    assert dict(fault.attributes or {}) == {"error.type": "KeyError"}
    assert not fault.events  # a stack may hold anything
    assert refusal.status.description == "no room"
    assert len(long.attributes or {}) == 32
    assert max(len(str(value)) for value in (long.attributes or {}).values()) <= 256
    assert len(long.status.description or "") == 200
    assert [event.name for event in long.events] == ["put back"]
    assert not [span for span in collector.spans if span.name == "forgotten"]


@pytest.mark.parametrize(("sample", "wanted"), [(0.0, 0), (0.01, 10), (0.25, 250), (1.0, 1000)])
def test_sample_is_even_and_takes_the_first(sample: float, wanted: int) -> None:
    tracer = Collector(sample=sample).tracer
    taken = [tracer.samples() for _ in range(1000)]
    assert taken.count(True) in (wanted, wanted + 1)
    assert taken[0] == bool(wanted)
    tracer.close()


def test_close_waits_for_a_hung_collector_no_longer_than_it_may(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("oca.common.tracer.CLOSE_S_MAX", 0.05)
    away = Away()
    tracer = Tracer(Queue(away, every_ms=1), sample=1.0, service="test", instance="here")
    with tracer.root("one", {}):
        pass
    assert away.called.wait(WAIT_S)
    tracer.close()
    assert away.go.is_set()
    assert away.let_go is not False
    away.go.set()


def test_dead_collector_is_named_with_why(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("oca.common.tracer.CLOSE_S_MAX", 0.1)
    table = TracingTable(endpoint="http://127.0.0.1:9/v1/traces", sample=1.0, service_name="edge")
    with capture_logs() as lines:
        tracer = open_tracing(table, "oca-fill", instance="fra1-a")
        with tracer.root("one", {}):
            pass
        tracer.close()
    assert tracer.counts()["tracing_spans:lost"] == 1
    assert "Connection refused" in lines[0]["why"]


class Taking(BaseHTTPRequestHandler):
    """A collector that answers as its server is told to, and keeps what it is sent."""

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        self.server.came.append((self.path, self.headers, body))  # type: ignore[attr-defined]
        self.send_response(self.server.status)  # type: ignore[attr-defined]
        self.end_headers()

    def log_message(self, *_: object) -> None:
        """Say nothing."""


@pytest.mark.parametrize(("status", "outcome"), [(200, "taken"), (401, "lost")])
def test_spans_go_to_the_collector_with_its_token(tmp_path: Path, status: int, outcome: str) -> None:
    (tmp_path / "token").write_text("0123456789abcdef\n")
    with ThreadingHTTPServer(("127.0.0.1", 0), Taking) as server:
        server.came, server.status = [], status  # type: ignore[attr-defined]
        threading.Thread(target=server.serve_forever, daemon=True).start()
        endpoint = f"http://127.0.0.1:{server.server_port}/v1/traces"
        table = TracingTable(endpoint=endpoint, token_file=str(tmp_path / "token"), service_name="edge")
        tracer = open_tracing(table, "oca-fill", instance="fra1-a")
        with tracer.root("fill", {"oca.assets": 3}):
            pass
        tracer.close()
        server.shutdown()
        ((path, headers, body),) = server.came  # type: ignore[attr-defined]
    assert (path, headers["Authorization"]) == ("/v1/traces", "Bearer 0123456789abcdef")
    (told,) = ExportTraceServiceRequest.FromString(gzip.decompress(body)).resource_spans
    named = {each.key: each.value.string_value for each in told.resource.attributes}
    assert (named["service.name"], named["service.instance.id"]) == ("edge-fill", "fra1-a")
    assert [span.name for span in told.scope_spans[0].spans] == ["fill"]
    assert tracer.counts()[f"tracing_spans:{outcome}"] == 1
