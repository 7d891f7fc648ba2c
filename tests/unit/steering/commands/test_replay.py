from __future__ import annotations

import json
from pathlib import Path

import pytest

from oca.common.command import run_app
from steering.cli import app
from steering.decision.record import begun, line_of
from tests.unit.steering.decision.test_again import SITES
from tests.unit.steering.decision.test_replaying import logged

CONFIG = "".join(
    f'[[site]]\nid = "{site.id}"\nclass = "{site.class_}"\nlatitude = {site.latitude:.1f}\n'
    + "".join(f'[[site.appliance]]\nid = "{entry.id}"\n' for entry in site.appliance)
    for site in SITES
)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "steering.toml").write_text(f'[origin]\nurl = "http://origin.example"\n{CONFIG}')
    (tmp_path / "log").mkdir()
    lines = [line_of(begun(SITES)), *(line_of(record) for record in logged(40)), b'{"cut']
    (tmp_path / "log" / "decisions-00000001.jsonl").write_bytes(b"".join(lines))
    return tmp_path


def run(capsys: pytest.CaptureFixture[str], folder: Path, *words: str) -> tuple[object, str, str]:
    with pytest.raises(SystemExit) as ended:
        run_app(app, "oca-steering", ["replay", *words, "--config", str(folder / "steering.toml")])
    out, err = capsys.readouterr()
    return ended.value.code, out, err


def test_replay_shows_what_moves_and_whom_it_fills(capsys: pytest.CaptureFixture[str], folder: Path) -> None:
    code, out, err = run(capsys, folder, str(folder / "log"), "--without", "metro")
    assert code == 0
    lines = out.splitlines()
    assert lines[0].startswith("40 decisions, 2024-10-04")
    assert lines[1:3] == ["40 of them move (100.0%)", "mean distance 0 km, then 445 km"]
    assert "embedded  100.0 %  100.0 %" in lines
    assert "wide   0       40" in lines
    assert any(line.startswith("w-a") and "24.0 Mb/s" in line for line in lines)
    assert any(line.split()[:2] == ["m-a", "w-a"] for line in lines)
    assert "1 lines could not be read" in err
    assert "decisions-00000001.jsonl: " in err


def test_replay_tells_programs(capsys: pytest.CaptureFixture[str], folder: Path) -> None:
    file = str(folder / "log" / "decisions-00000001.jsonl")
    code, out, _ = run(capsys, folder, file, "--json")
    found = json.loads(out)
    assert (code, found["decisions"], found["moved"], found["spoilt"]) == (0, 40, 0, 1)
    assert found["classes"][0] == {"class": "embedded", "before": 40, "after": 40}
    code, out, _ = run(capsys, folder, file, "--json", "--rows", "1", "--without", "m-a", "--without", "m-b")
    assert len(json.loads(out)["moves"]) == 1


def test_replay_names_sites_that_the_log_cannot_tell_of(capsys: pytest.CaptureFixture[str], folder: Path) -> None:
    path = folder / "steering.toml"
    path.write_text(path.read_text().replace('class = "embedded"', 'class = "peering"', 1))
    _, out, _ = run(capsys, folder, str(folder / "log"))
    assert "site metro is new or of another class: what it would take of others' viewers is not in the log" in out


@pytest.mark.parametrize(
    ("words", "code", "why"),
    [
        (
            ["log", "--without", "moon"],
            78,
            "--without moon: no such appliance or site; name one that",
        ),
        (["steering.toml"], 1, "steering.toml: not a decision log; version 1 is read; name files of"),
        (["empty"], 1, "holds no decision log; name the [decision_log] folder of a service"),
        (["nothing"], 2, "does not exist"),
    ],
)
def test_replay_says_what_is_wrong(
    capsys: pytest.CaptureFixture[str], folder: Path, words: list[str], code: int, why: str
) -> None:
    (folder / "empty").mkdir()
    found, _, err = run(capsys, folder, str(folder / words[0]), *words[1:])
    assert found == code
    assert why in " ".join(err.replace("│", " ").split())


def test_replay_of_an_empty_log_says_so(capsys: pytest.CaptureFixture[str], folder: Path) -> None:
    (folder / "log" / "decisions-00000001.jsonl").write_bytes(line_of(begun(SITES)))
    code, out, _ = run(capsys, folder, str(folder / "log"))
    assert (code, out) == (0, "no decision is logged there\n")
