from __future__ import annotations

from pathlib import Path, PurePath

from steering.history.settings import HistoryTable, history_folder
from steering.settings import SteeringSettings
from steering.state.settings import StateTable


def test_history_lies_under_the_state_unless_it_is_told_where(tmp_path: Path) -> None:
    state = StateTable(path=str(tmp_path))
    assert history_folder(SteeringSettings(state=state)) == tmp_path / "history"
    assert history_folder(SteeringSettings(history=HistoryTable(path="/x"))) == PurePath("/x")
    shared = StateTable(engine="nats", path=str(tmp_path))
    assert history_folder(SteeringSettings(state=shared)) is None
    assert history_folder(SteeringSettings(state=shared, history=HistoryTable(path="/x"))) == PurePath("/x")
