"""Who asks: the client's address as text and number, and whose word about it is believed."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from socket import AF_INET, AF_INET6, inet_ntop, inet_pton
from typing import Literal, final

from mypy_extensions import mypyc_attr

from oca.common.prefix import WIDEST, parse_prefix, read_prefix
from oca.common.problem import Refusal
from steering.recent import Recent
from steering.routes.prefixes import PrefixMap

_MAPPED = bytes(10) + b"\xff\xff"
ADDRESS_CHARACTERS_MAX = 64
HOPS_MAX = 16
ADDRESSES_KEPT = 1024
Source = Literal["connection", "forwarded", "parameter", "service"]


@final
@mypyc_attr(acyclic=True)
class Address:
    """An IP address; IPv4 addresses mapped into IPv6 count as IPv4. Beyond ``length`` bits it is not known."""

    __slots__ = ("length", "number", "text", "version")

    def __init__(self, text: str, version: int, number: int, length: int = 128) -> None:
        self.text, self.version, self.number, self.length = text, version, number, length

    def is_same(self, other: Address) -> bool:
        """Whether both are one, as far as they are known."""
        return (self.version, self.number, self.length) == (other.version, other.number, other.length)


@final
@mypyc_attr(acyclic=True)
class Client:
    """The viewer a decision is for, and how we know its address."""

    __slots__ = ("address", "source")

    def __init__(self, address: Address, source: Source) -> None:
        self.address, self.source = address, source


def parse_address(text: str) -> Address | None:
    """``text`` as an address, or None. ``inet_pton`` takes a tenth of the time of ``ipaddress``."""
    if len(text) > ADDRESS_CHARACTERS_MAX:
        return None
    try:
        if ":" in text:
            packed = inet_pton(AF_INET6, text)
            if packed.startswith(_MAPPED):
                packed = packed[12:]
                return Address(inet_ntop(AF_INET, packed), 4, int.from_bytes(packed))
            return Address(inet_ntop(AF_INET6, packed), 6, int.from_bytes(packed))
        packed = inet_pton(AF_INET, text)
        return Address(text, 4, int.from_bytes(packed))
    except (OSError, ValueError, UnicodeError):
        return None


def parse_subnet(text: str) -> Address | None:
    """``text`` as an address, or as the part of one that DNS passes on (RFC 7871, EDNS Client Subnet); or None."""
    if "/" not in text:
        return parse_address(text)
    prefix = parse_prefix(text)
    if prefix is None or prefix.length < WIDEST[prefix.version]:
        return None
    version, length, number = prefix
    if version == 6:
        number <<= 128 - length
        if length < 96 or not number.to_bytes(16).startswith(_MAPPED):
            return Address(str(prefix), 6, number, length)
        length, number = length - 96, number & (2**32 - 1)
    else:
        number <<= 32 - length
    return Address(f"{inet_ntop(AF_INET, number.to_bytes(4))}/{length}", 4, number, length)


class Trust:
    """A set of prefixes whose word counts."""

    def __init__(self, prefixes: Iterable[str]) -> None:
        self._trusted: PrefixMap[bool] = PrefixMap()
        self._known: Recent[tuple[int, int], bool] = Recent(ADDRESSES_KEPT)
        self._peers: Recent[str, tuple[Address, bool]] = Recent(ADDRESSES_KEPT)
        for text in prefixes:
            self._trusted.put(read_prefix(text), True)

    def covers(self, address: Address) -> bool:
        """Whether ``address`` is in one of the prefixes."""
        of_whom = (address.version, address.number)
        known = self._known.get(of_whom)
        if known is None:
            known = bool(self._trusted.covering(address.version, address.number))
            self._known.put(of_whom, known)
        return known

    def peer(self, text: str) -> tuple[Address, bool]:
        """The other end of a connection, over which many requests come, and whether its word counts."""
        known = self._peers.get(text)
        if known is None:
            address = parse_address(text) or Address("0.0.0.0", 4, 0)
            known = address, self.covers(address)
            self._peers.put(text, known)
        return known


def client_of(peer: str, forwarded: Sequence[str], parameter: str, trusted: Trust, *, vouched: bool = False) -> Client:
    """The client behind a request.

    Args:
        peer: Address of the connection's other end.
        forwarded: X-Forwarded-For headers, in order.
        parameter: The ``client=`` of the query or body, or an empty string.
        trusted: Whose ``forwarded`` is believed; ``parameter`` only where everyone on the way is one of them, for a
            proxy passes on what any viewer writes.
        vouched: Whoever asks has shown that it may name clients, whatever lies between.

    Raises:
        Refusal: 400, a believed ``parameter`` is no address.
    """
    speaker, trusted_throughout = speaker_of(peer, forwarded, trusted)
    if parameter and (trusted_throughout or vouched):
        named = parse_subnet(parameter)
        if named is None:
            raise Refusal(
                400,
                "client is no IP address",
                field="$.client",
                remedy="write it like 192.0.2.1 or 2001:db8::1, or of an EDNS Client Subnet like 192.0.2.0/24",
            )
        return Client(named, "parameter" if trusted_throughout else "service")
    is_other_end = not forwarded or speaker.is_same(trusted.peer(peer)[0])
    return Client(speaker, "connection" if is_other_end else "forwarded")


def speaker_of(peer: str, forwarded: Sequence[str], trusted: Trust) -> tuple[Address, bool]:
    """The farthest address that is known for sure, and whether it and all on the way to it are trusted."""
    if not forwarded:
        return trusted.peer(peer)
    speaker, _ = trusted.peer(peer)
    hops = ",".join(forwarded).split(",")
    # The last hop was written by the trusted proxy nearest to us; go back as long as the writers are trusted.
    for hop in reversed(hops[-HOPS_MAX:]):
        named = parse_address(hop.strip())
        if named is None or not trusted.covers(speaker):
            return speaker, False
        speaker = named
    return speaker, len(hops) <= HOPS_MAX and trusted.covers(speaker)
