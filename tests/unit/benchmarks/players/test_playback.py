from __future__ import annotations

import random
from math import inf

import pytest
from hypothesis import given
from hypothesis import strategies as st

from benchmarks.players.playback import BUFFER_S, Playback
from benchmarks.players.viewer import Seek, Viewer, draw_viewer


def playback(
    *, segments: int = 5, patience_s: float = 10, leaves_after_s: float = inf, seeks: tuple[Seek, ...] = ()
) -> Playback:
    return Playback(Viewer(8_000_000, patience_s, leaves_after_s, seeks), (4.0,) * segments, clicked_at=100)


def test_playback_starts_with_first_segment() -> None:
    film = playback()
    assert film.is_waiting
    assert film.fetch_at == 100
    film.arrived(0, 100.5)
    assert (film.startup_s, film.is_waiting, film.number) == (0.5, False, 1)
    film.advance(101.5)
    assert (film.watched_s, film.buffered_s) == (1, 3)


def test_playback_plays_to_end() -> None:
    film = playback(segments=2)
    film.arrived(0, 101)
    film.arrived(1, 102)
    assert film.has_all
    assert film.fetch_at is None
    film.advance(108.9)
    assert not film.ending
    film.advance(200)
    assert (film.ending, film.watched_s, film.stalls_s) == ("finished", 8, [])
    assert film.change_at() is None


def test_playback_stalls_on_empty_buffer() -> None:
    film = playback()
    film.arrived(0, 101)
    film.advance(106)
    assert film.is_stalled
    assert film.arrived(1, 107.5)
    assert film.stalls_s == [2.5]
    assert (film.is_stalled, film.is_waiting) == (False, False)
    assert film.watched_s == 4


def test_playback_pauses_on_full_buffer() -> None:
    film = playback(segments=20)
    for number in range(9):
        film.arrived(number, 101)
    assert film.buffered_s == 36
    assert film.fetch_at == 101 + 36 - BUFFER_S
    film.advance(104)
    assert film.fetch_at == 107


def test_viewer_leaves_impatient_at_start() -> None:
    film = playback(patience_s=3)
    film.arrived(0, 103.5)
    assert (film.ending, film.startup_s, film.unstarted_s) == ("impatient", None, 3)


def test_viewer_leaves_impatient_in_stall() -> None:
    film = playback(patience_s=3)
    film.arrived(0, 101)
    film.advance(150)
    assert (film.ending, film.stalls_s, film.unstarted_s) == ("impatient", [3], None)


def test_viewer_leaves_early_by_choice() -> None:
    film = playback(leaves_after_s=2.5)
    film.arrived(0, 101)
    assert film.change_at() == 103.5
    film.advance(103.5)
    assert (film.ending, film.watched_s) == ("left", 2.5)


def test_seek_drops_buffer_and_waits() -> None:
    film = playback(seeks=(Seek(1, 13),))
    film.arrived(0, 101)
    film.arrived(1, 101)
    film.advance(102.5)
    assert (film.number, film.buffered_s, film.is_waiting, film.is_stalled) == (3, 0, True, False)
    assert not film.arrived(2, 102.6)  # what was on its way before the seek
    assert film.number == 3
    film.arrived(3, 102.75)
    assert film.seek_waits_s == [0.75]
    assert film.stalls_s == []
    film.arrived(4, 102.75)
    film.advance(200)
    assert (film.ending, film.watched_s) == ("finished", 9)


def test_seek_reaches_last_segment() -> None:
    film = playback(seeks=(Seek(1, 20),))
    film.arrived(0, 101)
    film.advance(102)
    assert film.number == 4


def test_end_closes_open_waits() -> None:
    waiting, stalled, playing = playback(), playback(), playback()
    waiting.end(104, "run over")
    assert (waiting.ending, waiting.unstarted_s) == ("run over", 4)
    stalled.arrived(0, 101)
    stalled.end(106, "failed")
    assert stalled.stalls_s == [1]
    playing.arrived(0, 101)
    playing.end(102, "run over")
    playing.end(103, "failed")
    assert (playing.ending, playing.watched_s, playing.unstarted_s) == ("run over", 1, None)


@given(seed=st.integers(), delays_s=st.lists(st.floats(min_value=0, max_value=9), max_size=60))
def test_playback_accounts_for_all_time(seed: int, delays_s: list[float]) -> None:
    film = Playback(draw_viewer(random.Random(seed), 40), (4.0,) * 10, clicked_at=0)
    now = 0.0
    for delay_s in delays_s:
        number = film.number
        now += delay_s
        if not film.ending and not film.has_all:
            film.arrived(number, now)
    film.end(now, "run over")
    waited_s = (film.startup_s or 0) + (film.unstarted_s or 0) + sum(film.stalls_s) + sum(film.seek_waits_s)
    if film.ending == "run over":
        assert film.watched_s + waited_s == pytest.approx(now)
    else:
        assert film.watched_s + waited_s <= now + 1e-6
    assert min([0, *film.stalls_s, *film.seek_waits_s]) == 0
