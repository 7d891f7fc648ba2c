"""What settings files say about traces; the same table for a box (daemon and fill agent) and for steering."""

from __future__ import annotations

from typing import Annotated

from msgspec import Meta

from oca.common.settings import Table

TraceUrl = Annotated[
    str,
    Meta(
        pattern=r"\A(https?://[A-Za-z0-9.:\[\]_-]{1,253}(/[A-Za-z0-9._~/-]{0,200})?)?\Z",
        extra={"form": "empty, or http:// or https://, a host, its port if need be, and a path"},
    ),
]


class TracingTable(Table, frozen=True):
    """Traces by OpenTelemetry: report, plan and fill as one, a playback and its decision as one (docs/tracing.md)."""

    endpoint: Annotated[
        TraceUrl,
        Meta(
            description="Where spans go, by OTLP over HTTP, such as http://127.0.0.1:4318/v1/traces. Empty: no traces, "
            "and nothing of OpenTelemetry is loaded."
        ),
    ] = ""
    sample: Annotated[
        float,
        Meta(
            ge=0,
            le=1,
            description="Share of reports and of playbacks that are traced, evenly. Fills and plans always are; they "
            "join the last report that was.",
        ),
    ] = 0.01
    service_name: Annotated[
        str,
        Meta(
            pattern=r"\A[A-Za-z0-9._-]{0,64}\Z",
            extra={"form": "up to 64 letters, digits, dots, hyphens and underscores"},
            description="What spans name as their service.name; the fill agent adds -fill to it. Empty: the program's "
            "own name.",
        ),
    ] = ""
    token_file: Annotated[
        str,
        Meta(
            description="File that holds a token for the collector, 16 to 4096 printable ASCII characters on one line, "
            "sent as Authorization: Bearer. Empty: none."
        ),
    ] = ""
    ca_file: Annotated[
        str,
        Meta(description="File with the certificates that sign the collector's, PEM. Empty: those of certifi."),
    ] = ""
