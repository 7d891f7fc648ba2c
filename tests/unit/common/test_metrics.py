from prometheus_client import CollectorRegistry, generate_latest

from oca.common.metrics import Family, FamilyCollector, slots

FAMILIES = (
    Family(name="kitchen_cups", kind="gauge", unit="cups", help="Cups now."),
    Family(name="kitchen_pours", kind="counter", unit="pours", help="Pours.", label="tea", values=("green", "black")),
)


def test_slots_give_every_key_a_place_of_its_own() -> None:
    assert slots(FAMILIES) == {"kitchen_cups": 0, "kitchen_pours:green": 1, "kitchen_pours:black": 2}


def test_collector_shows_every_family_with_its_labels() -> None:
    registry = CollectorRegistry()
    registry.register(FamilyCollector(FAMILIES, lambda: {"kitchen_cups": 2, "kitchen_pours:green": 7}))
    text = generate_latest(registry).decode()
    assert "oca_kitchen_cups 2.0" in text
    assert 'oca_kitchen_pours_total{tea="green"} 7.0' in text
    assert 'oca_kitchen_pours_total{tea="black"} 0.0' in text
    for family in FAMILIES:
        assert f"# HELP oca_{family.name}" in text
