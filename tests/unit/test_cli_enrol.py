from __future__ import annotations

from pathlib import Path

import msgspec
import pytest
from typer.testing import CliRunner, Result

from oca import enrolment
from oca.cli import app
from oca.common.box import ApplianceTable, SteeringTable
from oca.common.enrolment import Enrolled
from oca.common.errors import ConfigError

ANSWER = Enrolled(appliance="fra1-a", site="fra1", keyid="k1")


@pytest.fixture
def config(tmp_path: Path) -> Path:
    file = tmp_path / "appliance.toml"
    file.write_text('[appliance]\nid = "fra1-a"\nsite = "fra1"\n[steering]\nurl = "http://127.0.78.1:1"\n')
    return file


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """What steering would have been asked; it says yes."""
    seen: list[str] = []

    def enrol(appliance: ApplianceTable, steering: SteeringTable, token: str) -> Enrolled:
        seen.append(token)
        return ANSWER

    def renew(appliance: ApplianceTable, steering: SteeringTable) -> Enrolled:
        seen.append("renew")
        return ANSWER

    monkeypatch.setattr(enrolment, "enrol", enrol)
    monkeypatch.setattr(enrolment, "renew", renew)
    return seen


def invoke(config: Path, *arguments: str, given: str = "") -> Result:
    return CliRunner().invoke(app, ["enrol", *arguments, "--config", str(config)], input=given, catch_exceptions=False)


def test_enrol_takes_token_from_option_and_input(config: Path, asked: list[str]) -> None:
    said = invoke(config, "--token", "secret").stdout
    assert said.startswith("fra1-a of site fra1 is enrolled; steering knows it by the key k1\nkept in /var/lib/oca/")
    assert invoke(config, "--token", "-", given="typed\n").exit_code == 0
    assert invoke(config, "--renew").exit_code == 0
    assert asked == ["secret", "typed", "renew"]
    assert msgspec.json.decode(invoke(config, "--renew", "--json").stdout, type=Enrolled) == ANSWER


@pytest.mark.parametrize("arguments", [(), ("--token", "x", "--renew")])
def test_enrol_wants_token_or_renew(config: Path, asked: list[str], arguments: tuple[str, ...]) -> None:
    result = invoke(config, *arguments)
    assert (result.exit_code, asked) == (2, [])
    assert "pass either --token or --renew" in result.stderr


def test_enrol_names_empty_input(config: Path, asked: list[str]) -> None:
    with pytest.raises(ConfigError, match="nothing came on standard input"):
        invoke(config, "--token", "-")
    assert asked == []
