from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pytest

from oca.common.errors import SteeringError
from steering.history import columns
from steering.history.columns import KeptDay
from steering.history.daily import Days, Rows, Sums
from steering.history.engine import Columns, DuckDb
from steering.history.log import compact, day_text, flush, listed, sweep
from steering.history.past import Past, read_past
from steering.history.queries import Query
from steering.history.settings import HistoryTable
from steering.history.upkeep import keep_up, put_away
from steering.plan.shelf import shelve
from steering.state.embedded import EmbeddedState
from tests.unit.steering.history.made_up import TODAY, Told, local, settings_of
from tests.unit.steering.made_up import DAY_NS, NOW_NS, make_summary, make_title

OLD, NEW = (make_title(name, assets=[make_summary(f"{name}/a")]) for name in ("old", "new"))


def past(state: EmbeddedState, folder: Path, *, new_days_ago: int = 5) -> Past:
    new = make_title("new", assets=NEW.assets, released_at_ns=NOW_NS - new_days_ago * DAY_NS)
    return read_past(
        state,
        HistoryTable(),
        lambda: shelve([OLD, new]),
        folder=folder,
        sites=["unheard"],
        history_days=28,
        half_life_days=2.0,
        now_ns=NOW_NS + DAY_NS // 2,
    )


def test_past_is_that_of_files_and_state_together(state: EmbeddedState, tmp_path: Path) -> None:
    told = Told(state)
    told.demand(40, old__a=(1, 100), gone__a=(1, 900))
    told.demand(90, site="north", old__a=(1, 64))
    flush(state, tmp_path, local(tmp_path), now_ns=NOW_NS)
    told.demand(0, old__a=(1, 3))
    found = past(state, tmp_path)
    assert found.sites == ["metro", "north", "unheard"]
    assert found.watched.dense().tolist() == [[0.0, 53.0], [0.0, 16.0], [0.0, 0.0]]
    assert (found.window.first, found.window.today, found.aside) == (TODAY - 4, TODAY, [])


@pytest.mark.parametrize("kept", ["files", "state", "file and state"])
@pytest.mark.parametrize("hours_ago", [0, 24], ids=["today", "yesterday"])
def test_past_counts_viewers_once_whom_one_box_sent_on_and_another_served_after_a_restart(
    state: EmbeddedState, tmp_path: Path, hours_ago: int, kept: str
) -> None:
    """A restart puts the hour that goes on into a file: what came before and after is in two rows."""
    told = Told(state)
    told.redirected(hours_ago, "old/a", 1000)
    if kept != "state":
        put_away(state, settings_of(tmp_path))
    told.demand(hours_ago, old__a=(1, 1000))
    if kept == "files":
        put_away(state, settings_of(tmp_path))
    assert len(listed(state)) == ("state", "file and state", "files").index(kept)
    found = past(state, tmp_path)
    assert found.watched.by_cluster().sum() == (707 if hours_ago else 1000)
    if kept == "files" and hours_ago:
        keep_up(state, settings_of(tmp_path), now_ns=NOW_NS + DAY_NS)
        assert past(state, tmp_path).watched.by_cluster().sum() == 707, "and as one file"


@pytest.mark.parametrize("is_flushed", [True, False], ids=["file", "state"])
@pytest.mark.parametrize("hour", [0, 5])
def test_past_is_what_was_imported_and_what_was_redirected_in_whatever_hour(
    state: EmbeddedState, tmp_path: Path, hour: int, *, is_flushed: bool
) -> None:
    Told(state).redirected(24 - hour, "old/a", 600)
    imported(state, TODAY - 1, 1000)
    if is_flushed:
        flush(state, tmp_path, local(tmp_path), now_ns=NOW_NS)
    assert len(listed(state)) == is_flushed
    assert past(state, tmp_path).yesterday.by_cluster().tolist() == [1600, 0]


