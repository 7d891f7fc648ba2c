"""The spans that wait for the collector: bounded, each counted by what became of it; sent by a thread of its own.

A collector that is away costs traces, which are counted, and nothing else: who ends a span never waits.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Sequence

from opentelemetry.sdk.trace import ReadableSpan, SpanProcessor
from opentelemetry.sdk.trace.export import BatchSpanProcessor, SpanExporter, SpanExportResult

from oca.common.log import get_logger

WAITING_MAX = 4096
"""Spans that wait for the collector; at some 2 kB each no more than 8 MB."""
BATCH = 512
EVERY_MS = 2000
SAID_CHARACTERS_MAX = 400
_log = get_logger("tracing")
_complaints = logging.getLogger("opentelemetry")


class _Said(logging.Handler):
    """Keeps OpenTelemetry's own complaints from standard error; the first at a batch is the reason that we tell."""

    def __init__(self) -> None:
        super().__init__(logging.WARNING)
        self.why = ""

    def emit(self, record: logging.LogRecord) -> None:
        self.why = self.why or record.getMessage()[:SAID_CHARACTERS_MAX]


class Queue(SpanProcessor):
    """The spans that wait for the collector: as many as may, each counted once by what became of it."""

    def __init__(self, exporter: SpanExporter, *, waiting_max: int = WAITING_MAX, every_ms: int = EVERY_MS) -> None:
        self.counts = dict.fromkeys(("taken", "lost", "dropped"), 0)
        self.said = _Said()
        _complaints.propagate, _complaints.handlers = False, [self.said]
        self._waiting_max = waiting_max
        self._waiting = 0
        self._lock = threading.Lock()
        self._is_away = False
        self._exporter = exporter
        self._sending = BatchSpanProcessor(
            _Counted(exporter, self),
            max_queue_size=2 * waiting_max,  # ours is the bound: what is dropped there is not counted
            schedule_delay_millis=every_ms,
            max_export_batch_size=min(BATCH, waiting_max),
        )

    def on_end(self, span: ReadableSpan) -> None:
        """Let a span wait, or drop it where too many do."""
        with self._lock:
            is_full = self._waiting >= self._waiting_max
            self._waiting += not is_full
            self.counts["dropped"] += is_full
        if not is_full:
            self._sending.on_end(span)

    def shutdown(self) -> None:
        """Send what waits, and end."""
        self._sending.shutdown()  # type: ignore[no-untyped-call]

    def abort(self) -> None:
        """Try no more to send what a collector that is away did not take."""
        self._exporter.shutdown()

    def force_flush(self, timeout_millis: int = 30_000) -> bool:
        """Send what waits."""
        return self._sending.force_flush(timeout_millis)

    def sent(self, count: int, *, taken: bool) -> None:
        """So many no longer wait. Only a change of fortune is logged."""
        with self._lock:
            self._waiting -= count
            self.counts["taken" if taken else "lost"] += count
        if taken == self._is_away:
            self._is_away = not taken
            if taken:
                _log.info("the collector takes spans again")
            else:
                _log.warning("the collector does not take spans; all else goes on", why=self.said.why)


class _Counted(SpanExporter):
    """An exporter whose every outcome the queue hears; called by the queue's thread."""

    def __init__(self, exporter: SpanExporter, queue: Queue) -> None:
        self._exporter = exporter
        self._queue = queue

    def export(self, spans: Sequence[ReadableSpan]) -> SpanExportResult:
        self._queue.said.why = ""
        try:
            outcome = self._exporter.export(spans)
        except Exception as error:  # noqa: BLE001 - what the exporter's HTTP client raises is no concern of the rest
            _complaints.warning("%s", error)
            outcome = SpanExportResult.FAILURE
        self._queue.sent(len(spans), taken=outcome is SpanExportResult.SUCCESS)
        return outcome

    def shutdown(self) -> None:
        self._exporter.shutdown()
