from __future__ import annotations

import json
from pathlib import Path

import pytest

from oca import cli
from oca.admin.routes import RouteFinding, RoutesPage
from oca.common.command import run_app

WELL = RoutesPage(socket="/run/bird/bird.ctl", why="", routes=3)
ILL = RoutesPage(
    socket="/run/bird/bird.ctl",
    why="BGP session isp is not established",
    routes=3,
    findings=(RouteFinding(why="private space", prefixes=1, examples=["10.0.0.0/8"]),),
)


def run(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, page: RoutesPage, *words: str
) -> tuple[object, str]:
    path = tmp_path / "appliance.toml"
    path.write_text('[appliance]\nid = "box"\nsite = "here"\n')
    monkeypatch.setattr("oca.cli_routes.ask_routes", lambda listen, limit: page)
    with pytest.raises(SystemExit) as ended:
        run_app(cli.app, "oca", ["routes", *words, "--config", str(path)])
    return ended.value.code, capsys.readouterr().out


def test_routes_show_what_is_heard(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    code, out = run(capsys, tmp_path, monkeypatch, WELL, "show")
    assert (code, out) == (0, "3 routes from BIRD at /run/bird/bird.ctl; read in 0.00 s\n")
    code, out = run(capsys, tmp_path, monkeypatch, WELL, "show", "--json")
    assert (code, json.loads(out)["routes"]) == (0, 3)


def test_routes_audit_fails_where_anything_is_wrong(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert run(capsys, tmp_path, monkeypatch, WELL, "audit")[0] == 0
    code, out = run(capsys, tmp_path, monkeypatch, ILL, "audit")
    assert (code, out.splitlines()) == (
        1,
        ["BGP session isp is not established", "1 prefixes steer nobody, private space: 10.0.0.0/8"],
    )
    code, out = run(capsys, tmp_path, monkeypatch, ILL, "audit", "--json")
    assert (code, json.loads(out)["findings"][0]["why"]) == (1, "private space")
