from __future__ import annotations

import asyncio
import errno
import os
import shutil
import threading
from functools import partial
from pathlib import Path

import pytest
from msgspec.structs import replace

import steering.history.hourly as hourly_module
import steering.history.log as log_module
import steering.history.upkeep as upkeep_module
from oca.common.errors import SteeringError
from oca.common.log import configure_logging
from oca.common.threads import in_thread
from steering.history import files
from steering.history.days import days_of
from steering.history.hourly import HourlyHistory, put_away
from steering.history.log import columns_of_day, listed
from steering.history.settings import HistoryTable
from steering.history.upkeep import CONFLICTS_MAX, keep_up
from steering.plan.settings import PlanTable
from steering.state.embedded import EmbeddedState
from tests.unit.steering.history.made_up import HOUR_NS, Preceded, Told, bytes_by_day, local, settings_of
from tests.unit.steering.made_up import NOW_NS, daily_bytes, make_settings
from tests.waiting import WAIT_S


def test_upkeep_makes_one_file_a_day_and_names_what_is_damaged(state: EmbeddedState, tmp_path: Path) -> None:
    folder, told = tmp_path / "history", Told(state)
    for hours_ago in (31, 30, 55):
        told.demand(hours_ago, t__a=(1, 100), t__b=(1, 1))
        assert keep_up(state, settings_of(folder), now_ns=NOW_NS) == []
    assert bytes_by_day(state, folder) == {2: 202, 3: 101}
    assert len(listed(state)) == 2
    listed(state)[0].path(folder).unlink()
    aside = keep_up(state, settings_of(folder), now_ns=NOW_NS)
    assert len(aside) == 1
    assert "no such file" in aside[0]
    days, said = days_of(state, settings_of(folder), now_ns=NOW_NS)
    assert said == aside
    assert [(each.day, each.files, each.rows, each.bytes, each.assets) for each in days] == [
        ("2024-10-02", 1, 4, 202, 2)
    ]


