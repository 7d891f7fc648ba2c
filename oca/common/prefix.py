"""Address prefixes as both sides know them: read from text, and which of them no viewer can be in. Pure."""

from __future__ import annotations

from ipaddress import ip_network
from socket import AF_INET, AF_INET6, inet_ntop, inet_pton
from typing import NamedTuple

TEXT_CHARACTERS_MAX = 49
WIDEST = {4: 8, 6: 16}
"""The shortest prefix that still says who is near: no registry gave anybody more in one piece."""
BITS = {4: 32, 6: 128}
"""Of an address, by its version."""
_LENGTHS = {str(length): length for length in range(129)}


class Prefix(NamedTuple):
    """``number`` holds the leading ``length`` bits."""

    version: int
    length: int
    number: int

    def __str__(self) -> str:
        bits = BITS[self.version]
        return prefix_text(self.version, self.length, self.number << (bits - self.length))

    def covers(self, other: Prefix) -> bool:
        """Whether every address of ``other`` is in this one."""
        beyond = other.length - self.length
        return self.version == other.version and beyond >= 0 and other.number >> beyond == self.number


def prefix_text(version: int, length: int, address: int) -> str:
    """The prefix that has the first ``length`` bits of an address, whose others are 0, as text."""
    if version == 4:
        return f"{address >> 24}.{address >> 16 & 255}.{address >> 8 & 255}.{address & 255}/{length}"
    return f"{inet_ntop(AF_INET6, address.to_bytes(16))}/{length}"


def parse_prefix(text: str) -> Prefix | None:
    """``text`` as a prefix, or None; a tenth of the time of ``ipaddress``."""
    address, _, tail = text.partition("/")
    length = _LENGTHS.get(tail)
    if length is None or len(text) > TEXT_CHARACTERS_MAX:
        return None
    try:
        if ":" in address:
            version, spare, packed = 6, 128 - length, inet_pton(AF_INET6, address)
        else:
            version, spare, packed = 4, 32 - length, inet_pton(AF_INET, address)
    except (OSError, ValueError):
        return None
    if spare < 0:
        return None
    whole = int.from_bytes(packed)
    number = whole >> spare
    return tuple.__new__(Prefix, (version, length, number)) if number << spare == whole else None


def read_prefix(text: str) -> Prefix:
    """A prefix as people write it: an address alone is one of full length, a mask may stand for the length.

    Raises:
        ValueError: It is none.
    """
    found = parse_prefix(text)
    if found is None:
        network = ip_network(text)
        bits = BITS[network.version]
        found = Prefix(network.version, network.prefixlen, int(network.network_address) >> bits - network.prefixlen)
    return found


def absurdity(prefix: Prefix) -> str:
    """Why nobody can be near by such a prefix, whoever claims it; empty where it may be."""
    if prefix.length < WIDEST[prefix.version]:
        return f"far too wide: shorter than /{WIDEST[prefix.version]}"
    if prefix.version == 4:
        if prefix.number >> (prefix.length - 8) not in _SUSPECT_OCTETS:
            return ""
    elif prefix.number >> (prefix.length - 16) not in _SUSPECT_WORDS:
        return "" if prefix.number >> (prefix.length - 3) == 0b001 else "no global unicast space (RFC 4291 §2.4)"
    return next((why for special, why in _SPECIAL if special.covers(prefix)), "")


# IANA's registries of special-purpose addresses (RFC 6890), as far as no viewer has one that steering could see.
_SPECIAL_TEXTS = {
    "private": ("10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16"),
    "shared by carrier NAT": ("100.64.0.0/10",),
    "loopback": ("127.0.0.0/8",),
    "link-local": ("169.254.0.0/16",),
    "for documentation": ("192.0.2.0/24", "198.51.100.0/24", "203.0.113.0/24", "2001:db8::/32", "3fff::/20"),
    "for benchmarks": ("198.18.0.0/15", "2001:2::/48"),
    "for protocols": ("0.0.0.0/8", "192.0.0.0/24", "192.88.99.0/24", "2001::/23", "2002::/16"),
    "multicast": ("224.0.0.0/4",),
    "reserved": ("240.0.0.0/4",),
}
_SPECIAL = [(read_prefix(text), f"{why} space, {text}") for why, texts in _SPECIAL_TEXTS.items() for text in texts]
_SUSPECT_OCTETS = frozenset({0, 10, 100, 127, 169, 172, 192, 198, 203, *range(224, 256)})
_SUSPECT_WORDS = frozenset({0x2001, 0x2002, 0x3FFF})
