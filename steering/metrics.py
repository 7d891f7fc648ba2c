"""What steering counts: declared once, kept in a plain dictionary, shown by the shared Prometheus collector."""

from __future__ import annotations

from typing import get_args

from oca.common.metrics import Family
from oca.common.standing import Standing
from oca.common.tracing_metrics import TRACING

DECISION_KINDS = ("playback", "hls", "dash", "steer-hls", "steer-dash", "redirect", "explain")
SOURCE_CLASSES = ("embedded", "peering", "regional", "fallback", "none")

STEERING = (
    Family(
        name="steering_decisions",
        kind="counter",
        unit="decisions",
        help="Decisions made, by what asked for them.",
        label="kind",
        values=DECISION_KINDS,
    ),
    Family(
        name="steering_decisions_logged",
        kind="counter",
        unit="decisions",
        help="Decisions of the sample for oca-steering replay ([decision_log]), by what became of their lines.",
        label="outcome",
        values=("written", "lost"),
    ),
    Family(
        name="steering_first_choices",
        kind="counter",
        unit="decisions",
        help="First pathway of each decision, by class of source; fallback is CDN or origin, none that nobody could.",
        label="class",
        values=SOURCE_CLASSES,
    ),
    Family(
        name="steering_reports",
        kind="counter",
        unit="reports",
        help="Reports of appliances, by what became of them; stale ones came after a newer one, rival ones from a past "
        "boot while a later one reports: two boxes of one name. Shared ones were taken by another instance.",
        label="outcome",
        values=("taken", "stale", "rival", "refused", "shared"),
    ),
    Family(
        name="steering_route_batches",
        kind="counter",
        unit="batches",
        help="Batches of routes that appliances hear by BGP; after a refused one the whole table is sent.",
        label="outcome",
        values=("taken", "refused"),
    ),
    Family(
        name="steering_routes",
        kind="gauge",
        unit="routes",
        help="Routes that appliances have told of; those set aside are absurd and steer nobody.",
        label="standing",
        values=("counted", "set-aside"),
    ),
    Family(
        name="steering_demand_batches",
        kind="counter",
        unit="batches",
        help="Demand batches by what became of them; only folded ones count. Missing: numbers that never came.",
        label="outcome",
        values=("folded", "repeated", "future", "backwards", "unwritten", "missing"),
    ),
    Family(
        name="steering_demand_items_dropped",
        kind="counter",
        unit="items",
        help="Items of folded batches that were left out, by reason.",
        label="reason",
        values=("unknown-asset", "absurd", "unknown-object"),
    ),
    Family(
        name="steering_plans_made",
        kind="counter",
        unit="plans",
        help="Fill plans made and kept by this service.",
    ),
    Family(
        name="steering_appliances",
        kind="gauge",
        unit="appliances",
        help="Configured appliances by how they stand.",
        label="standing",
        values=get_args(Standing),
    ),
    Family(
        name="steering_slowed_paths",
        kind="gauge",
        unit="paths",
        help="Paths (an appliance and its viewers' site) that are sent fewer viewers because players there starve.",
    ),
    Family(
        name="steering_probes",
        kind="counter",
        unit="probes",
        help="Probes of appliances' delivery ports, by outcome; unchecked: it answered, but holds nothing to check.",
        label="outcome",
        values=("good", "unchecked", "failed"),
    ),
    Family(
        name="steering_probes_late_seconds",
        kind="gauge",
        unit="seconds",
        help="By how much the next probe is overdue; above probes.interval_s there are too many for concurrency_max.",
    ),
    Family(
        name="steering_observers",
        kind="gauge",
        unit="instances",
        help="Instances whose probes are known, by whether they vote; /v1/observers says why one does not.",
        label="vote",
        values=("votes", "abstains"),
    ),
    Family(name="steering_connections", kind="gauge", unit="connections", help="Connections open now."),
    Family(
        name="steering_connections_closed",
        kind="counter",
        unit="connections",
        help="Connections that steering ended: refused beyond api.connections_max, crowded beyond "
        "limits.connections_per_client_max, silent without a whole first "
        "request for 15 s, stalled without taking any of an answer for 30 s.",
        label="reason",
        values=("refused", "crowded", "silent", "stalled"),
    ),
    Family(
        name="steering_signatures_refused",
        kind="counter",
        unit="requests",
        help="Requests in the name of enrolled appliances that were refused: unsigned, signed with another key, with a "
        "time too far from ours (a wrong clock, or an old request), forged, replayed, too many, of a revoked identity.",
        label="reason",
        values=("unsigned", "unknown-key", "clock", "forged", "replayed", "too-many", "revoked"),
    ),
    Family(
        name="steering_requests_limited",
        kind="counter",
        unit="requests",
        help="Requests answered 429: their client asked more often than limits.requests_per_s.",
    ),
    Family(
        name="steering_state_connected",
        kind="gauge",
        unit="connections",
        help="1 while the engine of the state is reached; 0: answers go on from what is known here. Always 1 for an "
        "instance alone.",
    ),
    Family(
        name="steering_instances",
        kind="gauge",
        unit="instances",
        help="Instances of steering that share the state and were heard in the last 5 s, this one included.",
    ),
    Family(name="steering_titles", kind="gauge", unit="titles", help="Titles in the catalogue."),
    *TRACING,
)


_DECISIONS = tuple(f"steering_decisions:{kind}" for kind in DECISION_KINDS)


class Counts:
    """Counters of this process, under the keys that ``STEERING`` declares."""

    def __init__(self) -> None:
        self.values = {key: 0 for family in STEERING for key in family.keys()}  # noqa: SIM118 - a Family is no mapping

    def add(self, key: str, count: int = 1) -> None:
        """Count ``count`` more of ``key``."""
        self.values[key] = self.values.get(key, 0) + count

    def decisions(self) -> int:
        """How many were made, whatever asked for them."""
        return sum([self.values[key] for key in _DECISIONS])
