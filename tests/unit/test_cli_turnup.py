from __future__ import annotations

import errno
import json
import tomllib
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from fill.settings import FillSettings
from fill.tables import BoxTable
from oca import cli_turnup
from oca.cli import app
from oca.common import settings
from oca.common.errors import ConfigError
from oca.turnup import devices, system
from tests.unit.turnup.test_remote import closed_url


def run(*words: str) -> tuple[int, str]:
    """A command that is to end by itself."""
    done = CliRunner().invoke(app, list(words), catch_exceptions=False)
    return done.exit_code, done.stdout


def refused(*words: str) -> str:
    with pytest.raises(ConfigError) as caught:
        CliRunner().invoke(app, list(words), catch_exceptions=False)
    return str(caught.value)


def init(folder: Path, *words: str) -> list[str]:
    device, out = str(folder / "d0"), str(folder / "a.toml")
    who = ["--id", "box", "--site", "here", "--device", device, "--listen", "127.0.0.1:8080"]
    return ["init", *who, "--out", out, *words]


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(system, "SENT_S", 0.01)
    monkeypatch.setattr(devices, "MEASURED_BYTES", 2**20 * 8)


def test_init_writes_settings_and_makes_device(tmp_path: Path) -> None:
    code, said = run(*init(tmp_path))
    assert code == 0
    assert said.startswith(f"{tmp_path}/a.toml written; next:")
    assert tomllib.loads((tmp_path / "a.toml").read_text())["store"] == {"devices": [f"{tmp_path}/d0"]}
    assert (tmp_path / "d0").is_dir()
    assert [path.name for path in sorted(tmp_path.iterdir())] == ["a.toml", "d0", "fill.toml"]
    fill = settings.load(FillSettings, tmp_path / "fill.toml", environment={}, prefix="X")
    assert fill == FillSettings(box=BoxTable(config="a.toml"))


def test_init_of_a_file_elsewhere_keeps_the_key_beside_it(tmp_path: Path) -> None:
    run(*init(tmp_path, "--steering", "http://127.0.0.1:1"))
    kept = tomllib.loads((tmp_path / "a.toml").read_text())["steering"]["identity_file"]
    assert kept == f"{tmp_path}/identity.json"


def test_init_writes_devices_whole(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    run("init", "--id", "box", "--site", "here", "--device", "d1", "--listen", "127.0.0.1:8080", "--out", "b.toml")
    assert tomllib.loads((tmp_path / "b.toml").read_text())["store"] == {"devices": [f"{tmp_path}/d1"]}
    assert (tmp_path / "d1").is_dir()


def test_check_names_the_file_that_is_not_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("oca.settings.INSTALLED", tmp_path / "none.toml")
    code, said = run("check")
    assert code == 1
    assert f"{tmp_path}/none.toml is not there, no --config is given, and of the defaults alone: [appliance]" in said
    assert "'oca init' does" in said


def test_check_says_that_settings_are_of_the_environment_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("oca.settings.INSTALLED", tmp_path / "none.toml")
    monkeypatch.setattr("oca.cli_turnup.INSTALLED", tmp_path / "none.toml")
    monkeypatch.setenv("OCA_APPLIANCE__ID", "box")
    monkeypatch.setenv("OCA_APPLIANCE__SITE", "here")
    assert "the environment is good" in run("check", "--no-measure")[1]
    run(*init(tmp_path))
    (tmp_path / "a.toml").rename(tmp_path / "none.toml")
    assert f"{tmp_path}/none.toml is good" in run("check", "--no-measure")[1]


def test_init_in_folder_that_its_user_may_not_see_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuses(path: Path) -> bool:
        raise PermissionError(errno.EACCES, "Permission denied", str(path))

    monkeypatch.setattr(Path, "exists", refuses)
    told = f"{tmp_path}/a.toml: cannot be looked at: Permission denied; run it as root, or give --out FILE"
    assert refused(*init(tmp_path)) == told


def test_init_keeps_fill_settings_that_are_there(tmp_path: Path) -> None:
    (tmp_path / "fill.toml").write_text("mine")
    run(*init(tmp_path))
    assert (tmp_path / "fill.toml").read_text() == "mine"


def test_init_keeps_file_that_is_there(tmp_path: Path) -> None:
    (tmp_path / "a.toml").write_text("mine")
    assert "is there already" in refused(*init(tmp_path))
    assert (tmp_path / "a.toml").read_text() == "mine"
    assert run(*init(tmp_path, "--force"))[0] == 0


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("--id", "My Box"), 'these answers: appliance.id = "My Box": must be text, lower-case letters'),
        (("--listen", "here"), "delivery.listen"),
        (("--steering", "ftp://x"), "steering.url"),
        (("--out", "/no/such/folder/a.toml"), "/no/such/folder/a.toml: cannot be written: No such file or directory"),
    ],
)
def test_init_refuses_nonsense_and_writes_nothing(tmp_path: Path, words: tuple[str, ...], message: str) -> None:
    assert message in refused(*init(tmp_path), *words)
    assert not list(tmp_path.iterdir())


