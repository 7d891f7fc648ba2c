from __future__ import annotations

from pathlib import Path

import msgspec
import pytest
from typer.testing import CliRunner, Result

from oca.common.errors import ConfigError, SteeringError
from steering.cli import app
from steering.state.engine import open_state
from steering.state.settings import StateTable
from steering.trust.audit import fault_of, read_entries


@pytest.fixture
def config(tmp_path: Path) -> Path:
    file = tmp_path / "steering.toml"
    file.write_text(f'[state]\npath = "{tmp_path / "state"}"\ninstance = "one"\n')
    return file


def invoke(config: Path, *arguments: str) -> Result:
    return CliRunner().invoke(app, [*arguments, "--config", str(config)], catch_exceptions=False)


def test_state_shows_where_it_is(config: Path, tmp_path: Path) -> None:
    assert invoke(config, "state", "show").stdout == f"state of one: in {tmp_path / 'state'}; 1 keys, 1 bytes\n"
    found = msgspec.json.decode(invoke(config, "state", "show", "--json").stdout)
    assert (found["engine"], found["connected"], found["keys"]) == ("lmdb", True, 1)


def test_state_tells_that_its_engine_is_away(config: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("steering.state.shared.FIRST_JOIN_S_MAX", 0.5)
    config.write_text(
        f'[state]\nengine = "nats"\npath = "{tmp_path / "copy"}"\n[state.nats]\nurls = ["nats://127.0.101.250:9"]\n'
    )
    result = invoke(config, "state", "show")
    assert result.exit_code == 1
    assert "the engine is away: nats://127.0.101.250:9: " in result.stdout


def test_state_is_seeded_from_folder(config: Path, tmp_path: Path, package: Path) -> None:
    invoke(config, "publish", str(package), "--title", "harbour")
    other = tmp_path / "other.toml"
    other.write_text(f'[state]\npath = "{tmp_path / "other"}"\n')
    assert "keys were put into the state" in invoke(other, "state", "seed", "--from", str(tmp_path / "state")).stdout
    with pytest.raises(SteeringError, match="is not empty, and stays as it is"):
        invoke(other, "state", "seed", "--from", str(tmp_path / "state"))
    states = [open_state(StateTable(path=str(tmp_path / name), bytes_max=2**26)) for name in ("state", "other")]
    old, new = (dict(state.scan("")) for state in states)
    assert {key for key in old.keys() | new.keys() if old.get(key) != new.get(key)} == {
        "audit-head",
        "audit/000000000002",
    }
    assert (fault_of(states[1]), read_entries(states[1], last=1)[0].action) == ("", "state seed")
    for state in states:
        state.close()


def test_state_refuses_to_be_seeded_from_nothing_or_itself(config: Path, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="there is no state in it"):
        invoke(config, "state", "seed", "--from", str(tmp_path))
    invoke(config, "state", "show")
    with pytest.raises(ConfigError, match=r"is state\.path itself"):
        invoke(config, "state", "seed", "--from", str(tmp_path / "state"))
