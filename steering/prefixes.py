"""Longest-prefix match over many prefixes: intervals flattened to sorted arrays, one bisect a look-up.

Built off-line and swapped whole. Addresses are integers; reading them from text is address.py's business.
"""

from __future__ import annotations

from array import array
from bisect import bisect_right
from collections.abc import Iterable, Iterator
from ipaddress import IPv4Network, IPv6Network
from typing import NamedTuple


class Match(NamedTuple):
    """A prefix that holds the address, whose it is, and the next wider one that holds it too."""

    prefix: str
    length: int
    site: str
    wider: Match | None

    def chain(self) -> Iterator[Match]:
        """This match and all wider ones, longest first."""
        match: Match | None = self
        while match is not None:
            yield match
            match = match.wider


class _Family:
    """The prefixes of one address family as disjoint intervals, each with the longest match in it."""

    def __init__(self, claims: list[tuple[int, int, int, str, str]], bits: int) -> None:
        # Sorted by start, wider first: the stack always holds the nest of prefixes that are open here.
        starts: list[int] = [0]
        found: list[Match | None] = [None]
        nest: list[tuple[int, Match]] = []

        def put(start: int, match: Match | None) -> None:
            if starts[-1] == start:
                found[-1] = match
            else:
                starts.append(start)
                found.append(match)

        for first, length, last, prefix, site in sorted(claims):
            while nest and nest[-1][0] < first:
                end, _ = nest.pop()
                put(end + 1, nest[-1][1] if nest else None)
            match = Match(prefix, length, site, nest[-1][1] if nest else None)
            nest.append((last, match))
            put(first, match)
        while nest:
            end, _ = nest.pop()
            if end + 1 < 2**bits:
                put(end + 1, nest[-1][1] if nest else None)
        self._found = found
        # IPv6 starts need 128 bits; IPv4 ones fit an array of machine words.
        self._starts: list[int] | array[int] = array("Q", starts) if bits == 32 else starts

    def longest(self, address: int) -> Match | None:
        return self._found[bisect_right(self._starts, address) - 1]


class PrefixTable:
    """All sites' prefixes, both families."""

    def __init__(self, claims: Iterable[tuple[IPv4Network | IPv6Network, str]]) -> None:
        """Flatten ``claims``, each a prefix and its site; no prefix may be claimed twice."""
        families: dict[int, list[tuple[int, int, int, str, str]]] = {4: [], 6: []}
        for network, site in claims:
            first = int(network.network_address)
            last = int(network.broadcast_address)
            families[network.version].append((first, network.prefixlen, last, str(network), site))
        self._v4 = _Family(families[4], 32)
        self._v6 = _Family(families[6], 128)

    def longest(self, version: int, address: int) -> Match | None:
        """The longest prefix that holds ``address``, with the wider ones chained to it; None when there is none."""
        return (self._v4 if version == 4 else self._v6).longest(address)
