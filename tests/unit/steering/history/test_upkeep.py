from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from msgspec.structs import replace

import steering.history.hourly as hourly_module
from oca.common.errors import SteeringError
from steering.history.days import days_of
from steering.history.hourly import HourlyHistory
from steering.history.log import listed
from steering.history.settings import HistoryTable
from steering.history.upkeep import keep_up
from steering.state.embedded import EmbeddedState
from tests.unit.steering.history.made_up import HOUR_NS, Told, bytes_by_day, settings_of
from tests.unit.steering.made_up import NOW_NS, daily_bytes, make_settings


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
