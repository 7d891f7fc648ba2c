"""A real Prometheus scrapes the demo's fleet and a site that is hurt: dashboards show data, alerts fire by faults."""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from demo.system import System
from docs.dashboards import DASHBOARDS
from tests.system.scraping import Prometheus, Site, answers
from tests.system.test_prometheus import ROOT, expressions
from tests.waiting import wait_until

pytestmark = [pytest.mark.system, pytest.mark.long]

FAULTS = {
    "OcaBoxGone": "a box is killed",
    "OcaBoxFailed": "every device of a box goes away",
    "OcaBoxDegraded": "a delivery address is taken from its link",
    "OcaBoxDrained": "a box is drained",
    "OcaDrainedFromSteering": "a box that serves is drained from steering",
    "OcaTurningUpLong": "new boxes hold nothing of what is published",
    "OcaNeverFilled": "a box reports that was never filled",
    "OcaSteeringStateAway": "the NATS server of an instance is killed",
    "OcaBoxesUnreachable": "what forwards viewers to a box ends, while its reports come",
    "OcaObserverAbstains": "what forwards to every box ends, while their reports come",
    "OcaRoutesSetAside": "a box tells of a default route",
    "OcaSteeringAway": "steering is killed",
    "OcaDeviceOut": "a device goes away",
    "OcaLinkDown": "a delivery address is taken from its link",
    "OcaWorkersDie": "four workers are killed",
    "OcaPacksDamaged": "bytes of a pack are overwritten, and a scrub meets them",
    "OcaFillOverdue": "the agent's file says that the last whole fill was 30 h ago",
    "OcaContentMisses": "viewers ask for what the box does not hold",
    "OcaFirstByteSlow": "the origin that a box fetches misses from answers after 0.7 s",
    "OcaWorkersLate": "workers are stopped for 0.3 s, ten times",
    "OcaConnectionsRefused": "one client opens 700 connections",
    "OcaViewersStarved": "players tell of starved buffers (CMCD bs)",
    "OcaSteeringGone": "steering is killed",
    "OcaBoxesGone": "a box is killed",
    "OcaNoChoice": "viewers ask for a title that no box holds, with an origin that is not for players",
    "OcaPlansMissed": "steering serves a title and makes no plan",
    "OcaSignaturesRefused": "reports of an enrolled box come unsigned",
}
"""What makes each alert fire here; docs/alarms.md has the same table."""


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Site]:
    made = Site(tmp_path)
    try:
        made.start()
        yield made
    finally:
        made.stop()


@pytest.fixture
def prometheus(whole: System, site: Site, tmp_path: Path) -> Iterator[Prometheus]:
    boxes = [appliance.admin for appliance in whole.places.appliances]
    steering = [urlsplit(whole.places.steering_url).netloc, site.steering, site.shared]
    targets = {"oca": [*boxes, *site.admins.values()], "oca-steering": steering}
    running = Prometheus(tmp_path, targets)
    try:
        # Twice at least: a counter's rise shows from its second sample on.
        wait_until(answers(lambda: len(running.ask("count_over_time(up[1m]) > 2 and up == 1")) == len(boxes) + 5))
        yield running
    finally:
        running.process.kill()


@pytest.mark.asyncio(loop_scope="session")
async def test_dashboards_show_data_and_alerts_fire_by_faults(
    whole: System, site: Site, prometheus: Prometheus
) -> None:
    answer = await whole.playback(whole.films[0].title)
    for urls in answer["assets"].values():
        async with whole.session.get(urls[0]) as response:
            assert response.status == 200
    await asyncio.to_thread(hurt_a_little, site)
    drawn = [expression for name in DASHBOARDS for expression in expressions(dashboard(name))]
    asked = [expression.replace("$instance", ".+") for expression in drawn]
    assert len(asked) > 40

    def all_show() -> bool:
        return all(prometheus.ask(expression) for expression in asked)

    try:
        await asyncio.to_thread(wait_until, all_show)
    except AssertionError:
        pytest.fail(f"no data: {[expression for expression in asked if not prometheus.ask(expression)]}")
    await asyncio.to_thread(wait_until, lambda: prometheus.fired() >= {"OcaBoxDrained", "OcaTurningUpLong"})
    await asyncio.to_thread(cut_off, site, prometheus)
    await asyncio.to_thread(hurt_gravely, site, prometheus)

    def all_have_fired() -> bool:
        return prometheus.fired() >= FAULTS.keys()

    try:
        await asyncio.to_thread(wait_until, all_have_fired)
    except AssertionError:
        pytest.fail(f"not fired: {sorted(FAULTS.keys() - prometheus.fired())}")


def hurt_a_little(site: Site) -> None:
    """What a site lives with."""
    site.is_asked_for_what_it_lacks()
    site.has_slow_origin()
    site.has_players_that_starve()
    site.has_client_with_too_many_connections()
    site.hears_unsigned_reports()
    site.has_no_source_for_a_title()
    site.has_damaged_pack()
    site.tells_of_default_route()
    site.is_taken_out()


def cut_off(site: Site, prometheus: Prometheus) -> None:
    """What parts steering from boxes, and an instance from its state; all of them run on."""
    site.is_cut_off("sick")
    wait_until(lambda: "OcaBoxesUnreachable" in prometheus.fired())
    site.is_cut_off("gone")
    wait_until(site.has_isolated_observer)
    wait_until(lambda: "OcaObserverAbstains" in prometheus.fired())
    site.is_drained_from_steering()
    wait_until(lambda: "OcaDrainedFromSteering" in prometheus.fired())
    site.loses("nats")


def hurt_gravely(site: Site, prometheus: Prometheus) -> None:
    """What takes parts of it away."""
    site.loses("gone")
    site.has_workers_that_do_not_run()
    site.has_workers_that_die()
    site.loses_a_link()
    wait_until(lambda: site.ask(site.admins["sick"], "/v1/status")["health"]["verdict"] == "degraded")
    wait_until(lambda: "OcaBoxDegraded" in prometheus.fired())  # which it is no more once it has failed
    site.loses_its_devices()
    wait_until(lambda: site.ask(site.admins["sick"], "/v1/status")["health"]["verdict"] == "failed")
    wait_until(lambda: any(row["standing"] == "gone" for row in site.fleet()))
    site.loses("steering")


def dashboard(name: str) -> dict[str, object]:
    read: dict[str, object] = json.loads((ROOT / f"config/dashboards/{name}.json").read_text())
    return read


def test_alarms_page_says_what_made_each_alert_fire() -> None:
    alerts = set(re.findall(r"alert: (\w+)", (ROOT / "config/prometheus/alerts.yml").read_text()))
    assert alerts == FAULTS.keys()
    rows = dict(re.findall(r"^\| (Oca\w+) \| (.+) \|$", (ROOT / "docs/alarms.md").read_text(), re.MULTILINE))
    assert rows == FAULTS
