from __future__ import annotations

import json

import pytest
from typer.testing import CliRunner

import steering.commands.ask as asking
from steering.api.messages import ApplianceView, FleetView, SiteView
from steering.cli import app
from steering.fleet.turnup import Check
from steering.probing.views import ObserversView, ObserverView

FLEET = FleetView(
    [SiteView("fra1", "Frankfurt", "embedded", 50.1, 8.6, [])],
    [
        ApplianceView(
            "fra1-a", "fra1", True, "up", "report 0.3 s old, limit 4.5 s", connections=7, sent_bytes_per_s=1e6
        ),
        ApplianceView(
            "fra1-b",
            "fra1",
            False,
            "turning-up",
            "turning up: it holds 3% of its plan",
            checks=[Check("clock", True, "right"), Check("contents", False, "it holds 3% of its plan")],
        ),
    ],
)
OBSERVERS = ObserversView([ObserverView("ham", True, True, "", 2, 0, 0.5)])


@pytest.fixture(autouse=True)
def _answers(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(asking, "ask_fleet", lambda api: (FLEET, OBSERVERS))


def test_fleet_shows_each_appliance_and_who_observes_it() -> None:
    assert CliRunner().invoke(app, ["fleet"]).stdout.splitlines() == [
        "fra1 (embedded)",
        "  fra1-a: up, 7 connections, 8.0 Mb/s sent",
        "    report 0.3 s old, limit 4.5 s",
        "  fra1-b: turning-up",
        "    turning up: it holds 3% of its plan",
        "    pass  clock: right",
        "    wait  contents: it holds 3% of its plan",
        "observer ham (this one): 2 probed, votes against 0; said 500 ms ago",
    ]


def test_fleet_prints_json() -> None:
    shown = json.loads(CliRunner().invoke(app, ["fleet", "--json"]).stdout)
    assert [row["standing"] for row in shown["fleet"]["appliances"]] == ["up", "turning-up"]
    assert shown["observers"]["observers"][0]["votes"] is True
