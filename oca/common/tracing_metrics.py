"""What every program counts of its traces. Pure."""

from __future__ import annotations

from oca.common.metrics import Family

TRACING = (
    Family(
        name="tracing_spans",
        kind="counter",
        unit="spans",
        help="Spans of traces ([tracing]): taken by the collector, lost because it was away or refused them, dropped "
        "because too many waited for it. Nothing but traces suffers.",
        label="outcome",
        values=("taken", "lost", "dropped"),
    ),
)
