from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from functools import partial
from pathlib import Path

import pytest

import fill.state as state_module
from fill.night import Night
from fill.state import FillState
from fill.tracker import FillTracker
from oca.common.errors import StoreError
from oca.store import files
from oca.store.fill_record import FillFigures, Pause

NIGHT = Night(night="2026-01-10", started_at_ns=1, ended_at_ns=2, bytes_by_source={"peer": 5})


def test_state_keeps_nights_and_progress(device: Path) -> None:
    state = FillState(device)
    assert (state.nights(), state.progress()) == ([], None)
    progress = FillTracker("fra1-a", started_at_ns=5).snapshot(9)
    state.keep([NIGHT])
    state.show(progress, bytes_in=0)
    again = FillState(device)
    assert (again.nights(), again.progress()) == ([NIGHT], progress)


def test_state_keeps_pause_until_it_ends(device: Path) -> None:
    state = FillState(device)
    assert state.pause(5) is None
    state.begin_pause(Pause(since_ns=5, until_ns=100, why="works"))
    assert state.pause(99) == Pause(5, 100, "works")
    assert state.pause(100) is None
    state.begin_pause(Pause(since_ns=5))
    assert state.pause(10**18) == Pause(5)
    state.end_pause()
    state.end_pause()
    assert state.pause(5) is None


def test_state_names_file_that_is_not_its_own(device: Path) -> None:
    FillState(device).keep([NIGHT])
    (device / "fill" / "nights.json").write_text("[1]")
    with pytest.raises(StoreError, match=r"nights\.json: is not as the agent wrote it"):
        FillState(device).nights()


def test_state_never_makes_a_device(tmp_path: Path) -> None:
    with pytest.raises(StoreError, match="use as a device"):
        FillState(tmp_path / "unmounted").keep([NIGHT])
    assert not (tmp_path / "unmounted").exists()


def test_state_heeds_no_progress_that_comes_late(device: Path) -> None:
    state = FillState(device)
    tracker = FillTracker("fra1-a", started_at_ns=5)
    late = tracker.snapshot(9)
    tracker.ended(why="")
    last = tracker.snapshot(10)
    state.show(last, bytes_in=0)
    state.show(late, bytes_in=0)
    assert state.progress() == last


def test_state_takes_progress_from_several_threads(device: Path) -> None:
    state = FillState(device)
    seen = [FillTracker("fra1-a", started_at_ns=5).snapshot(10 + number) for number in range(60)]
    with ThreadPoolExecutor(4) as threads:
        assert list(threads.map(partial(state.show, bytes_in=0), seen)) == [None] * 60
    assert state.progress() == seen[-1]


def test_state_waits_once_for_device_that_hangs(device: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    state = FillState(device)
    answers = threading.Event()
    write = files.write_whole

    def hang(path: Path, data: bytes) -> None:
        answers.wait()
        write(path, data)

    monkeypatch.setattr(state_module, "ANSWER_S", 0.05)
    monkeypatch.setattr(files, "write_whole", hang)
    with pytest.raises(StoreError, match="has not answered for"):
        state.keep([NIGHT])
    monkeypatch.setattr(state_module, "ANSWER_S", 600.0)
    with pytest.raises(StoreError, match="has not answered for"):
        state.keep([NIGHT])  # at once
    answers.set()
    while True:
        with suppress(StoreError):
            state.keep([NIGHT])
            break
    assert state.nights() == [NIGHT]


def test_state_counts_fills_on_over_a_kill_and_a_restart(device: Path) -> None:
    killed = FillTracker("fra1-a", started_at_ns=5)
    killed.came("origin", 100)
    state = FillState(device)
    state.show(killed.snapshot(6), bytes_in=40)
    killed.came("origin", 50)
    state.show(killed.snapshot(7), bytes_in=60)
    assert state.figures() == FillFigures(bytes_by_source={"origin": 150}, bytes_in=60)
    again = FillState(device)
    second = FillTracker("fra1-a", started_at_ns=8)
    second.came("peer", 7)
    second.ended()
    again.show(second.snapshot(9), bytes_in=1)
    again.show(second.snapshot(9), bytes_in=1)
    assert again.figures() == FillFigures(done=1, bytes_by_source={"origin": 150, "peer": 7}, bytes_in=61, done_at_ns=9)


def test_state_shows_progress_though_figures_are_not_its_own(device: Path) -> None:
    state = FillState(device)
    state.begin_pause(Pause(since_ns=5))
    (device / "fill" / "figures.json").write_text("[1]")
    progress = FillTracker("fra1-a", started_at_ns=5).snapshot(9)
    with pytest.raises(StoreError, match=r"figures\.json: is not as the agent wrote it"):
        state.show(progress, bytes_in=0)
    assert state.progress() == progress
