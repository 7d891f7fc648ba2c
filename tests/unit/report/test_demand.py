import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

import oca.common.demand as common_module
import oca.report.demand as demand_module
from oca.common.demand import Taken, Wanted
from oca.common.messages import AssetDemand, DemandBatch, WantedObject
from oca.report.demand import DemandLedger, LedgerState

EPOCH = "e" * 32
YEAR_NS = 365 * 86400 * 10**9
ASSETS = st.sampled_from(["t/a", "t/b", "t/c", "t/d"])


def totals(batches: list[DemandBatch]) -> dict[str, tuple[int, int]]:
    """What a steering that folds each sequence in once ends up with."""
    folded: dict[str, tuple[int, int]] = {}
    for batch in {batch.sequence: batch for batch in batches}.values():
        for item in batch.items:
            requests, size = folded.get(item.asset, (0, 0))
            folded[item.asset] = (requests + item.requests, size + item.bytes)
    return folded


def test_demand_has_no_batch_without_demand() -> None:
    assert DemandLedger(EPOCH, started_at_ns=5).batch(10) is None


def test_demand_resends_batch_unchanged_until_acknowledged() -> None:
    ledger = DemandLedger(EPOCH, started_at_ns=5)
    ledger.add(Taken({"t/a": (1, 100)}))
    first = ledger.batch(10)
    ledger.add(Taken({"t/a": (2, 200)}))
    assert ledger.batch(20) is first
    ledger.acknowledge(None)
    ledger.acknowledge(99)
    assert ledger.batch(30) is first
    ledger.acknowledge(1)
    second = ledger.batch(40)
    assert second is not None
    assert (second.sequence, second.started_at_ns, second.ended_at_ns) == (2, 10, 40)
    assert totals([second]) == {"t/a": (2, 200)}


def test_demand_batch_ends_now_after_clock_was_ahead() -> None:
    ledger = DemandLedger(EPOCH, started_at_ns=100 * YEAR_NS)  # the clock of a boot before its time service
    for now_ns in (50, 60):
        ledger.add(Taken({"t/a": (1, 1)}))
        batch = ledger.batch(now_ns)
        assert batch is not None
        assert (batch.started_at_ns, batch.ended_at_ns) == (50, now_ns)
        ledger.acknowledge(batch.sequence)


def test_demand_leaves_what_does_not_fit_for_next_batch() -> None:
    ledger = DemandLedger(EPOCH, started_at_ns=0, batch_assets_max=2)
    ledger.add(Taken({"t/a": (1, 1), "t/b": (2, 2), "t/c": (3, 3)}))
    first = ledger.batch(1)
    assert first is not None
    assert len(first.items) == 2
    ledger.acknowledge(first.sequence)
    second = ledger.batch(2)
    assert second is not None
    assert totals([first, second]) == {"t/a": (1, 1), "t/b": (2, 2), "t/c": (3, 3)}


def test_demand_tells_sessions_and_what_is_not_held_once() -> None:
    ledger = DemandLedger(EPOCH, started_at_ns=0)
    away = Wanted(turned_away=4, away_ranges=1, away_range_bytes=5)
    wanted = {"/t/1.m4s": Wanted(1, 2, 3, 33, 2, 9), "/t/2.m4s": away}
    ledger.add(Taken({"t/a": (2, 20)}, {"t/a": 1, "t/b": 3}, wanted))
    batch = ledger.batch(1)
    assert batch is not None
    assert batch.items == [AssetDemand("t/a", 2, 20, 1), AssetDemand("t/b", 0, 0, 3)]
    assert batch.wanted == [
        WantedObject("/t/1.m4s", 1, 2, 3, (33, 2, 9)),
        WantedObject("/t/2.m4s", 0, 0, 0, (0, 0, 0), (4, 1, 5)),
    ]
    ledger.acknowledge(batch.sequence)
    assert ledger.batch(2) is None


