from __future__ import annotations

from pathlib import Path
from typing import Any

import msgspec
import pytest
from typer.testing import CliRunner, Result

from oca.common.errors import ConfigError
from steering.cli import app
from steering.state.engine import open_state
from steering.state.settings import StateTable
from steering.trust.identities import Record, redeem


@pytest.fixture
def config(tmp_path: Path) -> Path:
    file = tmp_path / "steering.toml"
    (tmp_path / "token").write_text("0123456789abcdef")
    file.write_text(
        f'[state]\npath = "{tmp_path / "state"}"\n[[site]]\nid = "fra1"\n[[site.appliance]]\nid = "fra1-a"\n'
        f'[[site.appliance]]\nid = "fra1-b"\ntoken_file = "{tmp_path / "token"}"\n'
    )
    return file


def invoke(config: Path, *arguments: str) -> Result:
    return CliRunner().invoke(app, ["enrol", *arguments, "--config", str(config)], catch_exceptions=False)


def run(config: Path, *arguments: str) -> str:
    result = invoke(config, *arguments)
    assert result.exit_code == 0, result.output
    return result.stdout


def rows(config: Path) -> dict[str, Any]:
    return {row["appliance"]: row for row in msgspec.json.decode(run(config, "list", "--json"))["appliances"]}


def enrol(tmp_path: Path, token: str) -> None:
    state = open_state(StateTable(path=str(tmp_path / "state"), bytes_max=2**26))
    with state.write() as transaction:
        assert isinstance(redeem(transaction, "fra1-a", token, keyid="k1", x="A" * 43, now_ns=1), Record)
    state.close()


def test_enrol_create_prints_token_alone_on_stdout(config: Path) -> None:
    result = invoke(config, "create", "--appliance", "fra1-a", "--ttl", "15m")
    assert len(result.stdout.strip()) == len("fra1-a.") + 43
    assert "good once, until 2" in result.stderr
    made = msgspec.json.decode(run(config, "create", "--appliance", "fra1-a", "--json"))
    assert sorted(made) == ["appliance", "ends_at_ns", "token"]


def test_enrol_list_shows_by_what_each_is_known(config: Path, tmp_path: Path) -> None:
    assert {name: row["state"] for name, row in rows(config).items()} == {"fra1-a": "address", "fra1-b": "token"}
    token = run(config, "create", "--appliance", "fra1-a").strip()
    assert rows(config)["fra1-a"]["token_ends_at_ns"] > 0
    enrol(tmp_path, token)
    assert rows(config)["fra1-a"] == {
        "appliance": "fra1-a", "state": "enrolled", "keyid": "k1", "since_ns": 1, "token_ends_at_ns": 0,
    }  # fmt: skip
    assert "fra1-a     its key   k1" in run(config, "list")


def test_enrol_revoke_and_forget_change_the_list(config: Path, tmp_path: Path) -> None:
    enrol(tmp_path, run(config, "create", "--appliance", "fra1-a").strip())
    assert run(config, "revoke", "fra1-a") == "fra1-a is not let in any more\n"
    assert run(config, "revoke", "fra1-a") == "fra1-a was revoked already\n"
    assert rows(config)["fra1-a"]["state"] == "revoked"
    config.write_text(config.read_text().replace('"fra1-a"', '"fra1-z"'))
    assert rows(config)["fra1-a"]["state"] == "revoked"
    assert run(config, "forget", "fra1-a") == "fra1-a counts by token_file or address again\n"
    assert "fra1-a" not in rows(config)
    with pytest.raises(ConfigError, match="fra1-a has no identity"):
        run(config, "forget", "fra1-a")


def test_enrol_refuses_unknown_appliance(config: Path) -> None:
    for arguments in (("create", "--appliance", "nobody"), ("revoke", "nobody")):
        with pytest.raises(ConfigError, match="has the id 'nobody'"):
            run(config, *arguments)


@pytest.mark.parametrize("ttl", ["", "1", "h", "59s", "31d", "-1h", "1.5h", "1e3s", "٣h"])
def test_enrol_refuses_wrong_ttl(config: Path, ttl: str) -> None:
    result = invoke(config, "create", "--appliance", "fra1-a", "--ttl", ttl)
    assert result.exit_code == 2
    assert "is not 60s to 30d" in result.stderr
