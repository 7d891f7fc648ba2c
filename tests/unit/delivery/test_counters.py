import errno
import mmap
from pathlib import Path

import pytest

from oca.delivery.counters import Page, Totals
from oca.delivery.metrics import DELIVERY_SLOTS

BYTES = DELIVERY_SLOTS["delivery_sent_bytes"]
OPEN = DELIVERY_SLOTS["delivery_connections"]


def test_page_shows_counts_to_another_holder_of_its_descriptor() -> None:
    ours = Page.create()
    theirs = Page(ours.descriptor)
    theirs.counts[BYTES] += 2**40
    assert ours.counts[BYTES] == 2**40
    theirs.counts.release()
    ours.close()


def _descriptors() -> list[str]:
    return sorted(entry.name for entry in Path("/proc/self/fd").iterdir())


def test_page_that_there_is_no_memory_for_leaves_no_descriptor(monkeypatch: pytest.MonkeyPatch) -> None:
    def short_of_memory(descriptor: int, length: int) -> mmap.mmap:
        raise OSError(errno.ENOMEM, "Cannot allocate memory")

    before = _descriptors()
    monkeypatch.setattr(mmap, "mmap", short_of_memory)
    with pytest.raises(OSError, match="memory"):
        Page.create()
    assert _descriptors() == before


def test_totals_sum_workers_and_are_zero_without_any() -> None:
    totals = Totals()
    assert set(totals.read().values()) == {0}
    pages = [Page.create(), Page.create()]
    for page in pages:
        totals.add(page)
        page.counts[BYTES] = 2
    assert totals.read()["delivery_sent_bytes"] == 4
    for page in pages:
        totals.leave(page)


def test_totals_keep_what_an_ended_worker_counted_and_not_what_it_had_open() -> None:
    totals = Totals()
    ended, other = Page.create(), Page.create()
    for page in (ended, other):
        totals.add(page)
        page.counts[BYTES], page.counts[OPEN] = 7, 3
    totals.leave(ended)
    assert (totals.read()["delivery_sent_bytes"], totals.read()["delivery_connections"]) == (14, 3)
    totals.leave(other)
    assert (totals.read()["delivery_sent_bytes"], totals.read()["delivery_connections"]) == (14, 0)


def test_totals_go_on_from_daemon_that_went_before() -> None:
    totals = Totals()
    totals.before = {"delivery_sent_bytes": 5, "delivery_connections": 2, "of_another_version": 1}
    assert (totals.read()["delivery_sent_bytes"], totals.read()["delivery_connections"]) == (5, 2)
    totals.close_before()
    assert (totals.read()["delivery_sent_bytes"], totals.read()["delivery_connections"]) == (5, 0)
    assert "of_another_version" not in totals.read()
