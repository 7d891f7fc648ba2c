from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace

import steering.service as service_module
from oca.common.errors import ConfigError, SteeringError
from oca.common.settings import render_default
from steering.history.log import listed
from steering.plan.demand import fold
from steering.plan.planner import compute_plans, make_plans
from steering.settings import HEADING, SteeringSettings, load_settings
from steering.state.embedded import EmbeddedState
from steering.state.engine import open_state
from steering.state.settings import StateTable
from steering.titles.catalogue import Catalogue, write_title
from tests.unit.steering.api_client import Steering
from tests.unit.steering.made_up import (
    DAY_NS,
    NOW_NS,
    make_batch,
    make_contents,
    make_report,
    make_settings,
    make_title,
)

SITE = '[[site]]\nid = "{0}"\nprefixes = ["{1}"]\n[[site.appliance]]\nid = "{2}"\n'
LOW, HIGH = "harbour/video-240p", "harbour/video-1080p"


def write(folder: Path, text: str) -> Path:
    path = folder / "steering.toml"
    path.write_text(text)
    return path


def test_settings_hold_sites_with_appliances(tmp_path: Path) -> None:
    text = '[api]\nlisten = "127.0.0.1:1"\n' + SITE.format("metro", "10.0.0.0/8", "metro-a")
    site = load_settings(write(tmp_path, text)).site[0]
    assert (site.id, site.class_, site.appliance[0].id) == ("metro", "embedded", "metro-a")


def test_settings_by_default_leave_a_killed_appliance_within_five_seconds() -> None:
    fleet = SteeringSettings().fleet
    assert fleet.report_interval_s * fleet.missed_reports_max + fleet.report_grace_s <= 5


@pytest.mark.parametrize(
    ("text", "told"),
    [
        (
            SITE.format("m", "10.0.0.1/8", "m-a"),
            "site m: prefix '10.0.0.1/8' has bits set beyond its length; clear those bits, or write a longer prefix",
        ),
        (
            SITE.format("m", "ten", "m-a"),
            "site m: prefix 'ten' is not an address prefix; write it like 192.0.2.0/24 or 2001:db8::/32",
        ),
        (
            SITE.format("m", "10.0.0.0/8", "origin"),
            "the appliance id origin is reserved for the origin; give it another id",
        ),
        (SITE.format("m", "10.0.0.0/8", "a") * 2, "two [[site]] have the id m; give one another id"),
        (
            SITE.format("m", "10.0.0.0/8", "a") + SITE.format("n", "11.0.0.0/8", "a"),
            "appliance a is in site m and again in n; take it out of one",
        ),
        (
            SITE.format("m", "10.0.0.0/8", "a") + SITE.format("n", "10.0.0.0/8", "b"),
            "prefix 10.0.0.0/8 is in site m and in n; take it out of one",
        ),
        ('[api]\ntrusted_proxies = ["x"]', "api.trusted_proxies: 'x' is not an address prefix; write it like"),
        ('[api]\nlisten = "nowhere"', "api.listen"),
        ("[api]\nsteering_ttl_s = 0", "api.steering_ttl_s"),
        ("[history]\nkeep_days = 27", "history.keep_days is less than plan.history_days"),
        ('[history]\nengine = "sqlite"', "duckdb, or spark:// and the master's host and port"),
        ('[plan]\nat = "25:00"', "a time of day like 01:30"),
        ("[plann]\n", "did you mean plan?"),
    ],
)
def test_settings_refuse_what_cannot_be(tmp_path: Path, text: str, told: str) -> None:
    with pytest.raises(ConfigError) as refused:
        load_settings(write(tmp_path, text))
    assert told in str(refused.value)
    assert "steering.toml" in str(refused.value)


def test_default_file_loads_as_the_defaults(tmp_path: Path) -> None:
    text = render_default(SteeringSettings, heading=HEADING)
    assert load_settings(write(tmp_path, text)) == SteeringSettings()


# Each setting, with a value that is not its default, shows where its description says.


def with_settings(table: str, **values: Any) -> SteeringSettings:
    """The made-up settings with these keys of one table changed."""
    plain = make_settings()
    return replace(plain, **{table: replace(getattr(plain, table), **values)})


async def test_pathways_max_limits_appliances_offered(state: EmbeddedState, package: Path) -> None:
    async with Steering(state, with_settings("api", pathways_max=1)) as steering:
        held = steering.publish(package)
        for name, site in (("metro-a", "metro"), ("metro-b", "metro"), ("region-a", "region")):
            await steering.report(make_report(name, site, contents=make_contents(held)))
        _, answer = await steering.playback()
        assert [pathway["class"] for pathway in answer["pathways"]] == ["embedded", "fallback"]


