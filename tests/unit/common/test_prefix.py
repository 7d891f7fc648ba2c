from __future__ import annotations

from ipaddress import ip_network

import pytest
from hypothesis import given
from hypothesis import strategies as st

from oca.common.prefix import Prefix, absurdity, parse_prefix, read_prefix


@given(st.one_of(st.tuples(st.just(4), st.integers(0, 32)), st.tuples(st.just(6), st.integers(0, 128))), st.data())
def test_prefix_reads_what_it_writes(kind: tuple[int, int], data: st.DataObject) -> None:
    version, length = kind
    made = Prefix(version, length, data.draw(st.integers(0, 2**length - 1)))
    assert parse_prefix(str(made)) == made
    assert parse_prefix(str(ip_network(str(made)))) == made


@pytest.mark.parametrize(
    "text",
    [
        *("", "/", "10.0.0.0", "10.0.0.0/", "10.0.0.0/33", "10.0.0.1/8", "::/129", "2001:db8::1/32", "10.0/8"),
        *("010.0.0.0/8", "10.0.0.0/-1", "10.0.0.0/ 8", "10.0.0.0/٨", "x::/16", "1.2.3.4/" + "0" * 60, "\0::/1", "é/8"),
    ],
)
def test_parse_refuses_what_is_no_prefix(text: str) -> None:
    assert parse_prefix(text) is None


def test_prefix_is_read_as_people_write_it() -> None:
    assert read_prefix("10.1.2.3") == Prefix(4, 32, 0x0A010203)
    assert read_prefix("10.1.0.0/255.255.0.0") == read_prefix("10.1.0.0/16") == Prefix(4, 16, 0x0A01)
    assert read_prefix("2001:db8::1").length == 128
    with pytest.raises(ValueError, match="ten"):
        read_prefix("ten")


def prefix(text: str) -> Prefix:
    found = parse_prefix(text)
    assert found is not None
    return found


def test_prefix_covers_what_is_inside() -> None:
    wide = prefix("45.0.0.0/8")
    assert wide.covers(wide)
    assert wide.covers(prefix("45.1.2.0/24"))
    assert not prefix("45.1.2.0/24").covers(wide)
    assert not wide.covers(prefix("46.0.0.0/9"))
    assert not wide.covers(prefix("2d00::/16"))


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("0.0.0.0/0", "far too wide: shorter than /8"),
        ("44.0.0.0/7", "far too wide: shorter than /8"),
        ("::/0", "far too wide: shorter than /16"),
        ("10.1.0.0/16", "private space, 10.0.0.0/8"),
        ("172.31.0.0/16", "private space, 172.16.0.0/12"),
        ("100.64.3.0/24", "shared by carrier NAT space, 100.64.0.0/10"),
        ("127.0.0.0/8", "loopback space, 127.0.0.0/8"),
        ("224.0.0.0/8", "multicast space, 224.0.0.0/4"),
        ("2001:db8:1::/48", "for documentation space, 2001:db8::/32"),
        ("fd00::/16", "no global unicast space (RFC 4291 §2.4)"),
        *((text, "") for text in ("8.0.0.0/8", "172.32.0.0/16", "203.0.112.0/24", "100.128.0.0/16", "45.1.2.3/32")),
        *((text, "") for text in ("2001:4860::/32", "2a00::/16", "2003::/19")),
    ],
)
def test_absurdity_names_space_that_nobody_is_in(text: str, why: str) -> None:
    assert absurdity(prefix(text)) == why
