from __future__ import annotations

from ipaddress import IPv4Network, IPv6Network, ip_address

from hypothesis import given
from hypothesis import strategies as st

from oca.common.prefix import Prefix, parse_prefix
from steering.routes.prefixes import PrefixMap


def prefix(text: str) -> Prefix:
    found = parse_prefix(text)
    assert found is not None
    return found


def table(*prefixes: str) -> PrefixMap[str]:
    made: PrefixMap[str] = PrefixMap()
    for text in prefixes:
        made.put(prefix(text), text)
    return made


def found(prefixes: PrefixMap[str], text: str) -> list[str]:
    address = ip_address(text)
    return [value for _, value in prefixes.covering(address.version, int(address))]


def test_map_finds_longest_prefix_and_wider_ones() -> None:
    nest = table("10.0.0.0/8", "10.1.0.0/16", "10.1.2.0/24", "10.1.4.0/24")
    assert found(nest, "10.1.2.3") == ["10.1.2.0/24", "10.1.0.0/16", "10.0.0.0/8"]
    assert found(nest, "10.1.3.1") == ["10.1.0.0/16", "10.0.0.0/8"]
    assert found(nest, "11.0.0.0") == []
    assert found(nest, "9.255.255.255") == []
    assert nest.covering(4, int(ip_address("10.1.3.1")))[0] == (16, "10.1.0.0/16")


def test_map_keeps_families_apart() -> None:
    both = table("0.0.0.0/0", "2001:db8::/32")
    assert found(both, "192.0.2.1") == ["0.0.0.0/0"]
    assert found(both, "2001:db8::1") == ["2001:db8::/32"]
    assert found(both, "2001:db9::") == []
    assert found(table("::/0", "ffff::/16"), "ffff:ffff::1") == ["ffff::/16", "::/0"]
    assert found(table(), "192.0.2.1") == []


def test_map_is_changed_while_it_is_looked_at() -> None:
    nest = table("10.0.0.0/8", "10.1.0.0/16")
    assert {str(item): value for item, value in nest.items()} == {
        "10.0.0.0/8": "10.0.0.0/8",
        "10.1.0.0/16": "10.1.0.0/16",
    }
    for item, _ in list(nest.items()):
        nest.table(item.version, item.length).pop(item.number)
        nest.put(prefix("10.1.2.0/24"), "later")
    assert found(nest, "10.1.2.3") == ["later"]


NETWORKS_4 = st.builds(
    lambda number, length: IPv4Network((number & (0xFFFFFFFF << (32 - length)) & 0xFFFFFFFF, length)),
    st.integers(0, 2**32 - 1),
    st.integers(0, 32),
)
NETWORKS_6 = st.builds(
    lambda number, length: IPv6Network((number >> (128 - length) << (128 - length) if length else 0, length)),
    st.integers(0, 2**128 - 1),
    st.integers(0, 128),
)


@given(st.sets(NETWORKS_4, max_size=30), st.sets(NETWORKS_6, max_size=30), st.data())
def test_map_agrees_with_trying_every_prefix(
    networks_4: set[IPv4Network], networks_6: set[IPv6Network], data: st.DataObject
) -> None:
    networks: list[IPv4Network | IPv6Network] = [*networks_4, *networks_6]
    prefixes = table(*map(str, networks))
    edges = [
        (network.version, edge)
        for network in networks
        for edge in (int(network.network_address), int(network.broadcast_address))
    ]
    if not edges:
        return
    version, edge = data.draw(st.sampled_from(edges))
    number = min(max(edge + data.draw(st.integers(-2, 2)), 0), 2 ** (32 if version == 4 else 128) - 1)
    holding = [
        network
        for network in networks
        if network.version == version and int(network.network_address) <= number <= int(network.broadcast_address)
    ]
    expected = [
        (network.prefixlen, str(network)) for network in sorted(holding, key=lambda network: -network.prefixlen)
    ]
    assert prefixes.covering(version, number) == expected
