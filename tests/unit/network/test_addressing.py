import ipaddress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from oca.network.addressing import Link, links_of


def link(name: str, *addresses: str, index: int = 1, state: str = "UP", **changes: bool) -> Link:
    return Link(
        index=index,
        name=name,
        loopback=changes.get("loopback", False),
        enabled=changes.get("enabled", True),
        state=state,
        speed_bytes_per_s=0,
        sent_bytes=0,
        addresses=addresses,
    )


LO = link("lo", "127.0.0.1/8", "::1/128", state="UNKNOWN", loopback=True)
ETH = link("eth0", "192.0.2.1/24", "2001:db8::1/64", "fe80::1/64", index=2)
SPARE = link("eth1", "fe80::2/64", index=3)
LINKS = [ETH, LO, SPARE]


@pytest.mark.parametrize(
    ("hosts", "names", "missing"),
    [
        (["192.0.2.1"], ["eth0"], []),
        (["2001:db8::1", "192.0.2.1"], ["eth0"], []),
        (["127.0.0.11", "::1"], ["lo"], []),
        (["127.0.0.11", "192.0.2.1"], ["lo", "eth0"], []),
        (["192.0.2.2"], [], ["192.0.2.2"]),
        (["0.0.0.0"], ["eth0"], []),
        (["::"], ["eth0"], []),
        ([], [], []),
    ],
)
def test_links_carry_listening_addresses(hosts: list[str], names: list[str], missing: list[str]) -> None:
    carrying, absent = links_of(hosts, LINKS)
    assert ([each.name for each in carrying], absent) == (names, missing)


@pytest.mark.parametrize(
    ("state", "enabled", "fault"),
    [
        ("UP", True, ""),
        ("UNKNOWN", True, ""),
        ("DORMANT", True, ""),
        ("DOWN", True, "no carrier (state down)"),
        ("LOWERLAYERDOWN", True, "no carrier"),
        ("DOWN", False, "switched off; bring it up with: ip link set eth0 up"),
    ],
)
def test_link_says_why_nothing_gets_through(state: str, enabled: bool, fault: str) -> None:
    found = link("eth0", state=state, enabled=enabled).fault
    assert found.startswith(fault)
    assert bool(found) == bool(fault)


@given(st.lists(st.ip_addresses().map(str), max_size=6))
def test_links_and_missing_addresses_cover_every_host(hosts: list[str]) -> None:
    carrying, missing = links_of(hosts, LINKS)
    assert len({each.index for each in carrying}) == len(carrying)
    assert all(not ipaddress.ip_address(host).is_unspecified for host in missing)
    assert set(missing) <= set(hosts)
