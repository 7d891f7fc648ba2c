from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from demo.demand import made_up_day
from demo.ladder import AUDIO_BITS_PER_S, RUNGS
from demo.places import HOT_SHARE, SITES, Places, parse_network
from demo.titles import FILMS
from oca.common.errors import ConfigError
from steering.plan.expected import Listed
from steering.plan.ground import Terms, ground
from steering.plan.placement import Box
from steering.plan.settings import PlanTable
from steering.plan.shelf import name_hash, shelve
from steering.plan.site_plan import Held, plan_site
from tests.unit.steering.made_up import make_summary, make_title

MANIFESTS_BYTES = 20_000


def test_places_give_everyone_an_address_of_its_own() -> None:
    addresses = [address for _, address in Places("127.0.7", Path("x")).addresses()]
    assert len(addresses) == len(set(addresses)) == 8
    assert all(address.startswith("127.0.7.") for address in addresses)


def test_places_of_several_instances_are_all_claimed() -> None:
    places = Places("127.0.7", Path("x"), "nats")
    addresses = [address for _, address in places.addresses()]
    assert len(addresses) == len(set(addresses)) == 16
    assert places.steering_url == "http://127.0.7.1:8090"


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


def _plans(titles: list[str], assets: dict[str, int]) -> dict[str, list[str]]:
    """The night's plan of each appliance of the demo, by its made-up day and the size of its store."""
    day, table = made_up_day(titles, assets), PlanTable(hot_share=HOT_SHARE)
    shelf = shelve(
        [
            make_title(
                title,
                released_at_ns=0,
                regions=[],
                assets=[
                    make_summary(asset, "manifests" if asset.endswith("manifests") else "video", size, objects=17)
                    for asset, size in assets.items()
                    if asset.startswith(f"{title}/")
                ],
            )
            for title in titles
        ]
    )
    films = [sum(size for asset, size in assets.items() if asset.startswith(f"{title}/")) for title in titles]
    planned: dict[str, list[str]] = {}
    for site in SITES:
        found = [each for each in Places("127.0.0", Path("x")).appliances if each.site == site.id]
        expected = np.zeros(len(shelf.assets))
        for item in day:
            expected[shelf.place[item.asset]] += item.bytes * (item.site == site.id)
        terms = Terms(hot_share=table.hot_share)
        land = ground(shelf, "", terms, now_ns=1)
        made = plan_site(
            site.id,
            [Box(each.id, name_hash(each.id), table.capacity_ratio * each.store_bytes(films)) for each in found],
            shelf,
            Listed(expected, land),
            land=land,
            held=Held(np.zeros(0, np.int64), {}),
            terms=terms,
        )
        for box, on in zip(made.boxes, made.on, strict=True):
            planned[box.name] = [shelf.assets[place].asset for place in made.places[on]]
    return planned


@given(count=st.integers(1, len(FILMS)), seconds=st.integers(12, 600), ratio=st.floats(0.85, 1.1))
def test_store_of_every_appliance_holds_first_film_whole(count: int, seconds: int, ratio: float) -> None:
    titles = [film.title for film in FILMS[:count]]
    assets = _assets(titles, seconds, ratio)
    planned = _plans(titles, assets)
    assert len(planned) == 3
    for held in planned.values():
        assert {asset for asset in assets if asset.startswith(f"{titles[0]}/")} <= set(held)


@pytest.mark.parametrize("count", range(2, len(FILMS) + 1))
def test_store_leaves_plan_to_choose(count: int) -> None:
    titles = [film.title for film in FILMS[:count]]
    assets = _assets(titles, 60, 1.0)
    assert len(_plans(titles, assets)["metro-a"]) < len(assets)
