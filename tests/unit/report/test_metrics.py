from collections.abc import Callable

import pytest
from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.parser import text_string_to_metric_families

from oca.common.messages import Health
from oca.common.metrics_collector import FamilyCollector
from oca.delivery.metrics import DELIVERY
from oca.report.metrics import APPLIANCE, appliance_values
from oca.report.snapshot import Snapshot, SteeringLink

MakeSnapshot = Callable[..., Snapshot]


def test_metrics_show_appliance_at_a_glance(make_snapshot: MakeSnapshot) -> None:
    link = SteeringLink("http://steer", connected=True, reports_taken=5, reports_failed=2, demand_dropped=3)
    values = appliance_values(make_snapshot(), "draining", link)
    assert values["health:ok"] == 1
    assert values["serving:draining"] == 1
    assert (values["workers"], values["workers_ready"], values["worker_restarts"]) == (2, 1, 2)
    assert (values["store_devices"], values["store_devices_failed"], values["links_down"]) == (2, 1, 1)
    assert values["steering_connected"] == 1
    assert (values["reports:taken"], values["reports:failed"], values["demand_requests_dropped"]) == (5, 2, 3)


@pytest.mark.parametrize("link", [None, SteeringLink("u"), SteeringLink("u", connected=False)])
def test_metrics_show_steering_as_not_connected(make_snapshot: MakeSnapshot, link: SteeringLink | None) -> None:
    assert appliance_values(make_snapshot(), "serving", link)["steering_connected"] == 0


@pytest.mark.parametrize(
    ("connected", "standing", "shown"),
    [
        (True, "turning-up", {"steering_standing:turning-up"}),
        (True, "of a later release", set()),
        (True, "", set()),
        (False, "turning-up", set()),
    ],
)
def test_metrics_show_how_steering_judges_while_it_is_there(
    make_snapshot: MakeSnapshot, connected: bool, standing: str, shown: set[str]
) -> None:
    link = SteeringLink("u", connected=connected, standing=standing)
    known = {key for family in APPLIANCE for key in family.keys()}  # noqa: SIM118
    values = appliance_values(make_snapshot(), "serving", link)
    assert {key for key in values if key.startswith("steering_standing:")} & known == shown


def test_metrics_values_are_all_declared(make_snapshot: MakeSnapshot) -> None:
    declared = {key for family in APPLIANCE for key in family.keys()}  # noqa: SIM118
    for verdict in ("ok", "degraded", "failed"):
        snapshot = make_snapshot(health=Health(verdict=verdict, reasons=[]))
        assert set(appliance_values(snapshot, "drained", None)) <= declared


def test_metrics_names_are_declared_once() -> None:
    names = [family.name for family in (*APPLIANCE, *DELIVERY)]
    assert len(set(names)) == len(names)


def test_metrics_show_one_at_state_that_holds(make_snapshot: MakeSnapshot) -> None:
    registry = CollectorRegistry()
    registry.register(FamilyCollector(APPLIANCE, lambda: appliance_values(make_snapshot(), "drained", None)))
    families = {family.name: family for family in text_string_to_metric_families(generate_latest(registry).decode())}
    states = {sample.labels["state"]: sample.value for sample in families["oca_serving"].samples}
    assert states == {"serving": 0, "draining": 0, "drained": 1}