def test_demand_for_what_is_not_held_is_told_in_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(demand_module, "WANTED_TOLD_MAX", 2)
    ledger = DemandLedger(EPOCH, started_at_ns=0)
    ledger.add(Taken(wanted={f"/t/{number}.m4s": Wanted(1) for number in range(3)}))
    told = []
    while (batch := ledger.batch(1)) is not None:
        told.append([item.path for item in batch.wanted])
        ledger.acknowledge(batch.sequence)
    assert told == [["/t/0.m4s", "/t/1.m4s"], ["/t/2.m4s"]]


def test_demand_that_goes_by_for_want_of_room_is_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(common_module, "WANTED_MAX", 1)
    ledger = DemandLedger(EPOCH, started_at_ns=0)
    ledger.add(Taken(wanted={"/t/1.m4s": Wanted(1)}, dropped=2))
    ledger.add(Taken(wanted={"/t/2.m4s": Wanted(1)}))
    batch = ledger.batch(1)
    assert batch is not None
    assert ([item.path for item in batch.wanted], ledger.dropped) == (["/t/1.m4s"], 3)


def test_ledger_of_release_0_1_0_is_read() -> None:
    old = {"epoch": EPOCH, "sequence": 3, "started_at_ns": 5, "in_flight": None, "pending": {"t/a": [1, 10]}}
    ledger = DemandLedger.of(msgspec.convert(old, LedgerState))
    assert DemandLedger.of(ledger.state()).state() == ledger.state() == msgspec.convert(old, LedgerState)
    batch = ledger.batch(9)
    assert batch is not None
    assert (batch.sequence, batch.items, batch.wanted) == (4, [AssetDemand("t/a", 1, 10)], [])


class LossyWire(RuleBasedStateMachine):
    """Reports and answers get lost at will; what steering folds in and what waits here is always the whole demand."""

    def __init__(self) -> None:
        super().__init__()
        self.ledger = DemandLedger(EPOCH, started_at_ns=0, batch_assets_max=2)
        self.counted: dict[str, tuple[int, int]] = {}
        self.received: list[DemandBatch] = []
        self.now_ns = 0

    @rule(asset=ASSETS, requests=st.integers(0, 9), size=st.integers(0, 999))
    def watch(self, asset: str, requests: int, size: int) -> None:
        self.ledger.add(Taken({asset: (requests, size)}))
        held = self.counted.get(asset, (0, 0))
        self.counted[asset] = (held[0] + requests, held[1] + size)

    @rule(report_arrives=st.booleans(), answer_arrives=st.booleans())
    def report(self, report_arrives: bool, answer_arrives: bool) -> None:
        self.now_ns += 1
        batch = self.ledger.batch(self.now_ns)
        if batch is None or not report_arrives:
            return
        self.received.append(batch)
        if answer_arrives:
            self.ledger.acknowledge(batch.sequence)

    @invariant()
    def loses_and_repeats_nothing(self) -> None:
        folded = totals(self.received)
        for asset, (requests, size) in folded.items():
            assert requests <= self.counted[asset][0]
            assert size <= self.counted[asset][1]

    def teardown(self) -> None:
        while (batch := self.ledger.batch(self.now_ns)) is not None:
            self.received.append(batch)
            self.ledger.acknowledge(batch.sequence)
        assert totals(self.received) == self.counted


LossyWire.TestCase.settings = settings(max_examples=50, stateful_step_count=30, deadline=None)
TestLossyWire = LossyWire.TestCase


@given(st.lists(st.integers(0, 10), max_size=10))
def test_demand_sequences_count_up_by_one(counts: list[int]) -> None:
    ledger = DemandLedger(EPOCH, started_at_ns=0)
    for expected, count in enumerate(counts, start=1):
        ledger.add(Taken({"t/a": (count, count)}))
        batch = ledger.batch(expected)
        assert batch is not None
        assert batch.sequence == expected
        ledger.acknowledge(expected)
