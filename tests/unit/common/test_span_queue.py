"""Spans that wait: as many as may, each counted once, and a collector's fortunes told once."""

from __future__ import annotations

from structlog.testing import capture_logs

from oca.common.span_queue import Queue
from oca.common.tracer import Tracer
from tests.unit.tracing import Away
from tests.waiting import WAIT_S


def test_spans_that_wait_are_bounded_and_each_is_counted_once() -> None:
    away = Away(failures=2)
    queue = Queue(away, waiting_max=100, every_ms=1)
    tracer = Tracer(queue, sample=1.0, service="test", instance="here")
    with capture_logs() as lines:
        for _ in range(1000):
            with tracer.root("one", {}):
                pass
        assert away.called.wait(WAIT_S)
        assert away.let_go is None  # nobody waits for the collector
        assert tracer.counts()["tracing_spans:dropped"] == 900
        away.go.set()
        tracer.close()
    counts = tracer.counts()
    assert counts["tracing_spans:taken"] + counts["tracing_spans:lost"] == 100
    assert counts["tracing_spans:lost"] > 0
    told = [line["event"] for line in lines]
    assert told[0] == "the collector does not take spans; all else goes on"
    assert len(told) <= 2


def test_collector_that_comes_back_is_told_of_once() -> None:
    away = Away(failures=3)
    away.go.set()
    queue = Queue(away, every_ms=60_000)
    tracer = Tracer(queue, sample=1.0, service="test", instance="here")
    with capture_logs() as lines:
        for _ in range(5):
            with tracer.root("one", {}):
                pass
            queue.force_flush()
    assert [line["event"] for line in lines] == [
        "the collector does not take spans; all else goes on",
        "the collector takes spans again",
    ]
    assert tracer.counts() == {"tracing_spans:taken": 2, "tracing_spans:lost": 3, "tracing_spans:dropped": 0}
    tracer.close()