def test_past_is_the_same_some_sites_at_a_time(
    state: EmbeddedState, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    told = Told(state)
    for number, site in enumerate(("north", "metro", "süd", "Alpen")):
        told.demand(40 + 24 * (number % 2), site=site, old__a=(1, 100 + number), new__a=(1, 7))
    flush(state, tmp_path, local(tmp_path), now_ns=NOW_NS)
    at_once = past(state, tmp_path)
    for path in columns_of(tmp_path):
        path.unlink()
    monkeypatch.setattr("steering.history.past.SITES_PER_QUERY", 2)
    monkeypatch.setattr("steering.history.past.SITES_PER_BLOCK", 2)
    in_parts = past(state, tmp_path)
    assert in_parts.sites == at_once.sites == ["Alpen", "metro", "north", "süd", "unheard"]
    assert in_parts.watched.dense().tolist() == at_once.watched.dense().tolist()
    assert in_parts.yesterday.dense().tolist() == at_once.yesterday.dense().tolist()
    assert at_once.watched.dense()[:4].all()


def test_past_of_nothing_is_nothing(state: EmbeddedState, tmp_path: Path) -> None:
    found = past(state, tmp_path)
    assert (found.sites, found.debut_share, found.window.first) == (["unheard"], 0.0, TODAY)
    assert not found.watched.dense().any()
    nobody = read_past(
        state,
        HistoryTable(),
        lambda: shelve([OLD]),
        folder=tmp_path,
        sites=[],
        history_days=28,
        half_life_days=2.0,
        now_ns=NOW_NS,
    )
    assert (nobody.sites, nobody.debut_share, nobody.watched.clusters) == ([], 0.0, 0)


def test_past_of_absurd_demand_is_read_all_the_same(state: EmbeddedState, tmp_path: Path) -> None:
    """As one box's batches of an earlier release could make it: the sum of missed and redirected overflowed."""
    with state.write() as transaction:
        for hour in range(24):
            raw = msgspec.msgpack.encode([2**63 - 1] * 9)
            transaction.put(f"demand/metro/{day_text(TODAY - 1)}T{hour:02}/old/a", raw)
    Told(state).demand(24, site="north", old__a=(1, 64))
    found = past(state, tmp_path)
    metro, north, _ = found.yesterday.dense()[:, 1].tolist()
    assert (metro, north) == (2.0**53, 64.0), "sums end where those of floats are the same in any order"


def test_past_of_a_shared_state_is_what_the_state_holds(state: EmbeddedState) -> None:
    Told(state).demand(30, old__a=(1, 100))
    found = read_past(
        state,
        HistoryTable(),
        lambda: shelve([OLD]),
        folder=None,
        sites=[],
        history_days=28,
        half_life_days=2.0,
        now_ns=NOW_NS,
    )
    assert found.watched.dense().tolist() == [[50.0]]


def test_past_tells_what_new_titles_had_on_their_first_days(state: EmbeddedState, tmp_path: Path) -> None:
    told = Told(state)
    for day in range(10):
        new = {5: 20, 4: 20, 3: 20, 2: 900}.get(day, 0)
        told.demand(24 * day, old__a=(1, 80), new__a=(1, new))
    assert past(state, tmp_path).debut_share == pytest.approx(0.2)
    assert past(state, tmp_path, new_days_ago=50).debut_share == 0


def test_past_goes_on_without_a_damaged_file_and_says_so(state: EmbeddedState, tmp_path: Path) -> None:
    told = Told(state)
    told.demand(30, old__a=(1, 100))
    told.demand(50, old__a=(1, 64))
    flush(state, tmp_path, local(tmp_path), now_ns=NOW_NS)
    broken = listed(state)[0].path(tmp_path)
    broken.write_bytes(broken.read_bytes()[:-20] + b"x" * 20)
    found = past(state, tmp_path)
    assert found.watched.by_cluster().sum() == 50
    assert [why.startswith(str(broken)) for why in found.aside] == [True]
    assert len(listed(state)) == 2, "who only asks changes nothing"


def imported(state: EmbeddedState, day: int, count: int) -> None:
    with state.write() as transaction:
        transaction.put(f"imported/metro/{day_text(day)}/old/a", msgspec.msgpack.encode([3, count]))


def sums(found: Past) -> list[object]:
    return [
        found.sites, found.watched.dense().tolist(), found.yesterday.dense().tolist(), found.debut_share, found.aside,
        found.window,
    ]  # fmt: skip


def columns_of(folder: Path) -> list[Path]:
    return sorted(folder.glob("day=*/*.columns"))


def test_past_of_kept_columns_is_the_past_without_them(state: EmbeddedState, tmp_path: Path) -> None:
    """Night after night, with batches that come late, an import, a file that goes, and columns that are damaged."""
    chance, told = np.random.default_rng(6), Told(state)
    for step in range(12):
        for site in ("metro", "north", "süd"):
            counts = {name: (1, int(chance.integers(0, 2**40))) for name in ("old__a", "new__a", "gone__a")}
            told.demand(float(chance.integers(0, 120)), site=site, **counts)
            told.redirected(float(chance.integers(0, 120)), "old/a", int(chance.integers(0, 2**41)), site)
        if step == 5:
            imported(state, TODAY - 2, 12345)
        if step % 3:
            flush(state, tmp_path, local(tmp_path), now_ns=NOW_NS)
        if step == 7:
            listed(state)[0].path(tmp_path).unlink()
        if step == 9:
            compact(state, tmp_path, local(tmp_path), now_ns=NOW_NS)
        if found := columns_of(tmp_path):
            broken = found[step % len(found)]
            broken.write_bytes(broken.read_bytes()[: 50 * step])
        by_kept = [sums(past(state, tmp_path)) for _ in range(2)]
        for path in columns_of(tmp_path):
            path.unlink()
        anew = sums(past(state, tmp_path))
        assert by_kept == [anew, anew], f"step {step}"
        assert columns_of(tmp_path) or step == 0


@pytest.fixture
def read(monkeypatch: pytest.MonkeyPatch) -> list[list[str]]:
    """The folders of the files that each query is asked of."""
    found: list[list[str]] = []
    run = DuckDb.run

    def noting(engine: DuckDb, query: Query, log: Sequence[Path], small: Mapping[str, Columns]) -> Any:
        found.append([path.parent.name for path in log if path.parent.name.startswith("day=")])
        return run(engine, query, log, small)

    monkeypatch.setattr(DuckDb, "run", noting)
    return found


def test_past_reads_days_that_are_over_no_second_time(
    state: EmbeddedState, tmp_path: Path, read: list[list[str]]
) -> None:
    for days in range(1, 4):
        Told(state).demand(24 * days, site=f"site-{days}", old__a=(1, 64))
    flush(state, tmp_path, local(tmp_path), now_ns=NOW_NS)
    first = sums(past(state, tmp_path))
    read.clear()
    assert sums(past(state, tmp_path)) == first
    assert read == []


def test_past_reads_days_of_which_hours_came_late_one_at_a_time_and_imported_ones_not_again(
    state: EmbeddedState, tmp_path: Path, read: list[list[str]]
) -> None:
    told = Told(state)
    for days in range(1, 6):
        told.demand(24 * days, old__a=(1, 64))
    flush(state, tmp_path, local(tmp_path), now_ns=NOW_NS)
    past(state, tmp_path)
    read.clear()
    for days in (1, 2, 3):
        imported(state, TODAY - days, 1000)
    for days in (3, 4):
        told.demand(24 * days, old__a=(1, 8))
    found = past(state, tmp_path)
    late = {f"day={day_text(TODAY - days)}" for days in (3, 4)}
    assert {day for asked in read for day in asked} == late
    assert {len(asked) for asked in read} == {0, 1}
    assert found.yesterday.by_cluster().tolist() == [1064, 0]


def test_past_is_whole_though_its_columns_are_swept_or_removed_as_it_is_read(
    state: EmbeddedState, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A batch that comes late gives the day another file, and so its columns another name."""
    told = Told(state)
    for days in range(1, 4):
        told.demand(24 * days, old__a=(1, 64))
    flush(state, tmp_path, local(tmp_path), now_ns=NOW_NS)
    first = sums(past(state, tmp_path))
    plain = Days.sums

    def swept(days: Days, sites: Sequence[str]) -> Sums:
        if columns_of(tmp_path):
            told.demand(30, old__a=(1, 1000))
            flush(state, tmp_path, local(tmp_path), now_ns=NOW_NS)
            sweep(state, tmp_path, now_ns=time.time_ns() + DAY_NS)
            for path in columns_of(tmp_path):
                path.unlink()
        return plain(days, sites)

    monkeypatch.setattr(Days, "sums", swept)
    assert sums(past(state, tmp_path)) == first
    assert not columns_of(tmp_path)


@pytest.mark.parametrize("fails", [False, True])
def test_past_leaves_no_columns_open(
    state: EmbeddedState, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, *, fails: bool
) -> None:
    Told(state).demand(30, old__a=(1, 100))
    flush(state, tmp_path, local(tmp_path), now_ns=NOW_NS)
    kept: list[KeptDay] = []
    plain, between = columns.open_kept, KeptDay.between

    def noted(path: Path) -> KeptDay | None:
        found = plain(path)
        kept.extend([found] if found is not None else [])
        return found

    def read(day: KeptDay, first: str, last: str) -> Rows:
        assert not day.file.closed
        if fails:
            raise SteeringError("the disk fails", remedy="replace it")
        return between(day, first, last)

    monkeypatch.setattr(columns, "open_kept", noted)
    monkeypatch.setattr(KeptDay, "between", read)
    with pytest.raises(SteeringError, match="the disk fails") if fails else nullcontext():
        past(state, tmp_path)
    assert [day.file.closed for day in kept] == [True]


def test_past_goes_on_where_columns_cannot_be_kept(
    state: EmbeddedState, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    Told(state).demand(30, old__a=(1, 100))
    flush(state, tmp_path, local(tmp_path), now_ns=NOW_NS)

    def full(*_: object) -> None:
        raise SteeringError("no space", remedy="make some")

    monkeypatch.setattr("steering.history.columns.keep", full)
    assert past(state, tmp_path).watched.by_cluster().sum() == 50
    assert not columns_of(tmp_path)
