"""Names as numbers: where those of one long list stand in another, without reading either again. Pure.

A name's number is its digest of 128 bits, by which all else of the project knows contents, too.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from oca.common.digest import DIGEST_BYTES, digests_of

Halves = NDArray[np.uint64]


@dataclass(frozen=True, slots=True)
class Numbers:
    """Of a list of names: the halves of their numbers in rising order of the first half, and the place in the list
    of each.
    """

    high: Halves
    low: Halves
    places: NDArray[np.int32]

    @classmethod
    def of(cls, names: Sequence[str]) -> Numbers:
        """Reckon them."""
        return cls.of_halves(halves_of(names))

    @classmethod
    def of_halves(cls, halves: Halves) -> Numbers:
        """From (names, halves)."""
        order = np.argsort(halves[:, 0])
        return cls(halves[order, 0], halves[order, 1], order.astype(np.int32))

    @classmethod
    def packed(cls, raw: bytes) -> Numbers:
        """From what ``pack`` made."""
        count = len(raw) // (DIGEST_BYTES + 4)
        halves = np.frombuffer(raw, np.uint64, 2 * count)
        return cls(halves[:count], halves[count:], np.frombuffer(raw, np.int32, count, DIGEST_BYTES * count))

    def pack(self) -> bytes:
        """As bytes: 20 a name."""
        return b"".join(each.tobytes() for each in (self.high, self.low, self.places))

    def __len__(self) -> int:
        return len(self.places)

    def places_in(self, other: Numbers) -> NDArray[np.int32]:
        """Where each name of the list stands in another list; -1: nowhere."""
        found = np.full(len(self), -1, np.int32)
        rows, at = np.arange(len(self)), np.searchsorted(other.high, self.high)
        while len(rows):
            inside = at < len(other)
            rows, at = rows[inside], at[inside]
            alike = other.high[at] == self.high[rows]
            rows, at = rows[alike], at[alike]
            same = other.low[at] == self.low[rows]
            found[self.places[rows[same]]] = other.places[at[same]]
            rows, at = rows[~same], at[~same] + 1  # of one half there may be several
        return found


def halves_of(names: Sequence[str]) -> Halves:
    """The numbers of names, (names, 2)."""
    return np.frombuffer(digests_of(names), ">u8").reshape(-1, 2).astype(np.uint64)
