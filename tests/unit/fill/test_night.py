from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from fill.diff import Skipped
from fill.night import LISTED_MAX, NIGHTS_MAX, Night, kept, with_fill, with_served
from oca.common.messages import FillProgress, SourceKind
from oca.store.fill_record import SERVED_SPAN_NS

SECOND_NS = 10**9


def progress(at_s: int, sources: dict[SourceKind, int], *, state: str = "done") -> FillProgress:
    return FillProgress(
        appliance="fra1-a",
        plan="c" * 32,
        state="done" if state == "done" else "incomplete",
        started_at_ns=at_s * SECOND_NS,
        updated_at_ns=(at_s + 30) * SECOND_NS,
        bytes_total=500,
        bytes_done=500,
        assets_total=3,
        assets_done=2,
        assets_failed=1,
        assets_evicted=1,
        bytes_evicted=70,
        bytes_by_source=sources,
        current=[],
        reason="1 of 3 assets could not be had",
    )


def add(before: Night | None, fill: FillProgress) -> Night:
    refused = [Skipped("t/x", 9, "no source")]
    left_out = [Skipped(f"t/{number}", 9, "dear") for number in range(LISTED_MAX + 5)]
    return with_fill(before, "2026-01-10", fill, bytes_in=400, refused=refused, left_out=left_out)


def test_night_sums_its_fills() -> None:
    night = add(add(None, progress(100, {"origin": 300})), progress(200, {"origin": 50, "peer": 60}))
    assert (night.fills, night.filling_s, night.started_at_ns, night.ended_at_ns) == (
        2,
        60.0,
        100 * SECOND_NS,
        230 * SECOND_NS,
    )
    assert (night.assets_in, night.bytes_in, night.assets_out, night.bytes_out) == (4, 800, 2, 140)
    assert (night.bytes_by_source, night.fetched_bytes) == ({"origin": 350, "peer": 60}, 410)
    assert (night.refused, night.refused_total) == ((Skipped("t/x", 9, "no source"),), 1)
    assert (len(night.left_out), night.left_out_total) == (LISTED_MAX, LISTED_MAX + 5)
    assert night.state == "done"


def test_night_learns_its_efficiency_in_the_day_after() -> None:
    night = add(None, progress(100, {}))
    end = night.ended_at_ns
    assert night.efficiency is None
    (night,) = with_served([night], 1000, end + SECOND_NS)
    assert (night.efficiency, night.efficiency_is_final) == (0.0, False)
    (night,) = with_served([night], 1600, end + 2 * SECOND_NS)
    assert night.efficiency == 1.5
    (night,) = with_served([night], 200, end + SERVED_SPAN_NS)
    assert (night.efficiency, night.efficiency_is_final) == (2.0, True), "a daemon that began anew counts from 0"
    assert with_served([night], 9999, end + 2 * SERVED_SPAN_NS) == [night]


def test_night_that_filled_nothing_has_no_efficiency() -> None:
    night = Night(night="2026-01-10", started_at_ns=0, ended_at_ns=0)
    (night,) = with_served([night], 5, SECOND_NS)
    assert night.efficiency is None


def test_night_ignores_a_clock_that_ran_backwards() -> None:
    (night,) = with_served([add(None, progress(100, {}))], 1000, 10**12)
    assert with_served([night], 2000, 10**11) == [night]


@given(st.lists(st.integers(0, 200), max_size=100))
def test_nights_keep_the_last_ones_each_once(days: list[int]) -> None:
    nights: list[Night] = []
    for day in days:
        newest = Night(night=f"2026-{day // 28 + 1:02}-{day % 28 + 1:02}", started_at_ns=0, ended_at_ns=day)
        nights = kept(nights, newest)
        assert newest in nights or len(nights) == NIGHTS_MAX
    names = [night.night for night in nights]
    assert names == sorted(set(names))
    assert len(names) <= NIGHTS_MAX
