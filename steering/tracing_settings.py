"""What steering's settings say about traces, beyond what a box's do."""

from __future__ import annotations

from typing import Annotated

from msgspec import Meta

from oca.common.tracing_settings import TracingTable


class SteeringTracingTable(TracingTable, frozen=True):
    """Traces by OpenTelemetry: report, plan and fill as one, a playback and its decision as one (docs/tracing.md)."""

    callers: Annotated[
        tuple[Annotated[str, Meta(max_length=49)], ...],
        Meta(
            description="Prefixes of services whose traceparent in playback requests is followed, whatever sample "
            "says; anybody else's is not looked at, nor one that a proxy has sent on.",
            max_length=1000,
        ),
    ] = ("127.0.0.0/8", "::1/128")
