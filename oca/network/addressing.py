"""Which network links carry the addresses we serve on, and whether they can. Pure; ``links`` asks the kernel."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

NO_ADDRESS = "no link has this address; add it, or correct [delivery] listen"


@dataclass(frozen=True, slots=True)
class Link:
    """A network link as the kernel tells it; ``speed_bytes_per_s`` is 0 where it knows none (loopback, virtual)."""

    index: int
    name: str
    loopback: bool
    enabled: bool
    state: str
    speed_bytes_per_s: float
    sent_bytes: int
    addresses: tuple[str, ...]
    """Each with its prefix length, as in ``192.0.2.1/24``."""
    packets: int = 0
    errors: int = 0
    """Of packets, sent and received; as it counts them since it is there."""

    @property
    def fault(self) -> str:
        """Why nothing can be sent over it; empty while it works."""
        if not self.enabled:
            return f"switched off; bring it up with: ip link set {self.name} up"
        # Loopback and many virtual links report no state; only these mean that nothing gets through.
        if self.state in ("DOWN", "LOWERLAYERDOWN", "NOTPRESENT"):
            return f"no carrier (state {self.state.lower()}); check the cable, the optics and the switch"
        return ""


def links_of(hosts: Iterable[str], links: Sequence[Link]) -> tuple[list[Link], list[str]]:
    """The links that carry the listening addresses, and the addresses that no link has.

    A wildcard address is carried by every link but loopback that has an address of a global or private kind.
    """
    carrying: dict[int, Link] = {}
    missing = []
    for host in hosts:
        address = ipaddress.ip_address(host)
        found = [link for link in links if _carries(link, address)]
        carrying |= {link.index: link for link in found}
        if not found and not address.is_unspecified:
            missing.append(host)
    return sorted(carrying.values(), key=lambda link: link.index), missing


def _carries(link: Link, address: ipaddress.IPv4Address | ipaddress.IPv6Address) -> bool:
    held = [ipaddress.ip_interface(text) for text in link.addresses]
    if address.is_unspecified:
        return not link.loopback and any(not one.ip.is_link_local for one in held)
    if link.loopback and any(address in one.network for one in held):
        return True  # the kernel answers for the whole of 127.0.0.0/8
    return any(one.ip == address for one in held)
