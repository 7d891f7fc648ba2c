"""Demand of viewers per asset, counted by a worker and taken by its supervisor once a second."""

from __future__ import annotations

from collections.abc import Iterable

from oca.store.records import PULLED

Taken = list[tuple[str, int, int]]
"""(asset, requests, bytes), each above zero."""


class AssetCount:
    """Running count of one asset. The session adds to it in place."""

    __slots__ = ("bytes", "requests")

    def __init__(self) -> None:
        self.requests = 0
        self.bytes = 0


class Demand:
    """Counts per asset; bounded by the assets that the store holds and that somebody asked for of late."""

    def __init__(self) -> None:
        self._counts: dict[str, AssetCount] = {}

    def of(self, asset: str) -> AssetCount:
        """The count of ``asset``, the same object each time."""
        count = self._counts.get(asset)
        if count is None and asset.startswith(PULLED):
            return AssetCount()  # steering knows no such asset; nobody reads this one
        if count is None:
            count = self._counts[asset] = AssetCount()
        return count

    def take(self) -> Taken:
        """What was counted since the last call; zeroed."""
        taken = [(asset, count.requests, count.bytes) for asset, count in self._counts.items() if count.requests]
        for asset, _, _ in taken:
            count = self._counts[asset]
            count.requests = count.bytes = 0
        return taken

    def forget_idle(self) -> None:
        """Drop assets without demand since the last take; call it when nobody holds an ``AssetCount``."""
        self._counts = {asset: count for asset, count in self._counts.items() if count.requests}


def add(totals: dict[str, tuple[int, int]], taken: Iterable[tuple[str, int, int]]) -> None:
    """Add what one worker took to ``totals``."""
    for asset, requests, sent_bytes in taken:
        before = totals.get(asset, (0, 0))
        totals[asset] = (before[0] + requests, before[1] + sent_bytes)
