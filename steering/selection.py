"""Which assets are worth their space: greedy by expected bytes per stored byte, moving only what pays. Pure."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from steering.best_first import best_first

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Bools = NDArray[np.bool_]


def choose(
    expected_bytes: Floats,
    size_bytes: Floats,
    *,
    capacity_bytes: float,
    held: Bools | None = None,
    payback_days: float = np.inf,
    moves_max_bytes: float = np.inf,
) -> Bools:
    """Fill a space with what is expected to be watched most for the room it takes.

    The best come first until one does not fit, and of those behind it the one most watched that still fits. This
    little more than a greedy prefix keeps a promise that filling up greedily breaks: with more capacity, never less
    is expected to be served.

    Args:
        expected_bytes: What is expected to be watched tomorrow, by asset.
        size_bytes: Room that each takes.
        capacity_bytes: Room there is.
        held: What is there already; None: nothing, and moves are not limited.
        payback_days: An asset drives out another only if it is expected to serve its own bytes more than the other
            would within so many days: a move must pay for itself.
        moves_max_bytes: Most to bring in tonight, as far as what is held fills the space.

    Returns:
        By asset, whether to hold it.
    """
    density = expected_bytes / np.maximum(size_bytes, 1.0)
    if held is None:
        return _fill(density, expected_bytes, size_bytes, capacity_bytes)
    chosen = _fill(density + np.where(held, 1 / payback_days, 0.0), expected_bytes, size_bytes, capacity_bytes)
    free_bytes = max(0.0, capacity_bytes - float(size_bytes[held].sum()))
    wanted = np.flatnonzero(chosen & ~held)
    wanted = wanted[best_first(density[wanted])]
    brought = np.cumsum(size_bytes[wanted]) <= max(moves_max_bytes, free_bytes)
    if brought.all():
        return chosen
    taken = np.zeros(len(held), np.bool_)
    taken[wanted[brought]] = True
    room = capacity_bytes - float(size_bytes[taken].sum())
    return taken | _fill(np.where(held, density, 0.0), np.where(held, expected_bytes, 0.0), size_bytes, room)


def candidates(density: Floats, size_bytes: Floats, *, capacity_bytes: float, held: Bools) -> Ints:
    """The assets that a choice can turn to, in rising order: those best for their room that fill it, a few more, and
    what is held. More room never has fewer of them.

    Args:
        density: Expected bytes per stored byte, by asset; nothing is negative.
        size_bytes: Room that each takes.
        capacity_bytes: Room there is.
        held: What is there already.
    """
    steps = density.view(np.int64) >> _MANTISSA_BITS_DROPPED
    by_step = np.bincount(steps, weights=size_bytes)
    above = np.cumsum(by_step[::-1])[::-1]
    fills = np.flatnonzero(above > capacity_bytes)
    least = max(int(fills[-1]) if len(fills) else 1, 1)
    return np.flatnonzero((steps >= least) | held)


def _fill(density: Floats, expected_bytes: Floats, size_bytes: Floats, capacity_bytes: float) -> Bools:
    """The best prefix that fits, and the most watched of the rest that fits beside it; only what is watched at all."""
    chosen = np.zeros(len(density), np.bool_)
    worth = np.flatnonzero(density > 0)
    order = worth[best_first(density[worth])]
    ends = np.cumsum(size_bytes[order])
    count = int(np.searchsorted(ends, capacity_bytes, side="right"))
    chosen[order[:count]] = True
    room = capacity_bytes - (float(ends[count - 1]) if count else 0.0)
    rest = order[count:][size_bytes[order[count:]] <= room]
    if len(rest):
        chosen[rest[expected_bytes[rest].argmax()]] = True
    return chosen


_MANTISSA_BITS_DROPPED = 45
"""Of 52: steps of a 128th in each power of two. Bits of floats that are not negative are in the order of the floats."""
