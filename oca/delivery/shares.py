"""Shares a worker's descriptors between connections and open packs, so that neither is left without."""

from __future__ import annotations

from msgspec import Struct

OTHERS = 64
"""Descriptors for the rest: listening sockets and a spare for each, indexes, the event loop, the log."""


class Shares(Struct, frozen=True):
    """How many connections a worker may have, and how many packs it may keep open at a time."""

    connections_max: int
    packs_max: int

    @property
    def descriptors(self) -> int:
        """Descriptors that these take, with the rest."""
        return self.connections_max + self.packs_max + OTHERS


def share(descriptors_max: int, wanted: Shares) -> Shares:
    """What is wanted, as far as ``descriptors_max`` goes; packs keep up to a quarter.

    Without this, viewers could take the last descriptor, and what the box holds would be answered 404.
    """
    left = max(descriptors_max - OTHERS, 8)
    packs = min(wanted.packs_max, max(left // 4, left - wanted.connections_max))
    return Shares(min(wanted.connections_max, left - packs), packs)
