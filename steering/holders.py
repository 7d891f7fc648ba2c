"""Who holds what, by title: boxes that hold the same of a title share one ``Holding``, and each has a bit in its set.

Titles are few against assets, and boxes hold them whole or nearly so. Counting, joining and cutting such sets costs
microseconds. Pure.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from weakref import WeakValueDictionary

from steering.catalogue import Title


class Holding:
    """What of one title a box holds: asset → revision. Shared, and never changed; compared by identity."""

    __slots__ = ("__weakref__", "_for", "_found", "assets")

    def __init__(self, assets: Mapping[str, str]) -> None:
        self.assets = assets
        self._for: Title | None = None
        self._found: frozenset[str] = frozenset()

    def of(self, title: Title) -> frozenset[str]:
        """The assets of ``title`` that are held as it has them; empty where none is there that a player plays."""
        if self._for is not title:
            found = frozenset(item.asset for item in title.assets if self.assets.get(item.asset) == item.revision)
            playable = any(item.asset in found for item in title.media())
            self._for, self._found = title, found if playable else frozenset()
        return self._found

    def other_revision(self, title: Title) -> bool:
        """Whether it is of an earlier or later edition of ``title``."""
        return any(item.asset in self.assets for item in title.media())


class TitleHolders:
    """The boxes that hold anything of one title."""

    __slots__ = ("anybody", "holdings")

    def __init__(self) -> None:
        self.holdings: dict[Holding, int] = {}
        self.anybody = 0

    def among(self, first: int, count: int) -> Sequence[Holding | None]:
        """What each of ``count`` boxes from place ``first`` holds; empty where none of them holds anything."""
        here = self.anybody >> first & ((1 << count) - 1)
        if not here:
            return ()
        if len(self.holdings) == 1:
            only = next(iter(self.holdings))
            return [only if here >> index & 1 else None for index in range(count)]
        found: list[Holding | None] = [None] * count
        for holding, boxes in self.holdings.items():
            theirs = boxes >> first & here
            while theirs:
                found[(theirs & -theirs).bit_length() - 1] = holding
                theirs &= theirs - 1
        return found

    def change(self, bit: int, before: Holding | None, after: Holding | None) -> None:
        """Take up that a box's holding went from ``before`` to ``after``."""
        if before is not None:
            left = self.holdings[before] & ~bit
            if left:
                self.holdings[before] = left
            else:
                del self.holdings[before]
        if after is not None:
            self.holdings[after] = self.holdings.get(after, 0) | bit
        self.anybody = (self.anybody | bit) if after is not None else (self.anybody & ~bit)


class Holders:
    """The index from titles to their holders; ``len`` tells how many titles anybody holds."""

    def __init__(self, appliances: Iterable[str]) -> None:
        self._names = tuple(appliances)
        self._place = {name: place for place, name in enumerate(self._names)}
        self._held: list[dict[str, Holding]] = [{} for _ in self._names]
        self._titles: dict[str, TitleHolders] = {}
        self._shared: WeakValueDictionary[tuple[tuple[str, str], ...], Holding] = WeakValueDictionary()

    def __len__(self) -> int:
        return len(self._titles)

    def put(self, appliance: str, contents: Iterable[tuple[str, str]]) -> None:
        """Take up what an appliance holds: all of it, as (asset, revision)."""
        place = self._place[appliance]
        by_title: dict[str, list[tuple[str, str]]] = {}
        for pair in contents:
            by_title.setdefault(pair[0].partition("/")[0], []).append(pair)
        before = self._held[place]
        after: dict[str, Holding] = {}
        for title, pairs in by_title.items():
            holding = self._sharing(tuple(sorted(pairs)))
            after[title] = holding
            if before.get(title) is not holding:
                self._titles.setdefault(title, TitleHolders()).change(1 << place, before.get(title), holding)
        for title in before.keys() - after.keys():
            holders = self._titles[title]
            holders.change(1 << place, before[title], None)
            if not holders.anybody:
                del self._titles[title]
        self._held[place] = after

    def place(self, appliance: str) -> int:
        """The appliance's bit."""
        return self._place[appliance]

    def of_title(self, title: str) -> TitleHolders | None:
        """Who holds anything of a title; None: nobody."""
        return self._titles.get(title)

    def holds(self, appliance: str, asset: str) -> str | None:
        """The revision of ``asset`` that an appliance holds; None: none."""
        holding = self._held[self._place[appliance]].get(asset.partition("/")[0])
        return holding.assets.get(asset) if holding is not None else None

    def of(self, asset: str, revision: str) -> int:
        """The set of appliances that hold this revision; 0: nobody."""
        holders = self._titles.get(asset.partition("/")[0])
        found = 0
        for holding, boxes in holders.holdings.items() if holders is not None else ():
            if holding.assets.get(asset) == revision:
                found |= boxes
        return found

    def where(self, fits: Callable[[str], bool]) -> int:
        """The set of appliances that fit."""
        return int("".join("1" if fits(name) else "0" for name in reversed(self._names)) or "0", 2)

    def names(self, appliances: int, *, at_most: int | None = None) -> list[str]:
        """The members of a set, in the fleet's order."""
        bits = f"{appliances:b}"[::-1]
        found: list[str] = []
        at = bits.find("1")
        while at >= 0 and len(found) != at_most:
            found.append(self._names[at])
            at = bits.find("1", at + 1)
        return found

    def _sharing(self, pairs: tuple[tuple[str, str], ...]) -> Holding:
        holding = self._shared.get(pairs)
        if holding is None:
            holding = self._shared[pairs] = Holding(dict(pairs))
        return holding
