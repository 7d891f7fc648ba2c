from __future__ import annotations

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from msgspec.structs import astuple, replace

from oca.common.messages import AssetDemand, DemandBatch, WantedObject
from steering.plan.counted import TOTAL_MAX, Counted
from steering.plan.demand import Wanted, fold, hours_of
from steering.plan.wanted import wanted_assets
from steering.state.embedded import EmbeddedState
from tests.unit.steering.made_up import NOW_NS, make_batch, make_summary

KNOWN = {"t/a": make_summary("t/a", size=3000), "t/b": make_summary("t/b", size=300)}  # of 3 objects each


@pytest.fixture
def objects(state: EmbeddedState) -> EmbeddedState:
    with state.write() as transaction:
        transaction.put("object/t/a.mp4", b"t/a")
        for number in (1, 2):
            transaction.put(f"object/t/b-{number}.m4s", b"t/b")
        transaction.put("object/gone.m4s", b"t/gone")
    return state


def batch(*wanted: WantedObject, span_s: int = 1) -> DemandBatch:
    plain = make_batch(1)
    return replace(plain, wanted=list(wanted), started_at_ns=plain.ended_at_ns - span_s * 10**9)


def found(state: EmbeddedState, *wanted: WantedObject, egress: int = 0, span_s: int = 1) -> Wanted:
    return wanted_assets(state, batch(*wanted, span_s=span_s), KNOWN, egress_bits_per_s=egress)


def test_what_boxes_do_not_hold_is_demand_of_its_asset_by_class(objects: EmbeddedState) -> None:
    told = found(
        objects,
        WantedObject("/t/b-1.m4s", 1, 2, 3),
        WantedObject("/t/b-2.m4s", 1, 0, 0),
        WantedObject("/gone.m4s", 1, 0, 0),
        WantedObject("/nobody.m4s", 1, 0, 0),
    )
    assert told == Wanted({"t/b": Counted(0, 0, 0, 2, 200, 2, 200, 3, 300)}, unknown=2)


@pytest.mark.parametrize(
    ("item", "counted"),
    [
        (WantedObject("/t/a.mp4", 4, 0, 0, (0, 4, 40)), Counted(missed=4, missed_bytes=40)),
        (WantedObject("/t/a.mp4", 4, 0, 0, (0, 3, 9)), Counted(missed=4, missed_bytes=1009)),
        (WantedObject("/t/a.mp4", 2, 0, 0, (0, 1, 10**9)), Counted(missed=2, missed_bytes=2000)),
        (
            WantedObject("/t/a.mp4", 1, 3, 0, (0, 4, 10)),
            Counted(missed=1, missed_bytes=2, redirected=3, redirected_bytes=8),
        ),
        (WantedObject("/t/a.mp4", 0, 0, 7, (12, 0, 0)), Counted(fetched=7, fetched_bytes=12)),
        (
            WantedObject("/t/a.mp4", 1, 0, 0, (0, 0, 0), (4, 3, 9)),
            Counted(missed=1, missed_bytes=1000, turned_away=4, turned_away_bytes=1009),
        ),
        (WantedObject("/t/a.mp4", 0, 0, 0, None, (1, 1, 10**9)), Counted(turned_away=1, turned_away_bytes=1000)),
    ],
)
def test_parts_count_for_no_more_than_they_are(objects: EmbeddedState, item: WantedObject, counted: Counted) -> None:
    assert found(objects, item) == Wanted({"t/a": counted})


@pytest.mark.parametrize(
    "item",
    [
        WantedObject("/t/a.mp4", 2**40, 0, 0),
        WantedObject("/t/a.mp4", 1, 0, 0, (0, 2, 5)),
        WantedObject("/t/a.mp4", 0, 0, 1, (2**51, 0, 0)),
        WantedObject("/t/a.mp4", 0, 0, 0, None, (2**40, 0, 0)),
        WantedObject("/t/a.mp4", 1, 0, 0, (0, 0, 0), (1, 2, 5)),
    ],
)
def test_numbers_that_cannot_be_are_left_out(objects: EmbeddedState, item: WantedObject) -> None:
    assert found(objects, item) == Wanted({}, absurd=1)


def test_batch_counts_for_no_more_than_its_box_could_have_sent(objects: EmbeddedState) -> None:
    """A 404 is free: ten thousand a second are no demand for forty gigabytes."""
    scan = (WantedObject("/t/a.mp4", 10_000, 0, 0), WantedObject("/t/b-1.m4s", 0, 10_000, 0))
    assert found(objects, *scan).absurd == 0
    cut = found(objects, *scan, egress=8 * 1_100_000, span_s=2)
    assert cut == Wanted(
        {
            "t/a": Counted(missed=10_000, missed_bytes=2_000_000),
            "t/b": Counted(redirected=10_000, redirected_bytes=200_000),
        },
        absurd=2,
    )
    away = found(objects, WantedObject("/t/a.mp4", 0, 0, 0, None, (10_000, 0, 0)), egress=8 * 1_100_000)
    assert away == Wanted({"t/a": Counted(turned_away=10_000, turned_away_bytes=1_100_000)}, absurd=1)
    known = found(objects, WantedObject("/t/a.mp4", 2**29, 0, 0))
    assert known.assets["t/a"].missed_bytes == 12_500_000_000  # of a box whose egress is not known


COUNTS = st.one_of(st.integers(0, 20), st.integers(0, 2**63 - 1))
SIZES = st.none() | st.tuples(COUNTS, COUNTS, COUNTS)
PATHS = st.sampled_from(["/t/a.mp4", "/t/b-1.m4s", "/t/b-2.m4s", "/gone.m4s", "/nobody.m4s"])
BATCHES = st.builds(
    DemandBatch,
    epoch=st.sampled_from(["a" * 32, "b" * 32]),
    sequence=COUNTS,
    started_at_ns=st.one_of(st.just(NOW_NS), COUNTS),
    ended_at_ns=st.one_of(st.just(NOW_NS), COUNTS),
    items=st.lists(
        st.builds(AssetDemand, st.sampled_from(["t/a", "t/b", "t/none"]), COUNTS, COUNTS, COUNTS), max_size=4
    ),
    wanted=st.lists(st.builds(WantedObject, PATHS, COUNTS, COUNTS, COUNTS, SIZES, SIZES), max_size=6),
)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(BATCHES, max_size=4))
def test_whatever_a_box_tells_is_never_fatal_and_adds_only_sane_sums_of_known_assets(
    objects: EmbeddedState, batches: list[DemandBatch]
) -> None:
    most = 10**11 // 8  # what a box of unknown egress could have sent in a second
    with objects.write() as transaction:
        for batch in batches:
            wanted = wanted_assets(objects, batch, KNOWN, egress_bits_per_s=0)
            told = sum(sum(astuple(each)[4::2]) for each in wanted.assets.values())
            span_s = max(batch.ended_at_ns - batch.started_at_ns, 10**9) / 10**9
            assert told <= most * span_s
            fold(transaction, "box", "metro", batch, now_ns=NOW_NS, known=KNOWN, wanted=wanted)
    for hour in hours_of(objects, "demand"):
        assert hour.asset in KNOWN
        assert all(0 <= each <= TOTAL_MAX for each in astuple(hour.counted))
