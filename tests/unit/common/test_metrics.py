from prometheus_client import CollectorRegistry, generate_latest

from oca.common.metrics import Family, slots
from oca.common.metrics_collector import FamilyCollector

FAMILIES = (
    Family(name="kitchen_cups", kind="gauge", unit="cups", help="Cups now."),
    Family(name="kitchen_pours", kind="counter", unit="pours", help="Pours.", label="tea", values=("green", "black")),
    Family(name="kitchen_steeps", kind="histogram", unit="seconds", help="Steeps.", bounds=(0.5, 60.0)),
)


def test_slots_give_every_key_a_place_of_its_own() -> None:
    assert slots(FAMILIES) == {
        "kitchen_cups": 0,
        "kitchen_pours:green": 1,
        "kitchen_pours:black": 2,
        "kitchen_steeps:0.5": 3,
        "kitchen_steeps:60.0": 4,
        "kitchen_steeps:+Inf": 5,
        "kitchen_steeps:sum": 6,
    }


def test_collector_shows_every_family_with_its_labels() -> None:
    registry = CollectorRegistry()
    registry.register(FamilyCollector(FAMILIES, lambda: {"kitchen_cups": 2, "kitchen_pours:green": 7}))
    text = generate_latest(registry).decode()
    assert "oca_kitchen_cups 2.0" in text
    assert 'oca_kitchen_pours_total{tea="green"} 7.0' in text
    assert 'oca_kitchen_pours_total{tea="black"} 0.0' in text
    for family in FAMILIES:
        assert f"# HELP oca_{family.name}" in text


def test_collector_shows_histogram_cumulated() -> None:
    registry = CollectorRegistry()
    counts = {
        "kitchen_steeps:0.5": 3,
        "kitchen_steeps:60.0": 4,
        "kitchen_steeps:+Inf": 1,
        "kitchen_steeps:sum": 2_500_000,
    }
    registry.register(FamilyCollector(FAMILIES, lambda: counts))
    text = generate_latest(registry).decode()
    assert 'oca_kitchen_steeps_bucket{le="0.5"} 3.0' in text
    assert 'oca_kitchen_steeps_bucket{le="60.0"} 7.0' in text
    assert 'oca_kitchen_steeps_bucket{le="+Inf"} 8.0' in text
    assert "oca_kitchen_steeps_count 8.0" in text
    assert "oca_kitchen_steeps_sum 2.5" in text


def test_collector_shows_counts_in_unit_that_is_declared() -> None:
    waits = Family(name="kitchen_wait_seconds", kind="counter", unit="seconds", help="Waits.", factor=1e-6)
    registry = CollectorRegistry()
    registry.register(FamilyCollector((waits,), lambda: {"kitchen_wait_seconds": 1_500_000}))
    assert "oca_kitchen_wait_seconds_total 1.5" in generate_latest(registry).decode()
