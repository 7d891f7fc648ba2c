import pytest

from oca.delivery.clients import Clients, client_key, truncated


@pytest.mark.parametrize(
    ("address", "key", "shown"),
    [
        ("192.0.2.77", "192.0.2.77", "192.0.2.0"),
        ("::ffff:192.0.2.77", "192.0.2.77", "192.0.2.0"),
        ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::", "2001:db8:1::"),
        ("fe80::1%eth0", "fe80::", "fe80::"),
    ],
)
def test_client_key_and_truncated_tell_networks(address: str, key: str, shown: str) -> None:
    assert client_key(address) == key
    assert truncated(address) == shown


def test_clients_bound_each_address_and_each_64_alone() -> None:
    clients = Clients(2)
    for address in ("2001:db8::1", "2001:db8::2:1"):
        assert not clients.full(address)
        clients.join(address)
    assert clients.full("2001:db8::3")
    assert not clients.full("2001:db8:0:1::1")
    assert not clients.full("192.0.2.1")
    clients.leave("2001:db8::1")
    assert not clients.full("2001:db8::3")


def test_clients_forget_who_has_left() -> None:
    clients = Clients(2)
    for _ in range(2):
        clients.join("192.0.2.1")
    for _ in range(2):
        clients.leave("192.0.2.1")
    assert clients._open == {}
