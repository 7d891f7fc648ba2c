"""Traces of the code under test, kept in memory."""

from __future__ import annotations

import threading
from collections.abc import Sequence

from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.sdk.trace.export import SpanExporter, SpanExportResult
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from oca.common.span_queue import Queue
from oca.common.tracer import Tracer
from tests.waiting import WAIT_S


class Collector:
    """A tracer, and what it told."""

    def __init__(self, *, sample: float = 1.0) -> None:
        self._exporter = InMemorySpanExporter()
        self._queue = Queue(self._exporter, every_ms=60_000)
        self.tracer = Tracer(self._queue, sample=sample, service="test", instance="here")

    @property
    def spans(self) -> list[ReadableSpan]:
        """All that have ended."""
        self._queue.force_flush()
        return list(self._exporter.get_finished_spans())

    def named(self, name: str) -> ReadableSpan:
        """The one of that name."""
        (found,) = [span for span in self.spans if span.name == name]
        return found

    def traceparent_of(self, name: str) -> str:
        """What others would join it by."""
        return traceparent(self.named(name))


def traceparent(span: ReadableSpan) -> str:
    """W3C Trace Context of a span that has ended."""
    assert span.context is not None
    return f"00-{span.context.trace_id:032x}-{span.context.span_id:016x}-{span.context.trace_flags:02x}"


def parent_of(span: ReadableSpan, among: Sequence[ReadableSpan]) -> str:
    """The name of a span's parent; empty: it has none, or it is not there."""
    found = [
        each.name for each in among if span.parent and each.context and each.context.span_id == span.parent.span_id
    ]
    return found[0] if found else ""


class Away(SpanExporter):
    """A collector that hangs until it is let go, and then fails as often as it is told to."""

    def __init__(self, *, failures: int = 0) -> None:
        self.called, self.go = threading.Event(), threading.Event()
        self.let_go: bool | None = None
        """Whether it was let go, or came back after so long that whoever waits for it has hung."""
        self.failures = failures

    def export(self, spans: Sequence[ReadableSpan]) -> SpanExportResult:
        self.called.set()
        self.let_go = self.go.wait(WAIT_S)
        self.failures -= 1
        if self.failures == 0:
            raise ValueError("went away amid it")
        return SpanExportResult.FAILURE if self.failures > 0 else SpanExportResult.SUCCESS

    def shutdown(self) -> None:
        self.go.set()
