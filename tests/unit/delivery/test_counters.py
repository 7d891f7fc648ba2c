from oca.delivery.counters import Page, total
from oca.delivery.metrics import DELIVERY_SLOTS


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
