from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from oca.common.problem import Refusal
from steering.decision.address import Address, Trust, client_of, parse_address, parse_subnet

LOOPBACK = Trust(["127.0.0.0/8", "::1/128"])


def fields(found: Address | None) -> tuple[str, int, int, int] | None:
    return (found.text, found.version, found.number, found.length) if found is not None else None


def test_address_reads_both_families() -> None:
    assert fields(parse_address("192.0.2.1")) == ("192.0.2.1", 4, 0xC0000201, 128)
    assert fields(parse_address("2001:DB8::1")) == ("2001:db8::1", 6, 0x20010DB8 << 96 | 1, 128)


def test_mapped_address_counts_as_ipv4() -> None:
    assert fields(parse_address("::ffff:192.0.2.1")) == ("192.0.2.1", 4, 0xC0000201, 128)


@pytest.mark.parametrize("text", ["", "localhost", "1.2.3", "1.2.3.4.5", "::g", "fe80::1%eth0", "1.2.3.4\0", "9" * 65])
def test_address_refuses_what_is_none(text: str) -> None:
    assert parse_address(text) is None


@given(st.text(max_size=70))
def test_address_never_raises(text: str) -> None:
    parse_address(text)


def client(peer: str, *forwarded: str, parameter: str = "") -> tuple[str, str]:
    found = client_of(peer, forwarded, parameter, LOOPBACK)
    return found.address.text, found.source


def test_client_is_the_connection_by_default() -> None:
    assert client("192.0.2.1") == ("192.0.2.1", "connection")
    assert client("::ffff:192.0.2.1") == ("192.0.2.1", "connection")
    assert client("127.0.0.1") == ("127.0.0.1", "connection")
    assert client("") == ("0.0.0.0", "connection")


def test_strangers_are_not_believed() -> None:
    assert client("192.0.2.1", "10.0.0.1", parameter="10.0.0.2") == ("192.0.2.1", "connection")
    assert client("192.0.2.1", parameter="nonsense") == ("192.0.2.1", "connection")


def test_trusted_proxy_is_believed() -> None:
    assert client("127.0.0.1", "10.0.0.1") == ("10.0.0.1", "forwarded")
    assert client("127.0.0.1", parameter="10.0.0.2") == ("10.0.0.2", "parameter")


def test_forwarded_goes_back_to_first_stranger() -> None:
    assert client("127.0.0.1", "6.6.6.6, 10.0.0.1", "127.0.0.9") == ("10.0.0.1", "forwarded")
    assert client("127.0.0.1", "127.0.0.7") == ("127.0.0.7", "forwarded")
    assert client("127.0.0.1", "6.6.6.6, garbage") == ("127.0.0.1", "connection")


def test_parameter_of_a_viewer_behind_a_trusted_proxy_is_not_believed() -> None:
    assert client("127.0.0.1", "6.6.6.6", parameter="10.0.0.2") == ("6.6.6.6", "forwarded")
    assert client("127.0.0.1", "127.0.0.1, 6.6.6.6", parameter="10.0.0.2") == ("6.6.6.6", "forwarded")
    assert client("127.0.0.1", "6.6.6.6", parameter="nonsense") == ("6.6.6.6", "forwarded")


def test_parameter_is_not_believed_from_whom_a_proxy_cannot_name() -> None:
    assert client("127.0.0.1", "unknown", parameter="10.0.0.2") == ("127.0.0.1", "connection")
    assert client("127.0.0.1", "", parameter="10.0.0.2") == ("127.0.0.1", "connection")


def test_parameter_is_believed_of_trusted_caller_behind_trusted_proxy() -> None:
    assert client("127.0.0.1", "127.0.0.7", parameter="10.0.0.2") == ("10.0.0.2", "parameter")
    assert client("127.0.0.1", *["127.0.0.7"] * 17, parameter="10.0.0.2") == ("127.0.0.7", "forwarded")


def test_believed_parameter_must_be_an_address() -> None:
    with pytest.raises(Refusal) as refused:
        client("127.0.0.1", parameter="nonsense")
    assert (refused.value.problem.status, refused.value.problem.field) == (400, "$.client")


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("192.0.2.1", ("192.0.2.1", 4, 0xC0000201, 128)),
        ("192.0.2.0/24", ("192.0.2.0/24", 4, 0xC0000200, 24)),
        ("2001:DB8::/56", ("2001:db8::/56", 6, 0x20010DB8 << 96, 56)),
        ("::ffff:192.0.2.0/120", ("192.0.2.0/24", 4, 0xC0000200, 24)),
        ("::/16", ("::/16", 6, 0, 16)),
    ],
)
def test_subnet_is_the_part_of_an_address_that_is_known(text: str, found: tuple[str, int, int, int]) -> None:
    assert fields(parse_subnet(text)) == found


@pytest.mark.parametrize(
    "text", ["192.0.2.1/24", "0.0.0.0/0", "10.0.0.0/7", "::/0", "192.0.2.0/33", "x/24", "1.2.3.4/"]
)
def test_subnet_refuses_what_names_nobody(text: str) -> None:
    assert parse_subnet(text) is None


def test_addresses_are_the_same_as_far_as_they_are_known() -> None:
    one, whole = parse_address("2001:DB8::1"), parse_subnet("2001:db8::/56")
    assert one is not None
    assert whole is not None
    assert one.is_same(Address("2001:db8::1", 6, one.number))
    different = (
        Address("", 6, one.number + 1),
        Address("", 6, one.number, 64),
        Address("", 4, one.number),
        whole,
    )
    assert not [other for other in different if one.is_same(other) or other.is_same(one)]


@given(st.text(max_size=70))
def test_subnet_never_raises(text: str) -> None:
    parse_subnet(text + "/24")


def test_client_is_named_by_who_is_vouched_for() -> None:
    def named(peer: str, parameter: str, *forwarded: str) -> tuple[str, str]:
        found = client_of(peer, forwarded, parameter, LOOPBACK, vouched=True)
        return found.address.text, found.source

    assert named("203.0.113.9", "192.0.2.1") == ("192.0.2.1", "service")
    assert named("127.0.0.1", "192.0.2.0/24", "203.0.113.9") == ("192.0.2.0/24", "service")
    assert named("127.0.0.1", "192.0.2.1") == ("192.0.2.1", "parameter")
    assert named("203.0.113.9", "") == ("203.0.113.9", "connection")
    with pytest.raises(Refusal, match="no IP address"):
        named("203.0.113.9", "nobody")
