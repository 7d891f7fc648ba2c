from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from demo.demand import made_up_day
from demo.ladder import AUDIO_BITS_PER_S, RUNGS
from demo.places import SITES, Places, parse_network
from demo.titles import FILMS
from oca.common.errors import ConfigError
from oca.common.messages import FillPlan
from steering.plan import Offer, plan_appliance
from steering.plan_settings import PlanTable

MANIFESTS_BYTES = 20_000


def test_places_give_everyone_an_address_of_its_own() -> None:
    addresses = [address for _, address in Places("127.0.7", Path("x")).addresses()]
    assert len(addresses) == len(set(addresses)) == 8
    assert all(address.startswith("127.0.7.") for address in addresses)


def test_places_put_appliances_on_hosts_of_their_own() -> None:
    hosts = [appliance.delivery.partition(":")[0] for appliance in Places("127.0.0", Path("x")).appliances]
    assert len(set(hosts)) == 3


def test_places_use_known_sites() -> None:
    sites = {appliance.site for appliance in Places("127.0.0", Path("x")).appliances}
    assert sites == {site.id for site in SITES}


@pytest.mark.parametrize("text", ["127.0.0", "127.255.1", "127.10.250"])
def test_network_takes_loopback(text: str) -> None:
    assert parse_network(text) == text


@pytest.mark.parametrize("text", ["10.0.0", "127.0", "127.0.0.1", "127.0.256", "127.0.01", "", "127.0.x"])
def test_network_refuses_other_text(text: str) -> None:
    with pytest.raises(ConfigError, match="--net"):
        parse_network(text)


def _assets(titles: list[str], seconds: int, ratio: float) -> dict[str, int]:
    """Sizes as the ladder makes them; ``ratio`` is how far below their bit rate the films after the first stay."""
    rates = {f"video-{rung.height}p": rung.bits_per_s for rung in RUNGS} | {"audio": AUDIO_BITS_PER_S}
    sizes = {}
    for number, title in enumerate(titles):
        for label, rate in rates.items():
            sizes[f"{title}/{label}"] = int(rate / 8 * seconds * (ratio if number else 1))
        sizes[f"{title}/manifests"] = MANIFESTS_BYTES
    return sizes


def _plan(appliance: str, titles: list[str], assets: dict[str, int]) -> FillPlan:
    """The night's plan of one appliance of the demo, by its made-up day and the size of its store."""
    found = next(item for item in Places("127.0.0", Path("x")).appliances if item.id == appliance)
    day = made_up_day(titles, assets)
    settings = PlanTable()
    offers = [
        Offer(
            asset=asset,
            kind="manifests" if asset.endswith("manifests") else "video",
            revision="0",
            bytes=size,
            objects=17,
            released_at_ns=0,
            regions=(),
            site_bytes_per_day=sum(item.bytes for item in day if (item.site, item.asset) == (found.site, asset)),
            fleet_bytes_per_day=settings.fleet_weight * sum(item.bytes for item in day if item.asset == asset),
        )
        for asset, size in assets.items()
    ]
    films = [sum(size for asset, size in assets.items() if asset.startswith(f"{title}/")) for title in titles]
    return plan_appliance(
        appliance,
        offers,
        capacity_bytes=found.store_bytes(films),
        fill_ratio=settings.capacity_ratio,
        region="",
        now_ns=1,
    )


@given(count=st.integers(1, len(FILMS)), seconds=st.integers(12, 600), ratio=st.floats(0.85, 1.1))
def test_store_of_every_appliance_holds_first_film_whole(count: int, seconds: int, ratio: float) -> None:
    titles = [film.title for film in FILMS[:count]]
    assets = _assets(titles, seconds, ratio)
    for appliance in ("metro-a", "metro-b", "region-a"):
        held = {item.asset for item in _plan(appliance, titles, assets).assets}
        assert {asset for asset in assets if asset.startswith(f"{titles[0]}/")} <= held


@pytest.mark.parametrize("count", range(2, len(FILMS) + 1))
def test_store_leaves_plan_to_choose(count: int) -> None:
    titles = [film.title for film in FILMS[:count]]
    assets = _assets(titles, 60, 1.0)
    assert len(_plan("metro-a", titles, assets).assets) < len(assets)
