"""Which boxes an asset prefers: weighted rendezvous. Pure.

Rendezvous hashing (Thaler and Ravishankar, 1998) ranks the boxes for each asset by a hash of both; here the smallest
``-ln(hash) / space`` comes first. A box that joins or leaves moves its own share and nothing else.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Bools = NDArray[np.bool_]
Hashes = NDArray[np.uint64]


class Weighted(Protocol):
    """A box."""

    @property
    def hash(self) -> int:
        """Of its name."""

    @property
    def space_bytes(self) -> float:
        """Its weight."""


def drawn(hashes: Hashes, boxes: Sequence[Weighted]) -> Floats:
    """What each box draws for each asset: (boxes, assets). The least is the first choice, and so on; a box is chosen as
    often as its space is large.
    """
    weights = np.array([max(box.space_bytes, 1.0) for box in boxes])
    seeds = np.array([box.hash for box in boxes], np.uint64)
    even = np.empty((len(boxes), len(hashes)))
    for row, seed in zip(even, _mix(seeds), strict=True):
        row[:] = _mix(hashes ^ seed) >> np.uint64(11)
    even *= 2.0**-53
    even += 2.0**-54
    if len(set(weights.tolist())) == 1:
        return np.negative(even, out=even)  # of equal boxes, the order of the logarithms is that of the numbers
    draws: Floats = np.log(even, out=even)
    draws /= -weights[:, None]
    return draws


def staying(draws: Floats, had: Bools, goes: Bools | None = None) -> Floats:
    """Draws by which assets stay on boxes that had them, but for some that go to their first choice if they can.

    Args:
        draws: (boxes, assets).
        had: The same: what lay where.
        goes: By asset, whether it goes; None: none does.
    """
    if not had.any():
        return draws
    kept, apart = draws.copy(), 2 * (draws.max() - draws.min())
    np.subtract(kept, apart, out=kept, where=had)
    if goes is not None and goes.any():
        going = np.flatnonzero(goes)
        kept[least(draws[:, going]), going] -= 2 * apart
    return kept


def least(draws: Floats) -> Ints:
    """The box that draws least, of equals the first, by asset: in passes over all assets, one a box."""
    first, lowest = np.zeros(draws.shape[1], np.int64), draws[0].copy()
    for box, row in enumerate(draws[1:], start=1):
        np.copyto(first, box, where=row < lowest)
        np.minimum(lowest, row, out=lowest)
    return first


def _mix(value: Hashes) -> Hashes:
    """Finaliser of SplitMix64 (Steele, Lea and Flood, 2014), in place."""
    for shift, factor in ((30, 0xBF58476D1CE4E5B9), (27, 0x94D049BB133111EB)):
        value ^= value >> np.uint64(shift)
        value *= np.uint64(factor)
    value ^= value >> np.uint64(31)
    return value
