import json
from collections.abc import Sequence
from pathlib import Path

import pytest
from typer.testing import CliRunner

from oca.common.box import Box
from oca.common.config_command import changed_settings, config_app, diff_lines, explain_key, find_keys
from oca.common.errors import ConfigError
from oca.common.settings import load
from steering.settings import Site, SteeringSettings


def check_start(file: Path, sets: Sequence[str]) -> list[str]:
    load(Box, file, environment={}, prefix="OCA", sets=sets)
    if "store.devices=/none" in sets:
        raise ConfigError("no device", remedy="mount one")
    return [f"without {entry}" for entry in sets]


APP = config_app(Box, prefix="OCA", heading="A heading.", check_start=check_start, taken_up="some day: {}".format)


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
    assert "default  none: it must be set" in explain_key(key, "OCA", "soon")


@pytest.mark.parametrize(
    ("wanted", "remedy"), [("store.devises", "did you mean store.devices?"), ("zzz", "'config print' lists them all")]
)
def test_config_explain_names_nearest_key(wanted: str, remedy: str) -> None:
    with pytest.raises(ConfigError) as caught:
        find_keys(Box, wanted)
    assert caught.value.remedy == remedy


def test_config_diff_shows_what_is_not_as_it_comes(tmp_path: Path) -> None:
    file = tmp_path / "a.toml"
    file.write_text('[appliance]\nid = "a"\nsite = "x"\n[store]\nreserve_ratio = 0.05\n')
    command = ["diff", str(file), "--set", "store.device_bytes_max=9"]
    assert CliRunner().invoke(APP, command).stdout.splitlines() == [
        'appliance.id = "a"  (must be set)',
        'appliance.site = "x"  (must be set)',
        "store.device_bytes_max = 9  (default 0)",
    ]
    told = json.loads(CliRunner().invoke(APP, [*command, "--json"]).stdout)
    assert told[-1] == {"key": "store.device_bytes_max", "value": 9, "default": 0}


def test_config_diff_counts_repeated_tables() -> None:
    sites = (Site(id="fra1"), Site(id="ber1"))
    assert list(diff_lines(changed_settings(SteeringSettings(site=sites)))) == ["[[site]]  2 of them"]
    assert list(diff_lines(changed_settings(SteeringSettings()))) == ["nothing: every setting is as it comes"]


def test_config_explain_says_when_change_counts() -> None:
    shown = CliRunner().invoke(APP, ["explain", "store.device_bytes_max"]).stdout
    assert "  counts   some day: store.device_bytes_max" in shown
