from __future__ import annotations

from collections.abc import Iterator
from datetime import date, timedelta
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from oca.common.errors import ConfigError
from oca.common.messages import AssetDemand, DemandBatch
from steering.plan.counted import Counted
from steering.plan.demand import Folded, Wanted, drop_before, fold, hours_of, import_demand
from steering.state.embedded import EmbeddedState
from steering.state.store import StateTransaction
from tests.unit.steering.made_up import DAY_NS, NOW_NS, daily_bytes, make_batch, revision

TODAY = date(2024, 10, 4)
KNOWN = {"t/a": 0, "t/b": 0}.keys()
HEADER = "site,asset,day,requests,bytes\n"


def take(state: EmbeddedState, batch: DemandBatch, appliance: str = "metro-a") -> Folded:
    with state.write() as transaction:
        return fold(transaction, appliance, "metro", batch, now_ns=NOW_NS, known=KNOWN)


def total(state: EmbeddedState, asset: str = "t/a") -> int:
    return sum(daily_bytes(state).get("metro", {}).get(asset, {}).values())


def test_batches_add_up_per_site_asset_and_day(state: EmbeddedState) -> None:
    assert take(state, make_batch(0, t__a=(1, 10), t__b=(2, 5))) == Folded("folded")
    take(state, make_batch(0, t__a=(1, 7)), appliance="metro-b")
    take(state, make_batch(1, at_ns=NOW_NS - 2 * DAY_NS, t__a=(1, 100)))
    day = TODAY.toordinal()
    assert daily_bytes(state) == {"metro": {"t/a": {day: 17, day - 2: 100}, "t/b": {day: 5}}}


def test_batch_counts_once_however_often_it_comes(state: EmbeddedState) -> None:
    first, second = make_batch(0, t__a=(1, 10)), make_batch(1, t__a=(1, 10))
    assert [take(state, batch).outcome for batch in (first, first, second, first, second)] == [
        "folded",
        "repeated",
        "folded",
        "repeated",
        "repeated",
    ]
    assert total(state) == 20


def test_batches_that_never_came_are_counted(state: EmbeddedState) -> None:
    missing = [take(state, make_batch(number, t__a=(1, 1))).missing_batches for number in (1, 2, 5, 5, 6)]
    assert missing == [0, 0, 2, 0, 0]
    assert total(state) == 4


def test_batch_of_earlier_boot_counts_once_too(state: EmbeddedState) -> None:
    take(state, make_batch(3, t__a=(1, 10)))
    take(state, make_batch(0, epoch="second", t__a=(1, 10)))
    assert take(state, make_batch(3, t__a=(1, 10))).outcome == "repeated"
    for number in range(20):
        take(state, make_batch(0, epoch=f"later-{number}", t__a=(1, 1)))
    assert total(state) == 40


@given(st.permutations([0, 1, 2, 3]), st.lists(st.integers(0, 3), max_size=6))
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=20, deadline=None)
def test_repeats_never_add(state: EmbeddedState, order: list[int], repeats: list[int]) -> None:
    epoch = f"{order}{repeats}"
    before = total(state)
    for sequence in sorted(order) + repeats:
        take(state, make_batch(sequence, epoch=epoch, t__a=(1, 10)), appliance=f"x{abs(hash(epoch)) % 10**6}")
    assert total(state) - before in (0, 40)


def test_impossible_batches_are_left_out_with_reason(state: EmbeddedState) -> None:
    assert take(state, make_batch(0, at_ns=NOW_NS + 2 * 3600 * 10**9, t__a=(1, 1))).outcome == "future"
    turned = DemandBatch(epoch=revision("boot"), sequence=1, started_at_ns=5, ended_at_ns=4, items=[])
    assert take(state, turned).outcome == "backwards"
    assert take(state, make_batch(1, t__a=(1, 1))).outcome == "repeated"
    assert total(state) == 0


def test_strange_items_are_left_out_of_a_good_batch(state: EmbeddedState) -> None:
    batch = make_batch(0, t__a=(1, 10), t__stranger=(1, 10), t__b=(1, 2**62))
    assert take(state, batch) == Folded("folded", unknown_assets=1, absurd_items=1)
    assert daily_bytes(state)["metro"] == {"t/a": {TODAY.toordinal(): 10}}


def test_what_boxes_do_not_hold_adds_to_what_others_sent_of_the_asset(state: EmbeddedState) -> None:
    missed = Counted(missed=2, missed_bytes=200)
    for _ in range(2):
        with state.write() as transaction:
            batch = make_batch(1, t__a=(3, 30))
            folded = fold(
                transaction, "a", "metro", batch, now_ns=NOW_NS, known=KNOWN, wanted=Wanted({"t/a": missed}, 4, 5)
            )
            if folded.outcome == "folded":
                assert folded == Folded("folded", absurd_items=5, unknown_objects=4)
    assert [hour.counted for hour in hours_of(state, "demand")] == [Counted(3, 30, 0, 2, 200)]


def test_sessions_add_up_over_batches_and_boxes(state: EmbeddedState) -> None:
    for sequence, appliance in ((1, "a"), (2, "a"), (1, "b")):
        batch = replace(make_batch(sequence), items=[AssetDemand("t/a", 4, 40, 2)])
        take(state, batch, appliance)
    assert [hour.counted for hour in hours_of(state, "demand")] == [Counted(12, 120, 6)]
    absurd = replace(make_batch(3), items=[AssetDemand("t/a", 1, 1, 2**60)])
    assert take(state, absurd, "a").absurd_items == 1


