"""Traces by OpenTelemetry, whose one owner this is, with ``span_queue``: spans, who is below whom, what is sampled."""

from __future__ import annotations

import threading
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType

from opentelemetry import context as contexts
from opentelemetry.exporter.otlp.proto.http import Compression
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import SpanLimits, TracerProvider
from opentelemetry.sdk.trace.sampling import ALWAYS_ON, ParentBased
from opentelemetry.trace import (
    INVALID_SPAN,
    Link,
    SpanKind,
    Status,
    StatusCode,
    get_current_span,
    set_span_in_context,
)
from opentelemetry.trace import Span as Recorded
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator
from requests import Session

from oca import __version__
from oca.common.errors import ConfigError, OcaError
from oca.common.sampling import Evenly
from oca.common.span_queue import Queue
from oca.common.tracing import NOTHING, TRACEPARENT, TRACEPARENT_CHARACTERS, Kind, Span, Tracing, Value
from oca.common.tracing_settings import TracingTable

SEND_S_MAX = 5.0
CLOSE_S_MAX = 1.0
ABORT_S_MAX = 0.5
WHY_CHARACTERS_MAX = 200
LIMITS = SpanLimits(
    max_span_attributes=32,
    max_events=64,
    max_event_attributes=8,
    max_links=8,
    max_link_attributes=4,
    max_span_attribute_length=256,
    max_attribute_length=256,
)
_KINDS = {"internal": SpanKind.INTERNAL, "client": SpanKind.CLIENT, "server": SpanKind.SERVER}
_w3c = TraceContextTextMapPropagator()


class _Recorded(Span):
    """One that is."""

    def __init__(self, span: Recorded) -> None:
        self._span = span
        self._is_told = True

    @property
    def traceparent(self) -> str:
        return traceparent_of(self._span)

    def set(self, attributes: Mapping[str, Value]) -> None:
        self._span.set_attributes(attributes)

    def event(self, name: str, attributes: Mapping[str, Value]) -> None:
        self._span.add_event(name, attributes)

    def fail(self, why: str) -> None:
        self._span.set_status(Status(StatusCode.ERROR, why[:WHY_CHARACTERS_MAX]))

    def forget(self) -> None:
        self._is_told = False

    def __enter__(self) -> Span:
        self._token = contexts.attach(set_span_in_context(self._span))
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        contexts.detach(self._token)
        if error is not None:
            self._span.set_attribute("error.type", type(error).__name__)
            self.fail(error.message if isinstance(error, OcaError) else "")
        if self._is_told:
            self._span.end()


class Tracer(Tracing):
    """Spans of one program."""

    is_on = True

    def __init__(self, queue: Queue, *, sample: float, service: str, instance: str) -> None:
        """``service`` and ``instance`` are on every span."""
        self._queue = queue
        self._sample = Evenly(sample, first=True)
        named = {"service.name": service, "service.version": __version__, "service.instance.id": instance}
        provider = TracerProvider(
            sampler=ParentBased(ALWAYS_ON), resource=Resource(named), span_limits=LIMITS, shutdown_on_exit=False
        )
        provider.add_span_processor(queue)
        self._provider = provider
        self._tracer = provider.get_tracer("open-appliance", __version__)

    @classmethod
    def over_http(cls, table: TracingTable, token: str, *, program: str, instance: str) -> Tracer:
        """One that sends to the collector of the settings.

        Raises:
            ConfigError: The file of certificates cannot be read.
        """
        if table.ca_file:
            try:
                Path(table.ca_file).read_bytes()
            except OSError as error:
                raise ConfigError(
                    f"tracing.ca_file = {table.ca_file!r}: cannot be read: {error.strerror}",
                    remedy="check the path and its permissions",
                ) from None
        session = Session()
        session.trust_env = False  # no proxy, no .netrc: what is set is what counts
        exporter = OTLPSpanExporter(
            endpoint=table.endpoint,
            session=session,
            certificate_file=table.ca_file or None,
            headers={"Authorization": f"Bearer {token}"} if token else {},
            timeout=SEND_S_MAX,
            compression=Compression.Gzip,
        )
        service = table.service_name or program
        if table.service_name and program.endswith("-fill"):
            service += "-fill"
        return cls(Queue(exporter), sample=table.sample, service=service, instance=instance)

    def samples(self) -> bool:
        """Evenly, and the first one."""
        return self._sample.takes()

    def root(
        self,
        name: str,
        attributes: Mapping[str, Value],
        *,
        kind: Kind = "internal",
        parent: str = "",
        link: str = "",
        began_at_ns: int | None = None,
    ) -> Span:
        """As the settings' collector gets it."""
        within = _context_of(parent)
        return self._begun(name, attributes, kind=kind, within=within, link=link, began_at_ns=began_at_ns)

    def child(
        self,
        name: str,
        attributes: Mapping[str, Value],
        *,
        kind: Kind = "internal",
        link: str = "",
        began_at_ns: int | None = None,
    ) -> Span:
        """Recorded if the current one is."""
        if not get_current_span().is_recording():
            return NOTHING
        return self._begun(name, attributes, kind=kind, within=None, link=link, began_at_ns=began_at_ns)

    def quiet(self) -> Span:
        """What is below the span of none is none."""
        return _Recorded(INVALID_SPAN)

    def current(self) -> str:
        """By the context of the task or thread."""
        return traceparent_of(get_current_span())

    def counts(self) -> Mapping[str, int]:
        """As the queue has counted."""
        return {f"tracing_spans:{outcome}": count for outcome, count in self._queue.counts.items()}

    def close(self) -> None:
        """In a thread that is left to the end of the process where the collector hangs."""
        ending = threading.Thread(target=self._provider.shutdown, name="last spans", daemon=True)
        ending.start()
        ending.join(CLOSE_S_MAX)
        if ending.is_alive():
            self._queue.abort()
            ending.join(ABORT_S_MAX)

    def _begun(
        self,
        name: str,
        attributes: Mapping[str, Value],
        *,
        kind: Kind,
        within: contexts.Context | None,
        link: str,
        began_at_ns: int | None,
    ) -> Span:
        linked = get_current_span(_context_of(link)).get_span_context() if link else None
        links = [Link(linked)] if linked is not None and linked.is_valid else None
        return _Recorded(
            self._tracer.start_span(name, within, _KINDS[kind], attributes, links=links, start_time=began_at_ns)
        )


def traceparent_of(span: Recorded) -> str:
    """W3C Trace Context §3.2; empty for one that is not recorded."""
    context = span.get_span_context()
    if not (context.is_valid and context.trace_flags.sampled):
        return ""
    carrier: dict[str, str] = {}
    _w3c.inject(carrier, set_span_in_context(span))
    return carrier[TRACEPARENT]


def _context_of(traceparent: str) -> contexts.Context:
    """Where a span that another program began is the current one; without one, none is."""
    empty = contexts.Context()
    if len(traceparent) != TRACEPARENT_CHARACTERS:
        return empty
    return _w3c.extract({TRACEPARENT: traceparent}, empty)
