"""What viewers had of an asset, summed over a client prefix: the message from worker to supervisor to admin API. Pure.

No viewer is in it: no session, no address, only the network that an access line shares with its neighbours.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable

from msgspec import Struct

IPV4_PREFIX_BITS = 24
IPV6_PREFIX_BITS = 48


class Quality(Struct, array_like=True, gc=False):
    """Sums of what players told with ``requests`` requests; a sum goes over those that told of it, counted beside it.

    Attributes:
        asset: Of the objects asked for; empty in a sum over assets.
        prefix: Of the clients, as ``192.0.2.0/24``; empty in a sum over prefixes.
        starved: Requests that told of a buffer run empty since the one before.
    """

    asset: str
    prefix: str
    requests: int = 0
    starved: int = 0
    throughput_kbits_per_s: int = 0
    throughput_told: int = 0
    bitrate_kbits_per_s: int = 0
    bitrate_told: int = 0
    buffer_ms: int = 0
    buffer_told: int = 0

    def add(self, other: Quality) -> None:
        """Add the sums of ``other``."""
        self.requests += other.requests
        self.starved += other.starved
        self.throughput_kbits_per_s += other.throughput_kbits_per_s
        self.throughput_told += other.throughput_told
        self.bitrate_kbits_per_s += other.bitrate_kbits_per_s
        self.bitrate_told += other.bitrate_told
        self.buffer_ms += other.buffer_ms
        self.buffer_told += other.buffer_told


def by_prefix(rows: Iterable[Quality]) -> list[Quality]:
    """Sums over assets, of the client prefixes that told most first; what no prefix was kept of is left out."""
    sums: dict[str, Quality] = {}
    for row in rows:
        if row.prefix:
            sums.setdefault(row.prefix, Quality("", row.prefix)).add(row)
    return sorted(sums.values(), key=lambda one: (-one.requests, one.prefix))


def prefix_of(address: str) -> str:
    """The client prefix that stands for ``address``: /24 of IPv4, /48 of IPv6."""
    parsed = ipaddress.ip_address(address.partition("%")[0])
    bits = IPV4_PREFIX_BITS if parsed.version == 4 else IPV6_PREFIX_BITS
    return str(ipaddress.ip_network((parsed.packed, bits), strict=False))
