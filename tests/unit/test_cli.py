import json
from pathlib import Path

import msgspec
import pytest

from oca import __version__, cli, cli_running
from oca.admin.quality import By, QualityPage, quality_page
from oca.admin.status import Renewal, ServingChange
from oca.common.command import run_app
from oca.common.errors import OcaError
from oca.common.quality import Quality
from oca.settings import ApplianceSettings


def run(capsys: pytest.CaptureFixture[str], *arguments: str) -> tuple[object, str, str]:
    with pytest.raises(SystemExit) as ended:
        run_app(cli.app, "oca", arguments)
    said = capsys.readouterr()
    return ended.value.code, said.out, said.err


@pytest.fixture
def config(tmp_path: Path) -> str:
    path = tmp_path / "appliance.toml"
    path.write_text('[appliance]\nid = "box"\nsite = "here"\n[admin]\nlisten = "127.0.0.1:9"\n')
    return str(path)


def test_oca_prints_version(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(capsys, "--version") == (0, f"oca {__version__}\n", "")


@pytest.mark.parametrize(
    "command", ["serve", "status", "quality", "drain", "undrain", "reload", "upgrade", "config", "store", "routes"]
)
def test_oca_explains_every_command(capsys: pytest.CaptureFixture[str], command: str) -> None:
    code, out, _ = run(capsys, command, "--help")
    assert code == 0
    assert f"oca {command}" in out


def test_serve_hands_checked_settings_to_daemon(
    capsys: pytest.CaptureFixture[str], config: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    served: list[ApplianceSettings] = []
    monkeypatch.setattr("oca.program.serve", lambda settings, load, _: served.extend((settings, load())))
    assert run(capsys, "serve", "--config", config, "--set", "delivery.workers=3")[0] == 0
    assert (served[0].appliance.id, served[0].delivery.workers) == ("box", 3)
    assert served[1] == served[0]


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (ServingChange(serving="draining", changed=True, follows="that is all"), "draining: that is all\n"),
        (ServingChange(serving="drained", changed=False, follows="why"), "drained already: why\n"),
        (ServingChange(serving="serving", changed=True, follows=""), "serving\n"),
    ],
)
def test_drain_says_what_became_of_it(
    capsys: pytest.CaptureFixture[str],
    config: str,
    monkeypatch: pytest.MonkeyPatch,
    change: ServingChange,
    said: str,
) -> None:
    asked: list[tuple[str, str]] = []

    def answer(listen: str, wanted: str, for_s: int) -> ServingChange:
        assert for_s == 0
        asked.append((listen, wanted))
        return change

    monkeypatch.setattr(cli_running, "change_serving", answer)
    assert run(capsys, "drain", "--config", config)[:2] == (0, said)
    shown = run(capsys, "undrain", "--config", config, "--json")[1]
    assert json.loads(shown) == msgspec.to_builtins(change)
    assert asked == [("127.0.0.1:9", "drain"), ("127.0.0.1:9", "undrain")]


def test_quality_prints_page_for_people_and_programs(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], config: str
) -> None:
    asked: list[tuple[str, int]] = []

    def answer(_listen: str, by: By, limit: int) -> QualityPage:
        asked.append((by, limit))
        sums = [Quality("film/v", "192.0.2.0/24", 4, 1)]
        return quality_page(sums, is_on=True, window_s=900, by=by, limit=limit)

    monkeypatch.setattr(cli_running, "ask_quality", answer)
    status, out, _ = run(capsys, "quality", "--config", config, "--by", "both", "--limit", "5")
    assert (status, asked) == (0, [("both", 5)])
    assert "192.0.2.0/24 film/v: 1 starved of 4 requests (25.0%)" in out
    assert '"starved": 1' in run(capsys, "quality", "--config", config, "--json")[1]


def test_status_fails_in_one_line_when_nothing_runs(
    capsys: pytest.CaptureFixture[str], config: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(listen: str) -> None:
        raise OcaError(f"no appliance answers at {listen}", remedy="start it")

    monkeypatch.setattr(cli_running, "ask_status", refuse)
    assert run(capsys, "status", "--config", config) == (1, "", "oca: no appliance answers at 127.0.0.1:9; start it\n")


def test_config_check_refuses_with_78(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    path = tmp_path / "bad.toml"
    path.write_text("[appliance]\n")
    code, _, said = run(capsys, "config", "check", str(path))
    assert code == 78
    assert said.startswith(f"oca: {path}: appliance.id is missing; set id under [appliance]: ")


@pytest.mark.parametrize(
    ("sets", "said"),
    [
        (
            ["steering.token_file=/nope"],
            "oca: steering.token_file = '/nope': cannot be read: No such file or directory",
        ),
        (["store.devices=/nope"], "oca: store.devices: /nope: cannot use as a device: No such file or directory"),
    ],
)
def test_config_check_refuses_what_serve_would(
    capsys: pytest.CaptureFixture[str], config: str, tmp_path: Path, sets: list[str], said: str
) -> None:
    given = [f"store.devices={tmp_path}", "steering.url=http://steer", *sets]
    flags = [flag for entry in given for flag in ("--set", entry)]
    code, out, err = run(capsys, "config", "check", config, *flags)
    assert (code, out) == (78, "")
    assert err.startswith(said)
    assert run(capsys, "config", "check", config, *flags, "--file-only") == (0, f"{config}: good\n", "")


def test_config_check_names_device_that_serve_would_do_without(
    capsys: pytest.CaptureFixture[str], config: str, tmp_path: Path
) -> None:
    flags = ("--set", f"store.devices={tmp_path},/nope", "--set", "steering.token_file=/nope")
    code, out, err = run(capsys, "config", "check", config, *flags)
    assert (code, out) == (0, f"{config}: good\n")
    assert err.startswith("store.devices: /nope: cannot use as a device")


@pytest.mark.parametrize(
    ("outcome", "said"),
    [
        (Renewal(kind="reload", said="changed log.level"), "changed log.level\n"),
        (Renewal(kind="reload", done=False, said="why", waiting=("a.b",)), "FAILED: why; a.b: taken up by"),
    ],
)
def test_reload_says_how_it_went(
    capsys: pytest.CaptureFixture[str], config: str, monkeypatch: pytest.MonkeyPatch, outcome: Renewal, said: str
) -> None:
    monkeypatch.setattr(cli_running, "renew", lambda _listen, _wanted: outcome)
    ended, out, _ = run(capsys, "reload", "--config", config)
    assert (ended, out.startswith(said)) == (0 if outcome.done else 1, True)
    assert json.loads(run(capsys, "reload", "--config", config, "--json")[1])["done"] == outcome.done


def test_drain_takes_a_time(capsys: pytest.CaptureFixture[str], config: str, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[int] = []

    def answer(_listen: str, _wanted: str, for_s: int) -> ServingChange:
        asked.append(for_s)
        return ServingChange(serving="draining", changed=True, follows="that is all")

    monkeypatch.setattr(cli_running, "change_serving", answer)
    assert run(capsys, "drain", "--for", "90m", "--config", config)[0] == 0
    assert asked == [5400]


@pytest.mark.parametrize("wrong", ["soon", "2", "0s", "31d"])
def test_drain_refuses_time_that_is_none(capsys: pytest.CaptureFixture[str], config: str, wrong: str) -> None:
    assert run(capsys, "drain", "--for", wrong, "--config", config) == (
        78,
        "",
        f"oca: --for '{wrong}' is no time up to 30 days; write it like 30m, 2h or 1d\n",
    )
