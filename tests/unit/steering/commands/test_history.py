from __future__ import annotations

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from steering.cli import app
from steering.history.log import listed
from steering.history.upkeep import keep_up
from steering.settings import load_settings
from steering.state.embedded import EmbeddedState
from tests.unit.steering.history.made_up import HOUR_NS, Told
from tests.unit.steering.made_up import NOW_NS


@pytest.fixture
def config(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr("steering.commands.history.now_ns", lambda: NOW_NS)
    path = tmp_path / "steering.toml"
    path.write_text(f'[state]\npath = "{tmp_path}/steering"\nbytes_max = 67108864\n')
    return path


def ask(config: Path, *arguments: str) -> tuple[str, str]:
    result = CliRunner().invoke(app, ["history", "--config", str(config), *arguments])
    assert result.exit_code == 0, result.output
    return result.stdout, result.stderr


def test_history_shows_days_and_what_is_damaged(config: Path, tmp_path: Path) -> None:
    assert "no hour is over yet" in ask(config)[0]
    state = EmbeddedState.open(tmp_path / "steering", bytes_max=2**26)
    told = Told(state)
    told.demand(30, t__a=(3, 2048), t__b=(1, 0))
    told.demand(60, t__a=(3, 2048))
    keep_up(state, load_settings(config), now_ns=NOW_NS + HOUR_NS)
    listed(state)[0].path(tmp_path / "steering" / "history").write_text("x")
    state.close()
    out, err = ask(config)
    assert [line.split() for line in out.splitlines()][1][:4] == ["2024-10-02", "1", *out.splitlines()[1].split()[2:4]]
    assert "2.0 KiB" in out
    assert "left out: " in err
    assert "has 1 bytes, wanted" in err
    told_json = json.loads(ask(config, "--json")[0])
    assert [(day["day"], day["sites"], day["assets"], day["requests"]) for day in told_json["days"]] == [
        ("2024-10-02", 1, 2, 4)
    ]
    assert len(told_json["aside"]) == 1
