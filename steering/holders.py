"""Who holds which asset, as one whole number per revision: bit i is the i-th appliance of the fleet.

Counting, joining and cutting such sets costs microseconds for 20,000 appliances, and 2.5 kB each. Pure.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping


class Holders:
    """The index from (asset, revision) to its holders; ``len`` tells how many revisions are held."""

    def __init__(self, appliances: Iterable[str]) -> None:
        self._names = tuple(appliances)
        self._place = {name: place for place, name in enumerate(self._names)}
        self._sets: dict[tuple[str, str], int] = {}

    def __len__(self) -> int:
        return len(self._sets)

    def change(self, appliance: str, before: Mapping[str, str], after: Mapping[str, str]) -> None:
        """Take up that what an appliance holds (asset → revision) went from ``before`` to ``after``."""
        bit = 1 << self._place[appliance]
        for item in before.items() - after.items():
            left = self._sets[item] & ~bit
            if left:
                self._sets[item] = left
            else:
                del self._sets[item]
        for item in after.items() - before.items():
            self._sets[item] = self._sets.get(item, 0) | bit

    def of(self, asset: str, revision: str) -> int:
        """The set of appliances that hold this revision; 0: nobody."""
        return self._sets.get((asset, revision), 0)

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
