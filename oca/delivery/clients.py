"""Counts the connections of each client, so that none takes all of a worker's. Pure."""

from __future__ import annotations

import ipaddress


def client_key(address: str) -> str:
    """Whom a connection counts for: an IPv4 address by itself, an IPv6 one by its /64, which one household holds whole.

    Args:
        address: As the socket tells it; a zone (``fe80::1%eth0``) and IPv4 in IPv6 (``::ffff:192.0.2.1``) are known.
    """
    return address if ":" not in address else _network(address, bits=64)


def truncated(address: str) -> str:
    """The address as logs may show it: the IPv4 /24 or IPv6 /48 that it is in, no single household."""
    if ":" not in address:
        return address[: address.rfind(".") + 1] + "0"
    network = _network(address, bits=48)
    return network if ":" in network else truncated(network)


def _network(address: str, *, bits: int) -> str:
    whole = ipaddress.IPv6Address(address.partition("%")[0])
    if whole.ipv4_mapped is not None:
        return str(whole.ipv4_mapped)
    return str(ipaddress.IPv6Address(int(whole) >> 128 - bits << 128 - bits))


class Clients:
    """Connections per client; holds an entry per client that has any, so it is bounded by the connections."""

    def __init__(self, each_max: int) -> None:
        self._each_max = each_max
        self._open: dict[str, int] = {}

    def full(self, address: str) -> bool:
        """Whether that client has as many connections as it may."""
        return self._open.get(client_key(address), 0) >= self._each_max

    def join(self, address: str) -> None:
        """One more."""
        key = client_key(address)
        self._open[key] = self._open.get(key, 0) + 1

    def leave(self, address: str) -> None:
        """One less."""
        key = client_key(address)
        left = self._open[key] - 1
        if left:
            self._open[key] = left
        else:
            del self._open[key]
