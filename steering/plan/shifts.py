"""What goes from one box of a site to another though it could stay where it lies, so that no box comes short. Pure.

A box that joins takes its share at once. One whose space has grown has been filled with what was new, the least
watched: it takes its share of the better ones over nights, within a bound.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from steering.plan.placing import added
from steering.plan.rendezvous import least

Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]
BEHIND_DEVIATIONS = 3.0
"""So much below its share of the better half, in standard deviations of chance, a box takes some from others."""


class Spacious(Protocol):
    """A box."""

    @property
    def space_bytes(self) -> float:
        """Room for assets."""


def shifting(draws: Floats, had: Bools, size_bytes: Floats, boxes: Sequence[Spacious], *, bytes_max: float) -> Bools:
    """Which assets go to the box that they rank first, wherever they lie.

    Args:
        draws: (boxes, assets); assets are in order, the best for their room first.
        had: The same: what lies where.
        size_bytes: Of a copy, by asset.
        boxes: Of the site.
        bytes_max: Most that may go to boxes that held anything.
    """
    if not had.any():
        return np.zeros(had.shape[1], np.bool_)
    first = least(draws)
    elsewhere = had.any(axis=0) & ~had[first, np.arange(len(first))]
    joined = np.array([not row.any() for row in had], np.bool_)
    goes: Bools = elsewhere & joined[first]
    rows = np.flatnonzero(_behind(first, elsewhere, had, size_bytes, boxes))
    goes[rows[np.cumsum(size_bytes[rows]) <= bytes_max]] = True
    return goes


def _behind(
    first: NDArray[np.int64], elsewhere: Bools, had: Bools, size_bytes: Floats, boxes: Sequence[Spacious]
) -> Bools:
    """Those of the better half that rank first a box which has less of that half than chance would leave it, the best
    for their room first, until it has its share.
    """
    may = np.zeros(len(first), np.bool_)
    lying = np.cumsum(size_bytes * had.sum(axis=0))
    half = slice(int(np.searchsorted(lying, lying[-1] / 2, side="right")))
    size, elsewhere = size_bytes[half], elsewhere[half]
    part = np.array([box.space_bytes for box in boxes])
    part = part / max(part.sum(), 1.0)
    there = added(had[:, half], size)
    lacking = part * there.sum() - there
    chance = np.sqrt(part * (1 - part) * (size**2).sum())
    for box in np.flatnonzero((lacking > BEHIND_DEVIATIONS * chance) & had.any(axis=1)):
        rows = np.flatnonzero(elsewhere & (first[half] == box))
        before = np.cumsum(size[rows]) - size[rows]
        may[rows[before < lacking[box]]] = True
    return may