async def test_steering_ttl_s_and_public_url_show_in_answers(state: EmbeddedState, package: Path) -> None:
    settings = with_settings("api", steering_ttl_s=37, public_url="https://steer.example/base/")
    async with Steering(state, settings) as steering:
        steering.publish(package)
        _, answer = await steering.playback()
        assert answer["hls_url"].startswith("https://steer.example/base/v1/playback/harbour/master.m3u8")
        async with steering.client.get("/v1/playback/harbour/master.m3u8") as response:
            assert 'SERVER-URI="https://steer.example/base/steer/hls' in await response.text()
        assert (await steering.get("/steer/hls?title=harbour"))["TTL"] == 37


@pytest.mark.parametrize(("open_to", "status"), [((), 403), (("127.0.0.1/32",), 200)])
async def test_open_to_lets_appliances_in(
    state: EmbeddedState, monkeypatch: pytest.MonkeyPatch, open_to: tuple[str, ...], status: int
) -> None:
    monkeypatch.setattr(service_module, "_LOOPBACK", ())
    async with Steering(state, with_settings("api", open_to=open_to)) as steering:
        assert (await steering.report(make_report())).status == status


async def test_fleet_settings_make_the_age_limit(state: EmbeddedState) -> None:
    settings = with_settings("fleet", report_interval_s=7, missed_reports_max=3, report_grace_s=2)
    async with Steering(state, settings) as steering:
        await steering.report(make_report())
        assert steering.service.decider.liveness("metro-a").why.endswith("limit 23.0 s")


def test_bytes_max_limits_the_state(tmp_path: Path) -> None:
    small = open_state(StateTable(path=str(tmp_path), bytes_max=2**20))
    with pytest.raises(SteeringError, match="is full"), small.write() as transaction:
        transaction.put("big", b"x" * 2**21)
    small.close()


@pytest.fixture
def planned(state: EmbeddedState) -> Callable[..., list[str]]:
    """Makes a plan where long ago HIGH was wanted much, and yesterday LOW a little; assets with demand, in order."""
    with state.write() as transaction:
        write_title(transaction, make_title(), [])
        for appliance in ("metro-a", "region-a"):
            transaction.put(f"capacity/{appliance}", b"40000")
        old = make_batch(0, at_ns=NOW_NS - 20 * DAY_NS, harbour__video_1080p=(9, 9_000_000))
        new = make_batch(1, at_ns=NOW_NS - DAY_NS, harbour__video_240p=(1, 1000))
        for batch in (old, new):
            fold(transaction, "metro-a", "metro", batch, now_ns=NOW_NS, known={LOW, HIGH})

    def plan(appliance: str = "metro-a", **values: Any) -> list[str]:
        settings = with_settings("plan", **values)
        made = compute_plans(state, settings, settings.site, Catalogue(state), now_ns=NOW_NS)[appliance]
        return [item.asset for item in made.assets if item.popularity > 0 and item.asset in (LOW, HIGH)]

    return plan


def test_half_life_days_weighs_old_demand(planned: Callable[..., list[str]]) -> None:
    assert planned(half_life_days=1) == [LOW, HIGH]
    assert planned(half_life_days=300) == [HIGH, LOW]


def test_fleet_days_lend_demand_to_other_sites(planned: Callable[..., list[str]]) -> None:
    assert planned("region-a", fleet_days=0) == []
    assert planned("region-a", fleet_days=0.9) != []


def test_banned_and_pinned_assets_are_out_and_in(planned: Callable[..., list[str]]) -> None:
    assert planned(banned=("harbour",)) == []
    assert HIGH not in planned(half_life_days=300, capacity_ratio=0.4)
    assert planned(half_life_days=300, banned=(HIGH,)) == [LOW]


@pytest.mark.parametrize("ladders", ["popular", "whole"])
def test_ladders_and_hot_share_and_payback_are_taken_up(planned: Callable[..., list[str]], ladders: str) -> None:
    assert planned(half_life_days=1, ladders=ladders, hot_share=0.0, payback_days=1.0, nightly_ratio=0.5)


def test_capacity_ratio_limits_what_a_plan_fills(planned: Callable[..., list[str]]) -> None:
    assert HIGH in planned(half_life_days=300, capacity_ratio=0.9)
    assert HIGH not in planned(half_life_days=300, capacity_ratio=0.4)


def test_history_days_limit_how_far_plans_look_back(planned: Callable[..., list[str]]) -> None:
    assert planned(half_life_days=300, history_days=60) == [HIGH, LOW]
    assert planned(half_life_days=300, history_days=5, fleet_days=0) == [LOW]


@pytest.mark.parametrize(("keep_days", "kept"), [(60, 2), (28, 1)])
def test_keep_days_drops_older_history(
    state: EmbeddedState, planned: Callable[..., list[str]], keep_days: int, kept: int
) -> None:
    del planned
    for later in (9, 10):
        make_plans(state, with_settings("history", keep_days=keep_days), now_ns=NOW_NS + later * DAY_NS)
    assert len(listed(state)) == kept


def test_history_days_limits_what_a_plan_looks_at(planned: Callable[..., list[str]]) -> None:
    assert planned(half_life_days=300, history_days=5) == [LOW]
