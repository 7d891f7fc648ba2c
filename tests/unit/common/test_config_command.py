import json
from collections.abc import Sequence
from pathlib import Path

import pytest
from typer.testing import CliRunner

from oca.common.box import Box
from oca.common.config_command import config_app, explain_key, find_keys
from oca.common.errors import ConfigError
from oca.common.settings import load


def check_start(file: Path, sets: Sequence[str]) -> list[str]:
    load(Box, file, environment={}, prefix="OCA", sets=sets)
    if "store.devices=/none" in sets:
        raise ConfigError("no device", remedy="mount one")
    return [f"without {entry}" for entry in sets]


APP = config_app(Box, prefix="OCA", heading="A heading.", check_start=check_start)


def test_config_print_writes_what_config_check_accepts(tmp_path: Path) -> None:
    printed = CliRunner().invoke(APP, ["print"])
    file = tmp_path / "a.toml"
    file.write_text(printed.stdout)
    checked = CliRunner().invoke(APP, ["check", str(file)])
    assert checked.stdout == f"{file}: good\n"


def test_config_check_names_fault(tmp_path: Path) -> None:
    file = tmp_path / "a.toml"
    file.write_text('[appliance]\nid = "UPPER"\nsite = "x"\n')
    refused = CliRunner().invoke(APP, ["check", str(file)])
    assert isinstance(refused.exception, ConfigError)
    assert 'appliance.id = "UPPER": must be text, lower-case letters' in str(refused.exception)


def test_config_check_looks_at_what_file_names_unless_told_not_to(tmp_path: Path) -> None:
    file = tmp_path / "a.toml"
    file.write_text('[appliance]\nid = "a"\nsite = "x"\n')
    partly = CliRunner().invoke(APP, ["check", str(file), "--set", "store.devices=/a"])
    assert (partly.stdout, partly.stderr) == (f"{file}: good\n", "without store.devices=/a\n")
    wrong = ["check", str(file), "--set", "store.devices=/none"]
    assert str(CliRunner().invoke(APP, wrong).exception) == "no device; mount one"
    assert CliRunner().invoke(APP, [*wrong, "--file-only"]).stdout == f"{file}: good\n"
    assert isinstance(CliRunner().invoke(APP, [*wrong, "--file-only", "--set", "store.x=1"]).exception, ConfigError)


def test_config_explain_tells_all_about_key() -> None:
    shown = CliRunner().invoke(APP, ["explain", "store.device_bytes_max"]).stdout
    assert "unit     bytes" in shown
    assert "default  0" in shown
    assert "--set store.device_bytes_max=… or OCA_STORE__DEVICE_BYTES_MAX=…" in shown


def test_config_explain_shows_table_as_json() -> None:
    shown = json.loads(CliRunner().invoke(APP, ["explain", "appliance", "--json"]).stdout)
    assert [key["name"] for key in shown] == ["id", "site"]


def test_config_explain_says_what_must_be_set() -> None:
    (key,) = find_keys(Box, "appliance.id")
    assert "default  none: it must be set" in explain_key(key, "OCA")


@pytest.mark.parametrize(
    ("wanted", "remedy"), [("store.devises", "did you mean store.devices?"), ("zzz", "'config print' lists them all")]
)
def test_config_explain_names_nearest_key(wanted: str, remedy: str) -> None:
    with pytest.raises(ConfigError) as caught:
        find_keys(Box, wanted)
    assert caught.value.remedy == remedy