def test_init_without_terminal_says_which_flag_is_missing(tmp_path: Path) -> None:
    told = refused("init", "--id", "box", "--out", str(tmp_path / "a.toml"))
    assert told == (
        "Its rack, as steering knows it (--site): not given, and there is no terminal to ask on; give it as a flag"
    )


def test_init_asks_on_terminal(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cli_turnup, "_asks", lambda: True)
    monkeypatch.setattr(cli_turnup, "STORES", tmp_path)
    out = tmp_path / "a.toml"
    given = ["fra1-a", "fra1", str(tmp_path / "d0"), "127.0.0.1:8080", "http://s.example"]
    done = CliRunner().invoke(app, ["init", "--out", str(out)], input="\n".join(given) + "\n", catch_exceptions=False)
    assert done.exit_code == 0, done.output
    written = tomllib.loads(out.read_text())
    assert written["appliance"] == {"id": "fra1-a", "site": "fra1"}
    assert written["steering"]["url"] == "http://s.example"


def checked(config: Path, *words: str) -> tuple[int, dict[str, Any]]:
    code, said = run("check", "--config", str(config), "--json", *words)
    report = json.loads(said)
    report["states"] = {one["name"]: one["state"] for one in report["findings"]}
    return code, report


def test_check_goes_through_everything(tmp_path: Path) -> None:
    run(*init(tmp_path))
    admin = closed_url().removeprefix("http://")
    away = ("--set", f"admin.listen={admin}", "--set", f"steering.url={closed_url()}")
    origin = ("--set", "delivery.miss.policy=fetch", "--set", f"delivery.miss.origin_url={closed_url()}")
    code, told = checked(tmp_path / "a.toml", *away, *origin)
    assert (code, told["ready"]) == (1, False)
    states = told["states"]
    assert states["settings"] == "pass"
    assert (states["steering"], states["origin"], states["daemon"]) == ("fail", "fail", "warn")
    assert {"clock", "file limit", f"device {tmp_path}/d0", "link lo", "throughput", "module tls"} <= set(states)
    assert not [one for one in told["findings"] if one["state"] == "fail" and not one["mend"]]


def test_check_measures_nothing_if_told_so(tmp_path: Path) -> None:
    run(*init(tmp_path))
    _, told = checked(tmp_path / "a.toml", "--no-measure")
    assert "throughput" not in told["states"]


def test_check_names_wrong_settings_alone(tmp_path: Path) -> None:
    (tmp_path / "a.toml").write_text('[appliance]\nid = "box"\nsite = "here"\n[delivery]\nworkrs = 1\n')
    code, told = checked(tmp_path / "a.toml")
    assert code == 1
    assert [one["name"] for one in told["findings"]] == ["settings"]
    assert told["findings"][0]["mend"] == "did you mean workers?"


def test_check_prints_verdict_last(tmp_path: Path) -> None:
    run(*init(tmp_path))
    _, said = run("check", "--config", str(tmp_path / "a.toml"), "--no-measure")
    lines = said.splitlines()
    assert lines[0].startswith("pass  settings")
    assert lines[-1].endswith(("ready for viewers", "NOT ready: mend what failed first"))


def test_check_looks_at_addresses_that_are_missing(tmp_path: Path) -> None:
    run(*init(tmp_path))
    _, told = checked(tmp_path / "a.toml", "--no-measure", "--set", 'delivery.listen=["192.0.2.77:8080"]')
    assert told["states"]["address 192.0.2.77"] == "fail"


def test_check_tells_bird_that_does_not_answer(tmp_path: Path) -> None:
    run(*init(tmp_path))
    _, told = checked(tmp_path / "a.toml", "--no-measure", "--set", f"routes.bird_socket={tmp_path}/bird.ctl")
    assert told["states"]["BGP"] == "fail"
