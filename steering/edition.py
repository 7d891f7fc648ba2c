"""A title as published, with what every decision about it asks for: reckoned once, as long as it is in use. Pure."""

from __future__ import annotations

from steering.catalogue import Title
from steering.holders import Holding

HOLDINGS_MAX = 256
_NOTHING: frozenset[str] = frozenset()


class Edition:
    """One title. ``whole``: all of its assets."""

    __slots__ = ("_held", "title", "whole")

    def __init__(self, title: Title) -> None:
        self.title = title
        self.whole = frozenset(item.asset for item in title.assets)
        self._held: dict[Holding, frozenset[str]] = {}

    def held(self, holding: Holding | None) -> frozenset[str]:
        """The assets that are held as the title has them; empty where none is there that a player plays."""
        if holding is None:
            return _NOTHING
        held = self._held.get(holding)
        if held is None:
            if len(self._held) >= HOLDINGS_MAX:
                self._held.clear()  # it would keep what no box holds any more
            held = self._held[holding] = self._reckon(holding)
        return held

    def _reckon(self, holding: Holding) -> frozenset[str]:
        assets = holding.assets
        held = frozenset(item.asset for item in self.title.assets if assets.get(item.asset) == item.revision)
        if not any(item.asset in held for item in self.title.media()):
            return _NOTHING
        return self.whole if len(held) == len(self.whole) else held

    def held_otherwise(self, holding: Holding | None) -> bool:
        """Whether it is of an earlier or later edition."""
        return holding is not None and any(item.asset in holding.assets for item in self.title.media())
