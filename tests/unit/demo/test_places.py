from __future__ import annotations

from pathlib import Path

import pytest

from demo.places import SITES, Places, parse_network
from oca.common.errors import ConfigError


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
