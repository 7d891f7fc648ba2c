from __future__ import annotations

import json
from pathlib import Path

import pytest

from oca.common.command import run_app
from steering.cli import app
from steering.routes.audit import AuditView, Finding, HeardView

HEARD = HeardView(appliance="metro-a", site="metro", routes=7, set_aside=1, digest="0" * 32)
FINDING = Finding(
    "set-aside", "metro", "metro-a", 6, ["10.0.0.0/8"], "private space; it steers nobody", "have it filtered"
)
CONFLICT = Finding("two-isps", "metro, other", "", 1, ["45.0.0.0/8"], "claimed by two ISPs", "ask both")


def run(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, view: AuditView, *words: str
) -> tuple[object, str]:
    path = tmp_path / "steering.toml"
    path.write_text('[[site]]\nid = "metro"\n')
    monkeypatch.setattr("steering.commands.ask.ask_route_audit", lambda api: view)
    with pytest.raises(SystemExit) as ended:
        run_app(app, "oca-steering", ["routes", "audit", *words, "--config", str(path)])
    return ended.value.code, capsys.readouterr().out


def test_audit_tells_what_is_wrong_and_what_to_do(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    code, out = run(capsys, tmp_path, monkeypatch, AuditView(6, [HEARD], [FINDING, CONFLICT]))
    assert code == 1
    assert out.splitlines() == [
        "1 appliances hear 7 routes; 6 prefixes count",
        "- metro-a of site metro: 6 prefixes (10.0.0.0/8, …): private space; it steers nobody",
        "    have it filtered",
        "- sites metro, other: 1 prefixes (45.0.0.0/8): claimed by two ISPs",
        "    ask both",
    ]
    code, out = run(capsys, tmp_path, monkeypatch, AuditView(6, [HEARD], []))
    assert (code, out.splitlines()[-1]) == (0, "nothing is wrong with them")
    code, out = run(capsys, tmp_path, monkeypatch, AuditView(6, [HEARD], [FINDING]), "--json")
    assert (code, json.loads(out)["findings"][0]["kind"]) == (1, "set-aside")