async def test_history_is_kept_up_beside_answering(
    state: EmbeddedState, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    Told(state).demand(30, t__a=(1, 100))
    monkeypatch.setattr(hourly_module, "LOOK_S", 0.0)
    monkeypatch.setattr(hourly_module, "now_ns", lambda: NOW_NS + HOUR_NS)
    history = HourlyHistory(state, settings_of(tmp_path / "history"))
    await history.look()
    assert bytes_by_day(state, tmp_path / "history") == {2: 100}
    listed(state)[0].path(tmp_path / "history").unlink()
    await history.look()
    assert [fault.startswith("history: ") for fault in history.faults()] == [True]
    await history.look()
    assert [fault.startswith("history: ") for fault in history.faults()] == [True], "its empty day is no disk away"


async def test_hours_are_put_away_as_the_service_ends_and_go_on_after_the_next_start(
    state: EmbeddedState, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder, told = tmp_path / "history", Told(state)
    monkeypatch.setattr(log_module, "ROWS_PER_FLUSH_MAX", 2)
    monkeypatch.setattr(log_module.flush, "__kwdefaults__", {"rows_max": 2})
    await put_away(state, settings_of(folder))
    assert not folder.exists()
    told.demand(0, t__a=(1, 100), t__b=(1, 20), t__c=(1, 3))
    await put_away(state, settings_of(folder))
    assert list(state.scan("demand/")) == []
    told.demand(0, t__a=(1, 4))  # of the same hour
    keep_up(state, settings_of(folder), now_ns=NOW_NS + 30 * HOUR_NS)
    assert len(listed(state)) == 1
    assert bytes_by_day(state, folder) == {0: 127}


async def test_hours_stay_in_the_state_where_they_cannot_be_put_away(
    state: EmbeddedState, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    configure_logging(style="json")
    (tmp_path / "file").write_text("x")
    Told(state).demand(0, t__a=(1, 100))
    await put_away(state, settings_of(tmp_path / "file" / "history"))
    assert "cannot be made: Not a directory" in capsys.readouterr().err
    monkeypatch.setattr(hourly_module, "PUT_AWAY_S_MAX", 0.0)
    await put_away(state, settings_of(tmp_path / "history"))
    assert "not done in 0 s" in capsys.readouterr().err
    shared = replace(make_settings(tmp_path), history=HistoryTable())
    shared = replace(shared, state=replace(shared.state, engine="nats"))
    monkeypatch.setattr(hourly_module, "PUT_AWAY_S_MAX", 20.0)
    await put_away(state, shared)
    assert "hours of demand stay in the state" in (said := capsys.readouterr().err)
    assert "history.path names no folder" in said
    assert daily_bytes(state)["metro"]


@pytest.mark.parametrize("error", [errno.EACCES, errno.ENOSPC, errno.EROFS])
async def test_hours_that_find_no_room_as_the_service_ends_are_told_of_and_end_it_well(
    state: EmbeddedState,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    error: int,
) -> None:
    def refuse(*_: object) -> None:
        raise OSError(error, os.strerror(error))

    configure_logging(style="json")
    monkeypatch.setattr("tempfile.mkdtemp", refuse)
    Told(state).demand(0, t__a=(1, 100))
    await put_away(state, settings_of(tmp_path / "history"))
    assert "hours of demand stay in the state" in (said := capsys.readouterr().err)
    assert f"history cannot be written: {os.strerror(error)}" in said


@pytest.mark.parametrize("rivals", [1, CONFLICTS_MAX])
async def test_hours_are_put_away_though_another_process_comes_first(
    state: EmbeddedState,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    rivals: int,
) -> None:
    configure_logging(style="json")
    folder, told = tmp_path / "history", Told(state)

    def rival() -> None:
        assert log_module.flush(state, folder, local(tmp_path), now_ns=NOW_NS + 2 * HOUR_NS) == 1
        told.demand(0, t__a=(1, 10))

    told.demand(0, t__a=(1, 100))
    busy = Preceded(tmp_path, [rival] * rivals)
    monkeypatch.setattr(upkeep_module, "DuckDb", lambda *_, **__: busy)
    await put_away(state, settings_of(folder))
    said = capsys.readouterr().err
    if rivals == 1:
        assert not said
        assert bytes_by_day(state, folder) == {0: 110}
    else:
        assert "at the same time, 3 times" in said
        assert bytes_by_day(state, folder) == {0: 120}
        assert list(daily_bytes(state)["metro"]["t/a"].values()) == [10]


async def test_hours_that_others_take_in_as_the_service_ends_are_told_of(
    state: EmbeddedState, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    configure_logging(style="json")
    told = Told(state)
    told.demand(0, t__a=(1, 100))
    busy = Preceded(tmp_path, [lambda: told.demand(0, t__b=(1, 10))])
    monkeypatch.setattr(upkeep_module, "DuckDb", lambda *_, **__: busy)
    await put_away(state, settings_of(tmp_path / "history"))
    assert "took them in meanwhile" in capsys.readouterr().err


async def test_hours_are_put_away_after_the_upkeep_that_is_under_way(
    state: EmbeddedState, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """The end of the service cancels the wait for upkeep, not its thread."""
    configure_logging(style="json")
    folder, told = tmp_path / "history", Told(state)
    is_writing, may_write = threading.Event(), threading.Event()

    def hang() -> None:
        is_writing.set()
        assert may_write.wait(WAIT_S)

    busy = Preceded(tmp_path, [hang])
    monkeypatch.setattr(upkeep_module, "DuckDb", lambda *_, **__: busy)
    told.demand(30, t__a=(1, 100))
    upkeep = in_thread(partial(keep_up, state, settings_of(folder), now_ns=NOW_NS), name="upkeep")
    assert await asyncio.to_thread(is_writing.wait, WAIT_S)
    told.demand(30, t__a=(1, 11))
    monkeypatch.setattr(hourly_module, "PUT_AWAY_S_MAX", 1.0)
    await put_away(state, settings_of(folder))
    assert "not done in 1 s" in capsys.readouterr().err
    assert listed(state) == []
    may_write.set()
    await upkeep
    monkeypatch.setattr(hourly_module, "PUT_AWAY_S_MAX", WAIT_S)
    await put_away(state, settings_of(folder))
    assert keep_up(state, settings_of(folder), now_ns=NOW_NS) == []
    assert bytes_by_day(state, folder) == {2: 111}


def test_upkeep_passes_over_what_others_remove_meanwhile(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    look, folder = Path.glob, tmp_path / "history"
    (folder / "day=2").mkdir(parents=True)
    monkeypatch.setattr(Path, "glob", lambda at, said: [at / said.replace("*", "gone"), *look(at, said)])
    assert files.remove_unlisted(folder, set(), before_s=2.0**40) == 0
    assert not (folder / "day=2").exists()


def test_history_of_a_shared_state_has_no_files_unless_a_folder_is_named(state: EmbeddedState, tmp_path: Path) -> None:
    told = Told(state)
    told.demand(30, t__a=(1, 100))
    shared = replace(make_settings(tmp_path), history=HistoryTable())
    shared = replace(shared, state=replace(shared.state, engine="nats"))
    assert keep_up(state, shared, now_ns=NOW_NS) == []
    assert days_of(state, shared, now_ns=NOW_NS) == ([], [])
    assert listed(state) == []
    assert daily_bytes(state)["metro"]


@pytest.mark.parametrize("is_there", [True, False], ids=["empty mount point", "no folder"])
def test_upkeep_waits_while_the_disk_of_the_history_is_away(
    state: EmbeddedState, tmp_path: Path, is_there: bool
) -> None:
    folder, told = tmp_path / "history", Told(state)
    for hours_ago in (31, 55):
        told.demand(hours_ago, t__a=(1, 100))
    keep_up(state, settings_of(folder), now_ns=NOW_NS)
    folder.rename(tmp_path / "away")
    if is_there:
        folder.mkdir()
    told.demand(29, t__a=(1, 11))
    with pytest.raises(SteeringError, match=r"has no day of the history, and the state names 2 files .*; mount its"):
        keep_up(state, settings_of(folder), now_ns=NOW_NS)
    assert folder.exists() == is_there
    if is_there:
        assert list(folder.iterdir()) == []
        folder.rmdir()
    (tmp_path / "away").rename(folder)
    assert keep_up(state, settings_of(folder), now_ns=NOW_NS + 10**9 * 7200) == []
    assert bytes_by_day(state, folder) == {2: 111, 3: 100}


def test_upkeep_removes_columns_that_no_plan_reads_any_more(state: EmbeddedState, tmp_path: Path) -> None:
    folder, told, at_ns = tmp_path / "history", Told(state), NOW_NS
    settings = replace(settings_of(folder), plan=PlanTable(history_days=3))
    for hours_ago in (31, 55):
        told.demand(hours_ago, t__a=(1, 100))
    keep_up(state, settings, now_ns=NOW_NS)
    made = [folder / columns_of_day(each.day, [each]) for each in listed(state)]
    for path in (*made, made[0].with_name("of other files.columns"), made[1].with_name(made[1].name + ".7-killed")):
        path.write_bytes(b"")
        os.utime(path, (0, 0))
    for days_later, left in ((0, made), (1, made[1:]), (2, [])):
        keep_up(state, settings, now_ns=at_ns + days_later * 24 * HOUR_NS)
        assert sorted(path for path in folder.glob("day=*/*") if path.suffix != ".parquet") == left
    assert len(listed(state)) == 2


def test_upkeep_goes_on_without_files_that_are_given_up(state: EmbeddedState, tmp_path: Path) -> None:
    folder, told = tmp_path / "history", Told(state)
    told.demand(31, t__a=(1, 100))
    keep_up(state, settings_of(folder), now_ns=NOW_NS)
    shutil.rmtree(folder)
    (folder / "day=lost").mkdir(parents=True)
    told.demand(55, t__a=(1, 11))
    assert ["no such file" in why for why in keep_up(state, settings_of(folder), now_ns=NOW_NS)] == [True]
    days, said = days_of(state, settings_of(folder), now_ns=NOW_NS)
    assert ([each.bytes for each in days], len(said)) == ([11], 1)


def test_upkeep_says_where_it_cannot_write(state: EmbeddedState, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("x")
    with pytest.raises(SteeringError, match=r"file/history cannot be made: Not a directory; see that history\.path"):
        keep_up(state, settings_of(tmp_path / "file" / "history"), now_ns=NOW_NS)
