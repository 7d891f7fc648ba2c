"""What Prometheus is given: metrics by its conventions, rules and alerts that hold, dashboards of what exists."""

from __future__ import annotations

import json
import re
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from prometheus_client.exposition import generate_latest

from docs.dashboards import DASHBOARDS
from oca.common.metrics import Family
from oca.common.metrics_collector import registry_of
from oca.delivery.metrics import DELIVERY
from oca.report.metrics import APPLIANCE
from oca.store.scrub_messages import SCRUB
from steering.metrics import STEERING

pytestmark = pytest.mark.system

ROOT = Path(__file__).resolve().parents[2]
RULES = ROOT / "config/prometheus"
BOX = (*APPLIANCE, *DELIVERY, *SCRUB)
SUFFIXES = {"counter": ("_total",), "gauge": ("",), "histogram": ("_bucket", "_sum", "_count")}


def promtool(*words: str, told: bytes = b"") -> subprocess.CompletedProcess[bytes]:
    return subprocess.run(["promtool", *words], cwd=RULES, input=told, capture_output=True, check=False)


def existing() -> dict[str, Family]:
    return {f"oca_{one.name}{end}": one for one in (*BOX, *STEERING) for end in SUFFIXES[one.kind]}


def recorded() -> set[str]:
    return set(re.findall(r"record: (\S+)", (RULES / "rules.yml").read_text()))


def asked(expression: str) -> set[str]:
    """Names of metrics in an expression, recorded ones with their colons."""
    return set(re.findall(r"\b(?:instance:|job:)?oca_\w+(?::\w+)?", expression))


def unknown_labels(expression: str) -> list[str]:
    """Selectors of a label or a value that the metric does not have."""
    found = []
    for name, selector in re.findall(r"\b(oca_\w+)\{([^}]*)\}", expression):
        family = existing()[name]
        for label, how, value in re.findall(r'(\w+)(=~?)"([^"]*)"', selector):
            if label in ("job", "instance"):
                continue
            values = value.split("|") if how == "=~" else [value]
            if label != family.label or not set(values) <= set(family.values):
                found.append(f"{name}{{{label}{how}{value!r}}}")
    return found


@pytest.mark.parametrize("families", [BOX, STEERING], ids=["box", "steering"])
def test_metrics_follow_conventions(families: tuple[Family, ...]) -> None:
    shown = generate_latest(registry_of((families, dict)))
    checked = promtool("check", "metrics", told=shown)
    assert (checked.returncode, checked.stdout + checked.stderr) == (0, b"")


def test_metrics_have_labels_of_few_values() -> None:
    assert max(len(family.values) for family in existing().values()) < 50


def test_rules_and_alerts_are_well_formed() -> None:
    checked = promtool("check", "rules", "rules.yml", "alerts.yml")
    assert checked.returncode == 0, checked.stdout + checked.stderr


def test_rules_and_alerts_hold() -> None:
    tested = promtool("test", "rules", "alerts.test.yml")
    assert tested.returncode == 0, tested.stdout + tested.stderr


def test_alerts_are_each_tested_and_have_a_runbook() -> None:
    alerts = re.findall(r"alert: (\w+)", (RULES / "alerts.yml").read_text())
    assert len(alerts) == len(set(alerts)) >= 15
    tested = (RULES / "alerts.test.yml").read_text()
    assert [alert for alert in alerts if f"        alertname: {alert}\n" not in tested] == []
    page = (ROOT / "docs/alarms.md").read_text()
    sections = re.findall(r"^## (Oca\w+)$", page, re.MULTILINE)
    assert sections == alerts
    links = re.findall(r"runbook: docs/alarms\.md#(\w+)", (RULES / "alerts.yml").read_text())
    assert links == [alert.lower() for alert in alerts]


def test_rules_ask_for_metrics_that_exist() -> None:
    known = existing().keys() | recorded()
    for file in ("rules.yml", "alerts.yml"):
        text = re.sub(r"(record|alert|summary|description|runbook): .*", "", (RULES / file).read_text())
        assert asked(text) <= known, asked(text) - known
        assert not unknown_labels(text)


def expressions(dashboard: dict[str, Any]) -> list[str]:
    return [target["expr"] for panel in dashboard["panels"] for target in panel["targets"]]


@pytest.mark.parametrize("name", DASHBOARDS)
def test_dashboards_ask_for_metrics_that_exist(name: str, tmp_path: Path) -> None:
    dashboard = json.loads((ROOT / f"config/dashboards/{name}.json").read_text())
    wanted = expressions(dashboard)
    known = existing().keys() | recorded()
    assert set().union(*map(asked, wanted)) <= known
    assert not [label for expression in wanted for label in unknown_labels(expression)]
    rules = [{"record": f"panel_{number}", "expr": expression} for number, expression in enumerate(wanted)]
    (tmp_path / "panels.yml").write_text(json.dumps({"groups": [{"name": "panels", "rules": rules}]}))
    checked = promtool("check", "rules", str(tmp_path / "panels.yml"))  # JSON is YAML; it parses each expression
    assert checked.returncode == 0, checked.stdout + checked.stderr


@pytest.mark.parametrize(
    ("judge", "wrong"),
    [
        (lambda: asked("rate(oca_no_such_total[5m])") <= existing().keys(), False),
        (lambda: unknown_labels('oca_health{verdict="poorly"}'), ["oca_health{verdict='poorly'}"]),
        (lambda: unknown_labels('oca_health{colour="red"}'), ["oca_health{colour='red'}"]),
    ],
)
def test_prometheus_checks_find_what_is_wrong(judge: Callable[[], Any], wrong: Any) -> None:
    assert judge() == wrong
