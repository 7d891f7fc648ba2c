from pathlib import Path
from typing import Any

import msgspec
import pytest
from typer.testing import CliRunner

from oca.common.errors import ConfigError
from steering.cli import app
from steering.signing import read_keys
from steering.signing_settings import SigningTable
from steering.state.engine import open_state
from steering.state.settings import StateTable


@pytest.fixture
def config(tmp_path: Path) -> Path:
    file = tmp_path / "steering.toml"
    file.write_text(f'[state]\npath = "{tmp_path / "state"}"\n[signing]\nmode = "required"\n')
    return file


def run(*arguments: str) -> str:
    result = CliRunner().invoke(app, ["keys", *arguments], catch_exceptions=False)
    assert result.exit_code == 0, result.output
    return result.output


def rows(*arguments: str) -> list[Any]:
    found: list[Any] = msgspec.json.decode(run(*arguments, "--json"))["keys"]
    return found


def test_keys_rotate_keeps_old_key_and_revoke_drops_it(config: Path, tmp_path: Path) -> None:
    asked = ("--config", str(config))
    assert rows("list", *asked) == []
    assert "no keys" in run("list", *asked)
    (first,) = rows("rotate", *asked)
    assert (first["algorithm"], first["use"]) == ("ES256", "signs")
    both = rows("rotate", *asked)
    assert [row["use"] for row in both] == ["ends with its tokens", "signs"]
    assert both[0]["kid"] == first["kid"]
    (last,) = rows("rotate", "--revoke", *asked)
    assert last["kid"] not in (first["kid"], both[1]["kid"])
    shown = run("list", *asked)
    assert shown.splitlines()[1].startswith(last["kid"])
    state = open_state(StateTable(path=str(tmp_path / "state"), bytes_max=2**26))
    assert read_keys(state)[0].jwk.d not in shown
    state.close()


def test_keys_rotate_refuses_where_nothing_is_signed(config: Path) -> None:
    with pytest.raises(ConfigError, match="URLs are not signed"):
        CliRunner().invoke(
            app, ["keys", "rotate", "--config", str(config), "--set", "signing.mode=off"], catch_exceptions=False
        )
    assert SigningTable().mode == "off"
