"""Which assets are worth their space: greedy by expected bytes per stored byte, moving only what pays. Pure."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
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
    wanted = wanted[np.argsort(-density[wanted], kind="stable")]
    brought = np.cumsum(size_bytes[wanted]) <= max(moves_max_bytes, free_bytes)
    if brought.all():
        return chosen
    taken = np.zeros(len(held), np.bool_)
    taken[wanted[brought]] = True
    room = capacity_bytes - float(size_bytes[taken].sum())
    return taken | _fill(np.where(held, density, 0.0), np.where(held, expected_bytes, 0.0), size_bytes, room)


def _fill(density: Floats, expected_bytes: Floats, size_bytes: Floats, capacity_bytes: float) -> Bools:
    """The best prefix that fits, and the most watched of the rest that fits beside it; only what is watched at all."""
    chosen = np.zeros(len(density), np.bool_)
    worth = np.flatnonzero(density >= _cut(density, size_bytes, capacity_bytes))
    order = worth[np.argsort(-density[worth], kind="stable")]
    ends = np.cumsum(size_bytes[order])
    count = int(np.searchsorted(ends, capacity_bytes, side="right"))
    chosen[order[:count]] = True
    room = capacity_bytes - (float(ends[count - 1]) if count else 0.0)
    rest = np.flatnonzero((density > 0) & ~chosen & (size_bytes <= room))
    if len(rest):
        chosen[rest[expected_bytes[rest].argmax()]] = True
    return chosen


def _cut(density: Floats, size_bytes: Floats, capacity_bytes: float) -> float:
    """A density that only more than the capacity reaches: what is below needs no sorting. Guessed from a sample."""
    least = float(np.nextafter(0.0, 1.0))
    if len(density) < 4 * _SAMPLE:
        return least
    sample = density[:: len(density) // _SAMPLE]
    step = size_bytes[:: len(density) // _SAMPLE]
    order = np.argsort(-sample, kind="stable")
    place = int(np.searchsorted(np.cumsum(step[order]) * len(density) / len(sample), 1.5 * capacity_bytes))
    if place >= len(order):
        return least
    cut = max(float(sample[order[place]]), least)
    return cut if float(size_bytes[density >= cut].sum()) > capacity_bytes else least


_SAMPLE = 4096
