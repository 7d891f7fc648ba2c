import errno

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from oca.common.addresses import Endpoint, ListenAddress, bind_remedy, parse_listen
from oca.common.errors import ConfigError

OTHERWISE = "set [api] listen to an address of this machine ('ip address' lists them) and a port it may use"


@pytest.mark.parametrize(
    ("text", "endpoint"),
    [
        ("127.0.0.1:8088", Endpoint("127.0.0.1", 8088)),
        ("0.0.0.0:0", Endpoint("0.0.0.0", 0)),
        ("[::1]:80", Endpoint("::1", 80)),
        ("[2001:DB8:0::1]:65535", Endpoint("2001:db8::1", 65535)),
    ],
)
def test_listen_parses_address_and_port(text: str, endpoint: Endpoint) -> None:
    assert parse_listen(text, setting="admin.listen") == endpoint
    assert msgspec.convert(text, ListenAddress) == text


@pytest.mark.parametrize(
    "text", ["", "8088", "localhost:80", "1.2.3.4", "1.2.3.400:80", "1.2.3.4:65536", "[::1]", "::1:x"]
)
def test_listen_refuses_what_is_no_address_and_port(text: str) -> None:
    with pytest.raises(ConfigError, match=r"admin\.listen") as caught:
        parse_listen(text, setting="admin.listen")
    assert "192.0.2.1:80" in caught.value.remedy


def test_endpoint_brackets_address_of_version_6() -> None:
    assert Endpoint("::1", 80).authority == "[::1]:80"
    assert Endpoint("192.0.2.1", 80).authority == "192.0.2.1:80"


@given(st.text(max_size=40))
def test_listen_parses_or_refuses_any_text(text: str) -> None:
    try:
        endpoint = parse_listen(text, setting="x.y")
    except ConfigError:
        return
    assert 0 <= endpoint.port <= 65535


@pytest.mark.parametrize(
    ("number", "remedy"),
    [
        (errno.EADDRINUSE, "see what holds it with \"ss -ltnp 'sport = :80'\", or set another [api] listen"),
        (errno.EACCES, OTHERWISE),
        (None, OTHERWISE),
    ],
)
def test_bind_remedy_follows_what_the_system_said(number: int | None, remedy: str) -> None:
    assert bind_remedy(Endpoint("192.0.2.1", 80), number, setting="[api] listen") == remedy
