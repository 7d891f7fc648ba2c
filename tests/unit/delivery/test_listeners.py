import socket

import pytest

from oca.common.addresses import Endpoint
from oca.common.errors import ConfigError
from oca.delivery.listeners import close_listeners, open_listeners, parse, urls_of


@pytest.mark.parametrize(
    ("address", "expected"), [("127.0.0.1:80", ("127.0.0.1", 80)), ("[2001:db8::1]:8080", ("2001:db8::1", 8080))]
)
def test_listeners_parse_address(address: str, expected: tuple[str, int]) -> None:
    assert parse(address) == expected


@pytest.mark.parametrize("address", ["127.0.0.1", "127.0.0.1:", "127.0.0.1:65536", "300.0.0.1:80", "[::1:80", "a:80"])
def test_listeners_refuse_malformed_address(address: str) -> None:
    with pytest.raises(ConfigError, match=r"delivery\.listen"):
        parse(address)


def test_listeners_open_one_socket_per_worker_and_address() -> None:
    opened = open_listeners(["127.0.0.1:0", "[::1]:0"], 3)
    ports = {tuple(listener.getsockname()[1] for listener in each) for each in opened}
    assert len(opened) == 3
    assert len(ports) == 1
    assert urls_of(opened[0]) == tuple(
        f"http://{host}:{listener.getsockname()[1]}"
        for host, listener in zip(("127.0.0.1", "[::1]"), opened[0], strict=True)
    )
    close_listeners(opened)


@pytest.mark.parametrize("reuse_port", [False, True])
def test_listeners_refuse_port_that_another_holds_even_shared(reuse_port: bool) -> None:
    with socket.socket() as other:
        if reuse_port:
            other.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        other.bind(("127.0.0.1", 0))
        other.listen()
        address = f"127.0.0.1:{other.getsockname()[1]}"
        with pytest.raises(ConfigError, match="already in use") as caught:
            open_listeners(["127.0.0.1:0", address], 1)
    assert address in caught.value.message
    assert "ss -ltnp" in caught.value.remedy


def test_listeners_refuse_address_of_another_machine() -> None:
    with pytest.raises(ConfigError, match="cannot assign") as caught:
        open_listeners(["192.0.2.1:0"], 1)
    assert "not on this machine" in caught.value.remedy


def test_listeners_name_wildcard_by_an_address_of_the_machine() -> None:
    opened = open_listeners(["0.0.0.0:0"], 1)
    (url,) = urls_of(opened[0])
    assert "0.0.0.0" not in url
    assert url.endswith(f":{opened[0][0].getsockname()[1]}")
    close_listeners(opened)


def handed(*ports: int, shared: bool = True) -> list[socket.socket]:
    return [socket.create_server(("127.0.0.1", port), reuse_port=shared) for port in ports or (0,)]


@pytest.mark.parametrize(("workers", "shared"), [(1, True), (3, True), (3, False)])
def test_listeners_begin_with_those_handed_down(workers: int, shared: bool) -> None:
    (held,) = handed(shared=shared)
    asked: list[Endpoint] = []

    def take(endpoint: Endpoint) -> list[socket.socket]:
        asked.append(endpoint)
        return [held]

    opened = open_listeners(["127.0.0.1:0"], workers, take)
    assert asked == [Endpoint("127.0.0.1", 0)]
    assert opened[0] == [held]
    assert {each[0].getsockname() for each in opened} == {held.getsockname()}
    assert len({each[0].fileno() for each in opened}) == (workers if shared else 1)
    assert held.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)
    close_listeners(opened)


def test_listeners_handed_down_make_as_many_workers() -> None:
    first = handed()
    second = handed(first[0].getsockname()[1])
    opened = open_listeners(["127.0.0.1:0"], 1, lambda _: [*first, *second])
    assert opened == [first, second]
    close_listeners(opened)
