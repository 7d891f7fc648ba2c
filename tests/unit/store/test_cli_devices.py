"""``oca store devices``, ``take-out`` and ``bring-back`` as an operator meets them."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from oca.store.outages import outages
from oca.store.store import Store
from tests.unit.store.made_up import flip_byte, hold
from tests.unit.store.test_cli_store import Capture, run


@pytest.fixture
def devices(make_device: Callable[[str], Path]) -> list[Path]:
    made = [make_device("nvme0"), make_device("nvme1")]
    for number, device in enumerate(made):
        store = Store.open([device])
        hold(store, f"film/v{number}")
        store.close()
    return made


@pytest.fixture
def options(tmp_path: Path, devices: list[Path]) -> tuple[str, Path]:
    path = tmp_path / "appliance.toml"
    listed = ", ".join(f'"{device}"' for device in devices)
    path.write_text(f'[appliance]\nid = "a"\nsite = "s"\n[store]\ndevices = [{listed}]\n')
    return "--config", path


def test_device_is_taken_out_listed_and_brought_back(
    options: tuple[str, Path], devices: list[Path], capsys: Capture
) -> None:
    assert run("take-out", devices[1], "--why", "SMART says it wears out", *options) == 0
    assert f"{devices[1]}: taken out" in capsys.readouterr().out
    assert run("devices", *options) == 0
    lines = capsys.readouterr().out.splitlines()
    assert [line.split()[:3] for line in lines[:3]] == [
        ["DEVICE", "STATE", "ASSETS"],
        [str(devices[0]), "good", "1"],
        [str(devices[1]), "out", "0"],
    ]
    assert "an operator took it out: SMART says it wears out; 'oca store bring-back" in lines[3]
    assert "SMART says it wears out" in lines[4]
    assert run("ls", *options) == 0
    captured = capsys.readouterr()
    assert "film/v0" in captured.out
    assert "film/v1" not in captured.out
    assert "taken out" in captured.err
    assert run("bring-back", devices[1], *options) == 0
    assert "used again" in capsys.readouterr().out
    assert run("devices", "--json", *options) == 0
    states = json.loads(capsys.readouterr().out)
    assert [(each["state"], each["assets"], each["times_out"]) for each in states] == [("good", 1, 0), ("good", 1, 1)]


def test_device_commands_refuse_what_makes_no_sense(
    options: tuple[str, Path], devices: list[Path], capsys: Capture
) -> None:
    assert run("bring-back", devices[1], *options) == 1
    assert "is not out; see 'oca store devices'" in capsys.readouterr().err
    assert run("take-out", f"{devices[1]}x", *options) == 78
    assert f"is not in [store] devices; did you mean {devices[1]}?" in capsys.readouterr().err
    assert run("take-out", devices[1], "--why", " ", *options) == 1
    assert run("take-out", devices[1], *options) == 0
    assert run("take-out", devices[1], "--json", *options) == 1
    assert "is out already, taken out" in capsys.readouterr().err


def test_device_that_fails_its_trial_stays_out(options: tuple[str, Path], devices: list[Path], capsys: Capture) -> None:
    assert run("take-out", devices[1], "--json", *options) == 0
    assert json.loads(capsys.readouterr().out)["cause"] == "operator"
    flip_byte(devices[1] / "packs" / "00000001.pack", 30)
    assert run("bring-back", devices[1], *options) == 1
    assert "stays out: " in capsys.readouterr().err
    assert outages(devices)[1].out


def test_devices_are_listed_when_all_are_out(options: tuple[str, Path], devices: list[Path], capsys: Capture) -> None:
    for device in devices:
        assert run("take-out", device, *options) == 0
    assert run("devices", "--json", *options) == 0
    assert run("ls", *options) == 1
    assert "taken out" in capsys.readouterr().err
    assert run("remove", "film/v0", *options) == 1
    assert "taken out" in capsys.readouterr().err


def test_devices_tell_one_that_fails(options: tuple[str, Path], devices: list[Path], capsys: Capture) -> None:
    (devices[1] / "index" / "data.mdb").write_bytes(b"\xff" * 65536)
    assert run("devices", *options) == 0
    assert f"{devices[1]}: {devices[1]}/index: the index is damaged" in capsys.readouterr().out
