from collections.abc import Iterator

import pytest

from oca.delivery.counters import Page
from oca.delivery.metrics import DELIVERY, DELIVERY_SLOTS
from oca.delivery.timings import AT_ONCE_NS, Histogram, Timings

NAMES = [family.name for family in DELIVERY if family.kind == "histogram"]


@pytest.fixture
def page() -> Iterator[Page]:
    page = Page.create()
    yield page
    page.close()


@pytest.mark.parametrize("name", NAMES)
def test_histogram_counts_in_least_bound_that_holds_the_duration(page: Page, name: str) -> None:
    (family,) = (family for family in DELIVERY if family.name == name)
    histogram = Histogram(name, page.counts)
    for bound in family.bounds:
        histogram.add(int(bound * 1e9))  # bounds are inclusive, as Prometheus has them
        histogram.add(int(bound * 1e9) + 1)
    counted = [page.counts[DELIVERY_SLOTS[key]] for key in family.keys()]  # noqa: SIM118
    assert counted[:-1] == [1] + [2] * (len(family.bounds) - 1) + [1]
    assert counted[-1] == pytest.approx(2e6 * sum(family.bounds), abs=len(family.bounds))


def test_timings_fold_what_was_only_counted(page: Page) -> None:
    timings = Timings(page.counts)
    timings.usual, timings.usual_ns = 3, 30_000
    timings.count("HEAD")
    timings.fold()
    timings.fold()
    counted = {key: page.counts[place] for key, place in DELIVERY_SLOTS.items()}
    assert counted["delivery_first_byte_seconds:0.00025"] == counted["delivery_transfer_seconds:0.00025"] == 3
    assert counted["delivery_first_byte_seconds:sum"] == counted["delivery_transfer_seconds:sum"] == 30
    assert (counted["delivery_requests:GET"], counted["delivery_requests:HEAD"]) == (3, 1)


def test_least_bound_is_the_same_for_what_goes_at_once() -> None:
    lowest = {family.bounds[0] * 1e9 for family in DELIVERY if family.name in NAMES[:2]}
    assert lowest == {AT_ONCE_NS}
    assert all(f"{name}:sum" in DELIVERY_SLOTS for name in NAMES)
