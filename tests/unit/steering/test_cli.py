from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from oca.common.command import run_app
from steering.cli import app
from steering.state.embedded import EmbeddedState

Run = Callable[..., tuple[int, str, str]]


@pytest.fixture
def config(tmp_path: Path) -> Path:
    path = tmp_path / "steering.toml"
    path.write_text(
        f'[state]\npath = "{tmp_path / "kept"}"\nbytes_max = 67108864\n[origin]\nurl = "http://origin.example"\n'
        '[api]\nlisten = "127.0.0.1:1"\n[[site]]\nid = "metro"\n[[site.appliance]]\nid = "metro-a"\n'
    )
    return path


@pytest.fixture
def run(config: Path, capsys: pytest.CaptureFixture[str]) -> Run:
    def call(*arguments: str) -> tuple[int, str, str]:
        with pytest.raises(SystemExit) as ended:
            run_app(app, "oca-steering", [*arguments, "--config", str(config)])
        out, err = capsys.readouterr()
        code = ended.value.code
        return (code if isinstance(code, int) else 0), out, err

    return call


def test_publish_then_titles_lists_it(run: Run, package: Path) -> None:
    code, out, err = run("publish", str(package), "--title", "harbour", "--name", "Harbour Lights")
    assert code == 0
    assert "harbour/video-240p" in out
    assert "digested" in err
    code, out, _ = run("titles")
    assert (code, "Harbour Lights" in out) == (0, True)
    code, out, _ = run("titles", "--json")
    (title,) = json.loads(out)["titles"]
    assert (title["title"], title["duration_s"], len(title["assets"])) == ("harbour", 8.0, 3)


def test_publish_takes_every_option(run: Run, package: Path) -> None:
    (package / ".hidden").write_text("x")
    code, out, err = run(
        "publish",
        str(package),
        *("--title", "harbour", "--mount", "/films/h/", "--origin-url", "http://other.example", "--json"),
        *("--region", "DE", "--region", "FR", "--release-at", "2027-01-01T00:00:00Z"),
    )
    title = json.loads(out)
    assert code == 0
    assert (title["mount"], title["regions"], title["released_at"]) == (
        "/films/h",
        ["DE", "FR"],
        "2027-01-01T00:00:00Z",
    )
    assert "left out, being hidden: .hidden" in err


def test_publish_names_what_cannot_be_served(run: Run, package: Path) -> None:
    (package / "seg-0-00002.m4s").unlink()
    code, out, err = run("publish", str(package), "--title", "harbour")
    assert (code, out) == (1, "")
    assert err.startswith("oca-steering: media-0.m3u8: names seg-0-00002.m4s, which is missing; ")
    assert len(err.splitlines()) == 1


@pytest.mark.parametrize("instant", ["soon", "2027-01-01T00:00:00", "1900-01-01T00:00:00Z", "9999-12-31T23:59:59Z"])
def test_publish_refuses_instant_without_meaning(run: Run, package: Path, instant: str) -> None:
    assert run("publish", str(package), "--title", "harbour", "--release-at", instant)[0] == 2


def test_titles_says_when_there_are_none_and_where(run: Run, tmp_path: Path) -> None:
    said = run("titles")[1]
    assert said.startswith(f"nothing is published in the state {tmp_path / 'kept'}; ")


def test_plan_shows_then_makes_and_keeps(run: Run, package: Path, tmp_path: Path) -> None:
    run("publish", str(package), "--title", "harbour")
    code, out, err = run("plan")
    assert (code, out) == (0, "")
    assert "metro-a: no plan, because it never reported its capacity" in err
    state = EmbeddedState.open(tmp_path / "kept", bytes_max=2**26)
    with state.write() as transaction:
        transaction.put("capacity/metro-a", b"1000000")
    state.close()
    day = "site,asset,day,requests,bytes\nmetro,harbour/video-240p,2026-01-01,4,4000\n"
    (tmp_path / "demand.csv").write_text(day)
    assert run("demand", "import", str(tmp_path / "demand.csv"))[1] == "1 rows, 3.9 KiB\n"
    code, out, _ = run("plan", "--now")
    assert "metro-a: 3 assets" in out
    shown = json.loads(run("plan", "--json")[1])["plans"]
    assert shown[0]["assets"][0]["asset"] == "harbour/manifests"
    code, out, err = run("plan", "--site", "metro", "--dry-run")
    assert "of tomorrow's bytes expected to be hits; 0 B to move; 3 assets in 3 copies" in out
    assert "region-a" not in out + err
    (told,) = json.loads(run("plan", "--site", "metro", "--dry-run", "--json")[1])["sites"]
    assert (told["assets"], told["bytes_to_move"], told["just_missed"]) == (3, 0, [])
    out = run("plan", "--explain", "harbour/manifests")[1]
    assert out.startswith("metro: held: manifests first")
    explained = json.loads(run("plan", "--explain", "harbour/video-240p", "--json")[1])
    assert explained["sites"][0]["boxes"] == ["metro-a"]
    assert explained["sites"][0]["low_bytes"] <= explained["sites"][0]["high_bytes"]
    assert "four days in five" in out


def test_plan_refuses_what_it_cannot_show(run: Run, package: Path) -> None:
    run("publish", str(package), "--title", "harbour")
    for arguments, code, said in [
        (("--site", "nowhere"), 78, "--site nowhere: no such site; name one of steering.toml: metro"),
        (("--explain", "harbour/none"), 78, "--explain harbour/none: no such asset is published"),
        (("--explain", "harbour"), 78, "that is a title; name one of its assets: harbour/"),
        (("--explain", "harbour/manifests"), 78, "has reported its capacity; start oca serve"),
        (("--now", "--dry-run"), 2, "give one of them"),
    ]:
        found, out, err = run("plan", *arguments)
        assert (found, out) == (code, "")
        assert said in " ".join(err.replace("│", " ").split())


def test_import_names_wrong_line(run: Run, tmp_path: Path) -> None:
    (tmp_path / "demand.csv").write_text("site,asset,day,requests,bytes\nx,y,z,1,1\n")
    code, _, err = run("demand", "import", str(tmp_path / "demand.csv"))
    assert code == 78
    assert "line 2: unknown site 'x'" in err


def test_explain_says_when_nobody_answers(run: Run) -> None:
    code, _, err = run("explain", "--title", "harbour")
    assert code == 1
    assert "http://127.0.0.1:1 cannot be reached" in err
    assert "start oca-steering serve" in err


def test_wrong_setting_is_one_line_and_78(run: Run, config: Path) -> None:
    config.write_text("[plan]\nat = 7\n")
    code, _, err = run("titles")
    assert code == 78
    assert f"{config}: plan.at = 7" in err
    assert len(err.splitlines()) == 1


def test_unwritable_state_is_one_line_and_78(run: Run, config: Path, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    config.write_text(f'[state]\npath = "{tmp_path / "file" / "state"}"\n')
    code, _, err = run("titles")
    assert code == 78
    assert "cannot be opened for writing: Not a directory" in err
    assert len(err.splitlines()) == 1


def test_config_check_refuses_token_file_that_serve_would(config: Path, capsys: pytest.CaptureFixture[str]) -> None:
    def check(*options: str) -> object:
        with pytest.raises(SystemExit) as ended:
            run_app(app, "oca-steering", ["config", "check", str(config), *options])
        return ended.value.code

    assert check() == 0
    config.write_text(config.read_text() + 'token_file = "/nope"\n')
    assert check() == 78
    assert "token_file of metro-a = '/nope': cannot be read" in capsys.readouterr().err
    assert check("--file-only") == 0
