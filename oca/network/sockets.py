"""Asks the kernel how much it has sent to each client, by netlink (sock_diag): what ``oca top`` sums by prefix."""

from __future__ import annotations

import socket
from collections.abc import Collection

_ESTABLISHED = 1 << 1
_WITH_INFO = 1 << 1
Sent = dict[tuple[str, int], int]
"""(client address, client port) → bytes that the client has acknowledged."""


def read_sent(ports: Collection[int]) -> Sent:
    """Bytes sent on each open connection to one of the local ``ports``; some 0.1 ms of CPU a connection.

    Raises:
        OSError: Netlink cannot be used.
    """
    from pyroute2 import DiagSocket  # noqa: PLC0415 - it takes long to load, and the other commands do without

    sent: Sent = {}
    with DiagSocket() as kernel:
        kernel.bind()
        for family in (socket.AF_INET, socket.AF_INET6):
            for entry in kernel.get_sock_stats(family=family, states=_ESTABLISHED, extensions=_WITH_INFO):
                info = entry.get_attr("INET_DIAG_INFO")
                if entry["idiag_sport"] in ports and info is not None:
                    sent[entry["idiag_dst"], entry["idiag_dport"]] = info["tcpi_bytes_acked"]
    return sent
