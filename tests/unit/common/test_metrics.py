import re

from prometheus_client import CollectorRegistry, generate_latest

from oca.common.metrics import DELIVERY, DELIVERY_SLOTS, FamilyCollector, Page, total


def test_metrics_declare_names_once_with_unit_and_help() -> None:
    assert len({family.name for family in DELIVERY}) == len(DELIVERY)
    for family in DELIVERY:
        assert re.fullmatch(r"[a-z]+(_[a-z]+)*", family.name)
        assert family.help.endswith(".")
        assert family.unit
        assert bool(family.label) == bool(family.values)


def test_slots_give_every_key_a_place_of_its_own() -> None:
    assert sorted(DELIVERY_SLOTS.values()) == list(range(len(DELIVERY_SLOTS)))
    assert "delivery_sent_bytes" in DELIVERY_SLOTS
    assert "delivery_responses:206" in DELIVERY_SLOTS


def test_page_shows_counts_to_another_holder_of_its_descriptor() -> None:
    ours = Page.create()
    theirs = Page(ours.descriptor)
    theirs.counts[DELIVERY_SLOTS["delivery_sent_bytes"]] += 2**40
    assert total([ours])["delivery_sent_bytes"] == 2**40
    theirs.counts.release()
    ours.close()


def test_page_keeps_counters_and_resets_gauges_for_a_replacement() -> None:
    page = Page.create()
    page.counts[DELIVERY_SLOTS["delivery_connections"]] = 3
    page.counts[DELIVERY_SLOTS["delivery_connections_accepted"]] = 5
    page.reset_gauges()
    assert total([page])["delivery_connections"] == 0
    assert total([page])["delivery_connections_accepted"] == 5
    page.close()


def test_total_sums_pages_and_is_zero_without_any() -> None:
    pages = [Page.create(), Page.create()]
    for page in pages:
        page.counts[DELIVERY_SLOTS["delivery_responses:200"]] = 2
    assert total(pages)["delivery_responses:200"] == 4
    assert set(total(()).values()) == {0}
    for page in pages:
        page.close()


def test_collector_shows_every_family_with_its_labels() -> None:
    registry = CollectorRegistry()
    registry.register(FamilyCollector(DELIVERY, lambda: {"delivery_connections": 2, "delivery_responses:404": 7}))
    text = generate_latest(registry).decode()
    assert "oca_delivery_connections 2.0" in text
    assert 'oca_delivery_responses_total{status="404"} 7.0' in text
    assert 'oca_delivery_responses_total{status="200"} 0.0' in text
    for family in DELIVERY:
        assert f"# HELP oca_{family.name}" in text
