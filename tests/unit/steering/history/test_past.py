from __future__ import annotations

from pathlib import Path

import pytest

from steering.history.log import flush, listed
from steering.history.past import Past, read_past
from steering.history.settings import HistoryTable
from steering.shelf import shelve
from steering.state.embedded import EmbeddedState
from tests.unit.steering.history.made_up import TODAY, Told, local
from tests.unit.steering.made_up import DAY_NS, NOW_NS, make_summary, make_title

OLD, NEW = (make_title(name, assets=[make_summary(f"{name}/a")]) for name in ("old", "new"))


def past(state: EmbeddedState, folder: Path, *, new_days_ago: int = 5) -> Past:
    new = make_title("new", assets=NEW.assets, released_at_ns=NOW_NS - new_days_ago * DAY_NS)
    return read_past(
        state,
        HistoryTable(),
        shelve([OLD, new]),
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


def test_past_of_nothing_is_nothing(state: EmbeddedState, tmp_path: Path) -> None:
    found = past(state, tmp_path)
    assert (found.sites, found.debut_share, found.window.first) == (["unheard"], 0.0, TODAY)
    assert not found.watched.dense().any()


def test_past_of_a_shared_state_is_what_the_state_holds(state: EmbeddedState) -> None:
    Told(state).demand(30, old__a=(1, 100))
    found = read_past(
        state, HistoryTable(), shelve([OLD]), folder=None, sites=[], history_days=28, half_life_days=2.0, now_ns=NOW_NS
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
