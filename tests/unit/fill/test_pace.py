from __future__ import annotations

import heapq
from bisect import bisect_left
from itertools import accumulate

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fill.busy import ALL, Share
from fill.pace import PACE_MIN_BYTES_PER_S, READ_BYTES_MAX, READ_BYTES_MIN, Pacer

SPAN_S = 10.0


def read_on(pacer: Pacer, readers: int, until_s: float, late_s: list[float]) -> list[tuple[float, int]]:
    """(when, bytes) of each read of these readers, on a clock of their own; whoever waits does so a little too long."""
    reads: list[tuple[float, int]] = []
    ready = [(0.0, reader) for reader in range(readers)]
    while ready:
        now, reader = heapq.heappop(ready)
        size = pacer.read_bytes()
        wait_s = pacer.take(f"s{reader}", size, now)
        at = now + wait_s + (late_s[len(reads) % len(late_s)] if wait_s else 0.0001)
        pacer.arrived(f"s{reader}", size, size)
        if at < until_s:
            reads.append((at, size))
            heapq.heappush(ready, (at, reader))
    return sorted(reads)


def spans(reads: list[tuple[float, int]]) -> list[int]:
    """Bytes in each span of 10 s that begins at a read."""
    times = [at for at, _ in reads]
    sums = [0, *accumulate(size for _, size in reads)]
    whole = [at for at in times if at + SPAN_S <= times[-1]]
    return [sums[bisect_left(times, at + SPAN_S)] - sums[bisect_left(times, at)] for at in whole]


@pytest.mark.parametrize("cap", [300_000, 2_000_000, 125_000_000])
@pytest.mark.parametrize("readers", [1, 8])
def test_pacer_keeps_cap_within_three_percent_over_any_ten_seconds(cap: int, readers: int) -> None:
    pacer = Pacer()
    pacer.allow(cap, ALL, 0.0)
    reads = read_on(pacer, readers, 14.0, [0.0, 0.003, 0.001, 0.04, 0.0, 0.0, 0.02])
    found = spans(reads)
    assert len(found) > 100
    assert max(found) <= cap * SPAN_S * 1.03
    assert min(found) >= cap * SPAN_S * 0.97


def test_pacer_keeps_each_source_to_its_cap() -> None:
    pacer = Pacer(source_bytes_per_s_max=100_000)
    pacer.allow(150_000, ALL, 0.0)
    assert pacer.read_bytes() == READ_BYTES_MIN
    assert pacer.take("a", 50_000, 0.0) == pytest.approx(0.5)
    assert pacer.take("b", 50_000, 0.0) == pytest.approx(2 / 3)
    assert pacer.take("b", 50_000, 0.0) == pytest.approx(1.0)


def test_pacer_without_cap_reads_as_much_as_it_can() -> None:
    pacer = Pacer()
    assert (pacer.read_bytes(), pacer.take("a", 10**9, 5.0), pacer.rate_bytes_per_s_max) == (READ_BYTES_MAX, 0.0, 0)


def test_pacer_takes_share_of_cap() -> None:
    pacer = Pacer()
    pacer.allow(1_000_000, Share(0.25, "busy"), 0.0)
    assert pacer.rate_bytes_per_s_max == 250_000
    assert pacer.take("a", 250_000, 0.0) == pytest.approx(1.0)
    pacer.allow(1_000_000, ALL, 1.0)
    assert pacer.rate_bytes_per_s_max == 1_000_000


def test_pacer_takes_share_of_its_best_pace_where_there_is_no_cap() -> None:
    pacer = Pacer()
    pacer.allow(0, ALL, 0.0)
    pacer.arrived("a", 8_000_000, 8_000_000)
    pacer.allow(0, Share(0.5, "busy"), 1.0)
    assert pacer.rate_bytes_per_s_max == 4_000_000
    for second in range(2, 2000):
        pacer.allow(0, Share(0.5, "busy"), float(second))
    assert pacer.rate_bytes_per_s_max == 4_000_000  # however long it is held back
    pacer.allow(0, ALL, 2000.0)
    pacer.allow(0, Share(0.5, "busy"), 2001.0)
    assert pacer.rate_bytes_per_s_max == 3_920_000


def test_pacer_that_begins_while_the_box_is_busy_goes_on_at_once() -> None:
    pacer = Pacer()
    pacer.allow(0, Share(0.4, "busy"), 0.0)
    assert pacer.take("a", pacer.read_bytes(), 0.0) < 0.1
    assert sum(size for _, size in read_on(pacer, 2, 10.0, [0.0])) == pytest.approx(10 * PACE_MIN_BYTES_PER_S, rel=0.05)


def test_pacer_stands_still_while_box_is_busy_and_once_the_night_is_spent() -> None:
    pacer = Pacer(bytes_left=1000)
    assert not pacer.stopped
    pacer.allow(0, Share(0.0, "busy"), 0.0)
    stopped: list[bool] = [pacer.stopped]
    pacer.allow(0, ALL, 1.0)
    stopped.append(pacer.stopped)
    pacer.arrived("a", 999, 4096)
    stopped.append(pacer.spent)
    pacer.arrived("a", 1, 4096)
    assert [*stopped, pacer.spent, pacer.stopped] == [True, False, False, True, True]


@given(st.lists(st.tuples(st.integers(1, 10**6), st.floats(0, 3)), max_size=50))
def test_pacer_never_grants_more_than_cap_and_burst(reads: list[tuple[int, float]]) -> None:
    pacer, now, granted = Pacer(), 0.0, 0
    pacer.allow(100_000, ALL, now)
    for size, pause_s in reads:
        now += pacer.take("a", size, now)
        granted += size
        assert granted <= 100_000 * (now + 0.1) + 1
        now += pause_s


def test_pacer_gives_back_what_a_read_did_not_bring() -> None:
    pacer = Pacer()
    pacer.allow(100_000, ALL, 0.0)
    pacer.take("a", 100_000, 0.0)
    pacer.arrived("a", 40_000, 100_000)
    assert pacer.fetched_bytes == 40_000
    assert pacer.take("a", 10_000, 0.0) == pytest.approx(0.5)
