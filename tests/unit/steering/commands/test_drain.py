from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from steering.cli import app
from steering.fleet.drains import read_drains
from steering.fleet.turnup_records import read_passed
from steering.state.engine import open_state
from steering.state.settings import StateTable
from steering.trust.audit import read_entries


@pytest.fixture
def config(tmp_path: Path) -> Path:
    file = tmp_path / "steering.toml"
    file.write_text(
        f'[state]\npath = "{tmp_path / "state"}"\nbytes_max = 67108864\n'
        '[[site]]\nid = "fra1"\n[[site.appliance]]\nid = "fra1-a"\n[[site.appliance]]\nid = "fra1-b"\n'
    )
    return file


def run(config: Path, *arguments: str) -> Result:
    return CliRunner().invoke(app, [*arguments, "--config", str(config)])


def kept(config: Path) -> Any:
    state = open_state(StateTable(path=str(config.parent / "state"), bytes_max=2**26))
    try:
        return read_drains(state), read_passed(state), [entry.action for entry in read_entries(state, last=9)]
    finally:
        state.close()


def test_drain_takes_site_out_for_a_time_and_back(config: Path) -> None:
    done = run(config, "drain", "--site", "fra1", "--for", "2h", "--reason", "power works")
    assert done.exit_code == 0, done.output
    assert done.stdout.startswith("site fra1: no new viewers. ")
    assert "power works ('oca-steering undrain --site fra1' takes it back)" in done.stdout
    (drain,), _, actions = kept(config)
    assert drain.until_ns - drain.at_ns == 7200 * 10**9
    assert actions == ["drain"]
    done = run(config, "undrain", "--site", "fra1", "--json")
    assert json.loads(done.stdout) == {"scope": "site", "name": "fra1"}
    assert kept(config)[0] == []


def test_drain_of_an_appliance_prints_json(config: Path) -> None:
    made = json.loads(run(config, "drain", "--appliance", "fra1-a", "--json").stdout)
    assert (made["scope"], made["name"], made["until_ns"]) == ("appliance", "fra1-a", 0)
    assert run(config, "undrain", "--appliance", "fra1-a").stdout == "appliance fra1-a: viewers come again\n"


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("drain",), "one appliance or one site is wanted"),
        (("drain", "--site", "fra1", "--appliance", "fra1-a"), "one appliance or one site is wanted"),
        (("drain", "--site", "fra1-a"), "there is no site 'fra1-a'"),
        (("drain", "--appliance", "ber1-a"), "there is no appliance 'ber1-a'"),
        (("drain", "--site", "fra1", "--for", "soon"), "--for 'soon' is no time up to 30 days"),
        (("drain", "--site", "fra1", "--for", "31d"), "--for '31d' is no time up to 30 days"),
        (("drain", "--site", "fra1", "--reason", "x" * 201), "--reason is too long"),
        (("drain", "--site", "fra1", "--reason", "two\nlines"), "--reason is too long, or no plain line"),
        (("undrain", "--site", "fra1"), "site fra1 is not drained from here"),
        (("turnup", "accept", "ber1-a"), "there is no appliance 'ber1-a'"),
        (("turnup", "again", "fra1-a", "--set", "turnup.wanted=false"), "[turnup] wanted = false"),
    ],
)
def test_drain_refuses_nonsense(config: Path, arguments: tuple[str, ...], said: str) -> None:
    done = run(config, *arguments)
    assert done.exit_code != 0
    assert said in str(done.exception)


def test_turnup_lets_box_in_and_has_it_checked_anew(config: Path) -> None:
    assert run(config, "turnup", "accept", "fra1-a").stdout == "fra1-a takes viewers\n"
    assert list(kept(config)[1]) == ["fra1-a"]
    done = json.loads(run(config, "turnup", "again", "fra1-a", "--json").stdout)
    assert done == {"appliance": "fra1-a", "action": "again"}
    _, passed, actions = kept(config)
    assert passed == {}
    assert actions == ["turn-up accept", "turn-up again"]
