import re

from oca.delivery.metrics import DELIVERY, DELIVERY_SLOTS, labelled


def test_metrics_declare_names_once_with_unit_and_help() -> None:
    assert len({family.name for family in DELIVERY}) == len(DELIVERY)
    for family in DELIVERY:
        assert re.fullmatch(r"[a-z]+(_[a-z]+)*", family.name)
        assert family.help.endswith(".")
        assert family.unit
        assert bool(family.label) == bool(family.values)
        assert bool(family.bounds) == (family.kind == "histogram")
        assert list(family.bounds) == sorted(set(family.bounds))


def test_slots_give_every_key_a_place_of_its_own() -> None:
    assert sorted(DELIVERY_SLOTS.values()) == list(range(len(DELIVERY_SLOTS)))
    assert "delivery_sent_bytes" in DELIVERY_SLOTS
    assert "delivery_responses:206" in DELIVERY_SLOTS


def test_labelled_places_are_those_of_one_family_alone() -> None:
    assert labelled("delivery_refusals")["host"] == DELIVERY_SLOTS["delivery_refusals:host"]
    assert "missing" not in labelled("delivery_refusals")
    assert "missing" in labelled("delivery_authorisation_refusals")