def test_demand_of_release_0_1_0_goes_on(state: EmbeddedState) -> None:
    key = f"demand/metro/{TODAY}T00/t/a"
    with state.write() as transaction:
        transaction.put(key, b"\x92\x02\x14")  # [2, 20]
    take(state, make_batch(1, t__a=(1, 5)))
    assert [hour.counted for hour in hours_of(state, "demand")] == [Counted(3, 25)]
    (hour,) = hours_of(state, "demand")
    take(state, make_batch(2, t__a=(1, 1)))
    with state.write() as transaction:
        hour.take_from(transaction)
    (rest,) = hours_of(state, "demand")
    assert rest.counted == Counted(1, 1)
    with state.write() as transaction:
        rest.take_from(transaction)
    assert list(hours_of(state, "demand")) == []


def test_old_demand_is_dropped(state: EmbeddedState) -> None:
    take(state, make_batch(0, at_ns=NOW_NS - 40 * DAY_NS, t__a=(1, 10)))
    take(state, make_batch(1, t__a=(1, 3)))
    with state.write() as transaction:
        assert drop_before(transaction, TODAY) == 1
    assert total(state) == 3


class Counting:
    """A transaction that counts the entries looked at."""

    def __init__(self, inner: StateTransaction) -> None:
        self._inner = inner
        self.looked_at = 0
        self.get, self.put, self.delete = inner.get, inner.put, inner.delete

    def scan(self, prefix: str, *, start: str = "") -> Iterator[tuple[str, bytes]]:
        for found in self._inner.scan(prefix, start=start):
            self.looked_at += 1
            yield found


def test_dropping_looks_only_at_what_goes_and_one_entry_a_site(state: EmbeddedState) -> None:
    sites = ("metro", "metro-2", "metro0", "z")
    with state.write() as transaction:
        for kind in ("demand", "imported"):
            for site in sites:
                for days in range(30):
                    transaction.put(f"{kind}/{site}/{TODAY - timedelta(days=days)}/t/a", b"\x92\x01\x02")
        counting = Counting(transaction)
        assert drop_before(counting, TODAY - timedelta(days=27)) == 2 * 2 * len(sites)
        assert counting.looked_at == 2 * len(sites) * (1 + 2 + 1)
    oldest = (TODAY - timedelta(days=27)).toordinal()
    assert {site: min(assets["t/a"]) for site, assets in daily_bytes(state).items()} == dict.fromkeys(sites, oldest)


def import_text(state: EmbeddedState, folder: Path, text: str | bytes) -> tuple[int, int]:
    path = folder / "demand.csv"
    path.write_bytes(text.encode() if isinstance(text, str) else text)
    return import_demand(path, state, sites={"metro"}, known=KNOWN, today=TODAY)


def test_import_sets_days_and_can_be_repeated(state: EmbeddedState, tmp_path: Path) -> None:
    take(state, make_batch(0, at_ns=NOW_NS - DAY_NS, t__a=(1, 1)))
    text = HEADER + "metro,t/a,2024-10-03,5,100\n\nmetro, t/b ,2024-10-02,0,0\n"
    assert import_text(state, tmp_path, text) == (2, 100)
    assert import_text(state, tmp_path, text) == (2, 100)
    assert total(state) == 101


@pytest.mark.parametrize(
    ("row", "told"),
    [
        ("other,t/a,2024-10-03,1,1", "line 2: unknown site 'other'"),
        ("metro,t/z,2024-10-03,1,1", "line 2: unknown asset 't/z'"),
        ("metro,t/a,3.10.2024,1,1", "line 2: day '3.10.2024' is not of the form"),
        ("metro,t/a,2024-10-05,1,1", "line 2: day 2024-10-05 lies ahead"),
        ("metro,t/a,2024-10-03,1,-1", "line 2: bytes '-1' is not a whole number"),
        ("metro,t/a,2024-10-03,1e9,1", "line 2: requests '1e9' is not a whole number"),
        ("metro,t/a,2024-10-03,1," + "9" * 400, "is not a whole number from 0 to"),
        ("metro,t/a,2024-10-03,1", "line 2: 4 columns, wanted 5"),
        ("metro,t/a,2024-10-03,1,1\nmetro,t/a,2024-10-03,1,1", "line 3: metro, t/a, 2024-10-03 comes twice"),
        ('metro,"t/a,2024', "cannot be read"),
    ],
)
def test_import_names_wrong_lines_and_changes_nothing(
    state: EmbeddedState, tmp_path: Path, row: str, told: str
) -> None:
    with pytest.raises(ConfigError) as refused:
        import_text(state, tmp_path, HEADER + row + "\n")
    assert told in refused.value.message
    assert daily_bytes(state) == {}


def test_import_stops_after_enough_wrong_lines(state: EmbeddedState, tmp_path: Path) -> None:
    with pytest.raises(ConfigError) as refused:
        import_text(state, tmp_path, HEADER + "x\n" * 1000)
    assert refused.value.message.count("line") == 10


@pytest.mark.parametrize("text", ["", "a,b\n", b"\xff\xfe", b"\0"])
def test_import_refuses_what_is_no_such_file(state: EmbeddedState, tmp_path: Path, text: str | bytes) -> None:
    with pytest.raises(ConfigError):
        import_text(state, tmp_path, text)


def test_import_refuses_missing_file(state: EmbeddedState, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="No such file"):
        import_demand(tmp_path / "none.csv", state, sites=[], known=[], today=TODAY)
