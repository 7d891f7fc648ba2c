from __future__ import annotations

from prometheus_client import CollectorRegistry, generate_latest

from oca.common.metrics_collector import FamilyCollector
from steering.metrics import DECISION_KINDS, STEERING, Counts


def test_counts_show_under_declared_names() -> None:
    counts = Counts()
    for kind in DECISION_KINDS:
        counts.add(f"steering_decisions:{kind}", 2)
    registry = CollectorRegistry()
    registry.register(FamilyCollector(STEERING, lambda: counts.values))
    text = generate_latest(registry).decode()
    assert 'oca_steering_decisions_total{kind="redirect"} 2.0' in text
    assert 'oca_steering_reports_total{outcome="stale"} 0.0' in text
