from __future__ import annotations

from pathlib import Path

import msgspec
import pytest
from typer.testing import CliRunner, Result

from steering.cli import app
from steering.state.engine import open_state
from steering.state.settings import StateTable


@pytest.fixture
def config(tmp_path: Path) -> Path:
    file = tmp_path / "steering.toml"
    file.write_text(
        f'[state]\npath = "{tmp_path / "state"}"\n[signing]\nmode = "required"\n'
        '[[site]]\nid = "fra1"\n[[site.appliance]]\nid = "fra1-a"\n'
    )
    return file


def invoke(config: Path, *arguments: str) -> Result:
    return CliRunner().invoke(app, [*arguments, "--config", str(config)], catch_exceptions=False)


def test_audit_shows_what_commands_changed(config: Path, package: Path) -> None:
    assert invoke(config, "audit").stdout == "nothing was changed yet\n"
    invoke(config, "publish", str(package), "--title", "harbour")
    invoke(config, "enrol", "create", "--appliance", "fra1-a")
    invoke(config, "enrol", "revoke", "fra1-a")
    invoke(config, "enrol", "forget", "fra1-a")
    invoke(config, "keys", "rotate", "--revoke")
    lines = invoke(config, "audit").stdout.splitlines()
    assert [line.split("this machine")[1].split()[:2] for line in lines[1:]] == [
        ["publish", "harbour"], ["enrol", "create"], ["enrol", "revoke"], ["enrol", "forget"], ["keys", "rotate"],
    ]  # fmt: skip
    found = msgspec.json.decode(invoke(config, "audit", "--json", "--last", "2").stdout)
    assert [entry["number"] for entry in found["entries"]] == [4, 5]


def test_audit_tells_when_it_was_tampered_with(config: Path, tmp_path: Path) -> None:
    for _ in range(2):
        invoke(config, "enrol", "create", "--appliance", "fra1-a")
    verified = invoke(config, "audit", "--verify")
    assert (verified.exit_code, verified.stdout.splitlines()[-1].partition(":")[0]) == (0, "the audit log is whole")
    state = open_state(StateTable(path=str(tmp_path / "state"), bytes_max=2**26))
    with state.write() as transaction:
        transaction.delete("audit/000000000001")
    state.close()
    result = invoke(config, "audit", "--verify")
    assert (result.exit_code, "the audit log is not whole: entry 1 is missing" in result.stderr) == (1, True)
