from __future__ import annotations

from pathlib import Path

import pytest

from steering.state import engine
from steering.state.settings import StateTable


def test_engine_goes_on_as_owner_for_commands_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The service has yet to bind a port that only root may, and to read tokens that only root can."""
    became: list[Path] = []
    monkeypatch.setattr(engine, "become_owner", became.append)
    table = StateTable(path=str(tmp_path / "state"), bytes_max=2**26)
    state, _ = engine.open_instance(table)
    state.close()
    assert became == []
    engine.open_state(table).close()
    assert became == [tmp_path / "state"]
