"""Reads the kernel's links by netlink: names, states, speeds, counters and addresses."""

from __future__ import annotations

from collections import defaultdict
from pathlib import Path
from typing import Any

from oca.common.errors import OcaError
from oca.network.addressing import Link

_IFF_UP = 0x1
_IFF_LOOPBACK = 0x8
_SPEED_FILE = "/sys/class/net/{name}/speed"


def read_links() -> list[Link]:
    """Every link of this network namespace.

    Blocks for milliseconds and runs an event loop of its own (pyroute2's asynchronous side does not run on uvloop):
    call it in a thread.

    Raises:
        OcaError: Netlink cannot be used.
    """
    # Here, not above: the daemon first needs it while its workers start, and it takes a tenth of that time to load.
    from pyroute2 import IPRoute  # noqa: PLC0415
    from pyroute2.netlink.exceptions import NetlinkError  # noqa: PLC0415

    addresses: dict[int, list[str]] = defaultdict(list)
    try:
        with IPRoute() as kernel:
            for entry in kernel.addr("dump"):
                # On a point-to-point link "address" is the far end and "local" is ours.
                own = entry.get("local") or entry.get("address")
                addresses[entry["index"]].append(f"{own}/{entry['prefixlen']}")
            return [_link(entry, tuple(addresses[entry["index"]])) for entry in kernel.link("dump")]
    except (OSError, NetlinkError) as error:
        raise OcaError(f"netlink: {error}", remedy="allow AF_NETLINK to the service") from error


def _link(entry: Any, addresses: tuple[str, ...]) -> Link:
    get = entry.get
    counters = get("stats64") or {}
    return Link(
        index=get("index"),
        name=get("ifname"),
        loopback=bool(get("flags") & _IFF_LOOPBACK),
        enabled=bool(get("flags") & _IFF_UP),
        state=get("operstate") or "UNKNOWN",
        speed_bytes_per_s=_speed(get("ifname")),
        sent_bytes=counters.get("tx_bytes", 0),
        addresses=addresses,
        packets=counters.get("tx_packets", 0) + counters.get("rx_packets", 0),
        errors=counters.get("tx_errors", 0) + counters.get("rx_errors", 0),
    )


def _speed(name: str) -> float:
    """Line rate in bytes per second; the kernel gives Mb/s, -1 or an error where there is none."""
    try:
        megabits = int(Path(_SPEED_FILE.format(name=name)).read_text())
    except (OSError, ValueError):
        return 0.0
    return max(0, megabits) * 125_000.0
