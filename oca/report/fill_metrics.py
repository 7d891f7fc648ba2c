"""What the box shows Prometheus of its fills, as the agent wrote it down. Pure; each metric is declared once.

The agent may end at any moment and has no port; the daemon is always there to be scraped.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import get_args

from oca.common.messages import FillProgress, SourceKind
from oca.common.metrics import Family
from oca.store.fill_record import FillFigures, is_running

FILL: tuple[Family, ...] = (
    Family(name="fill_running", kind="gauge", unit="boolean", help="1 while the agent fills."),
    Family(
        name="fill_wanted_bytes",
        kind="gauge",
        unit="bytes",
        help="What the fill that runs, or ran last, had to fetch.",
    ),
    Family(
        name="fill_present_bytes",
        kind="gauge",
        unit="bytes",
        help="What of that is there, kept from before or fetched.",
    ),
    Family(
        name="fill_done_seconds",
        kind="gauge",
        unit="seconds since 1970",
        help="When a fill last ended with everything that was planned; 0: never yet.",
    ),
    Family(
        name="fill_ends",
        kind="counter",
        unit="fills",
        help="Fills that ended, by outcome; 'oca-fill report' tells why one was incomplete.",
        label="outcome",
        values=("done", "incomplete"),
    ),
    Family(
        name="fill_fetched_bytes",
        kind="counter",
        unit="bytes",
        help="What fills brought over the network, by the kind of source; refetched bytes included.",
        label="source",
        values=get_args(SourceKind),
    ),
    Family(name="fill_committed_bytes", kind="counter", unit="bytes", help="Assets that fills committed."),
    Family(name="fill_committed_assets", kind="counter", unit="assets", help="Assets that fills committed."),
    Family(name="fill_evicted_bytes", kind="counter", unit="bytes", help="Assets that gave way to others."),
    Family(name="fill_evicted_assets", kind="counter", unit="assets", help="Assets that gave way to others."),
    Family(
        name="fill_failed_assets",
        kind="counter",
        unit="assets",
        help="Assets that a fill could not have; 'oca-fill report' names them.",
    ),
)


def fill_values(progress: FillProgress | None, figures: FillFigures, now_ns: int) -> Mapping[str, float]:
    """The values of ``FILL``, by slot key."""
    return {
        "fill_running": int(is_running(progress, now_ns)),
        "fill_wanted_bytes": progress.bytes_total if progress is not None else 0,
        "fill_present_bytes": progress.bytes_done if progress is not None else 0,
        "fill_done_seconds": figures.done_at_ns // 10**9,
        "fill_ends:done": figures.done,
        "fill_ends:incomplete": figures.incomplete,
        **{f"fill_fetched_bytes:{kind}": count for kind, count in figures.bytes_by_source.items()},
        "fill_committed_bytes": figures.bytes_in,
        "fill_committed_assets": figures.assets_in,
        "fill_evicted_bytes": figures.bytes_out,
        "fill_evicted_assets": figures.assets_out,
        "fill_failed_assets": figures.assets_failed,
    }
