"""Which client prefixes most is sent to, from two looks at the kernel's sockets. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

from oca.common.quality import prefix_of


class PrefixRate(NamedTuple):
    """A client prefix: connections open, and what is sent to them."""

    prefix: str
    connections: int
    bytes_per_s: float


def prefix_rates(
    before: Mapping[tuple[str, int], int], now: Mapping[tuple[str, int], int], elapsed_s: float, limit: int
) -> list[PrefixRate]:
    """The prefixes that got most between two looks, at most ``limit``; a connection made meanwhile counts whole.

    Args:
        before: (address, port) of clients → bytes sent until the first look; empty before there was one.
        now: The same at the second.
        elapsed_s: Between them.
        limit: Most prefixes.
    """
    sums: dict[str, tuple[int, int]] = {}
    for client, sent in now.items():
        prefix = prefix_of(_plain(client[0]))
        connections, sent_bytes = sums.get(prefix, (0, 0))
        rise = max(0, sent - before.get(client, 0)) if before else 0
        sums[prefix] = connections + 1, sent_bytes + rise
    most = sorted(sums.items(), key=lambda item: (-item[1][1], -item[1][0], item[0]))[:limit]
    return [PrefixRate(prefix, count, sent / max(elapsed_s, 1e-3)) for prefix, (count, sent) in most]


def _plain(address: str) -> str:
    """An IPv4 client as the kernel shows it on a socket for both families."""
    return address.removeprefix("::ffff:") if "." in address else address
