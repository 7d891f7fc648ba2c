"""How far one response's body is known to be in memory, and the wait for the slice that is not."""

from __future__ import annotations

from functools import partial
from typing import Literal

from oca.delivery.clients import client_key
from oca.delivery.lane import Outcome, Refusal, Waiter
from oca.delivery.readahead import SLICE_BYTES, Reads, Wait
from oca.store.reader import OpenPack

CAUSES: dict[Outcome, Literal["device", "pack", "hang"]] = {
    "failed": "device",
    "short": "pack",
    "slow": "hang",
    "sick": "hang",
    "overloaded": "hang",
}
"""Whose doing it is that a body ends before its last byte, by how the wait for a slice of it ended."""


class Slices:
    """One connection's, for one response after another."""

    __slots__ = ("_client", "_epoch", "_reads", "_to", "_wait")

    def __init__(self, reads: Reads, client: str) -> None:
        self._reads = reads
        self._client = client
        self._wait: Wait | None = None
        self._to = self._epoch = 0

    @property
    def waits(self) -> bool:
        """Whether a slice is being read."""
        return self._wait is not None

    def forget(self) -> None:
        """Another body, or another stretch of it, comes next."""
        self._to = 0

    def room(self, pack: OpenPack, offset: int, left: int) -> int:
        """How many bytes from ``offset`` on are in memory, of ``left`` and of one slice; 0: they have to be read."""
        if offset < self._to and self._epoch == self._reads.epoch:
            return self._to - offset
        return self._know(pack, offset, left) if self._reads.at_hand(pack, offset, left) else 0

    def read(self, pack: OpenPack, offset: int, left: int, done: Waiter, *, begun: bool) -> Refusal | None:
        """Read the first slice of ``left`` bytes; ``done`` is told how that ended. Returns why not, if it is refused.

        A response that has ``begun`` is not refused for the length of the queue.
        """
        on_read = partial(self._on_read, pack, offset, left, done)
        wait = self._reads.fetch(pack, offset, left, on_read, client=None if begun else client_key(self._client))
        if not isinstance(wait, Wait):
            return wait
        self._wait = wait
        return None

    def cancel(self) -> None:
        """Wait no longer."""
        if self._wait is not None:
            self._wait.cancel()
            self._wait = None

    def _know(self, pack: OpenPack, offset: int, left: int) -> int:
        room = min(left, SLICE_BYTES)
        self._to, self._epoch = offset + room, self._reads.epoch_for(pack)
        return room

    def _on_read(self, pack: OpenPack, offset: int, left: int, done: Waiter, outcome: Outcome) -> None:
        self._wait = None
        if outcome == "ready":
            room = self._know(pack, offset, left)
            if left > room:
                self._reads.ahead(pack, offset + room, left - room)
        done(outcome)
