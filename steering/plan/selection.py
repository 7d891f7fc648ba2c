"""Which assets are worth their space: greedy by expected bytes per stored byte, moving only what pays. Pure."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from steering.plan.best_first import best_first, cut, steps_of

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
    beside_bytes: Floats | None = None,
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
        beside_bytes: Of each, the room that is to be left when it and all better ones are in; None: none.

    Returns:
        By asset, whether to hold it.
    """
    density = expected_bytes / np.maximum(size_bytes, 1.0)
    beside = np.zeros(len(density)) if beside_bytes is None else beside_bytes
    if held is None:
        return _fill(density, expected_bytes, size_bytes, beside, capacity_bytes)
    kept = density + np.where(held, 1 / payback_days, 0.0)
    chosen = _fill(kept, expected_bytes, size_bytes, beside, capacity_bytes)
    free_bytes = max(0.0, capacity_bytes - float(size_bytes[held].sum()))
    wanted = np.flatnonzero(chosen & ~held)
    moves_max_bytes = max(moves_max_bytes, free_bytes)
    if float(size_bytes[wanted].sum()) <= moves_max_bytes:
        return chosen
    wanted = wanted[best_first(density[wanted])]
    brought = np.cumsum(size_bytes[wanted]) <= moves_max_bytes
    taken = np.zeros(len(held), np.bool_)
    taken[wanted[brought]] = True
    room = capacity_bytes - float(size_bytes[taken].sum())
    return taken | _fill(np.where(held, density, 0.0), np.where(held, expected_bytes, 0.0), size_bytes, beside, room)


def candidates(density: Floats, size_bytes: Floats, *, capacity_bytes: float, held: Bools) -> Ints:
    """The assets that a choice can turn to, in rising order: those best for their room that fill it, a few more, and
    what is held. More room never has fewer of them.

    Args:
        density: Expected bytes per stored byte, by asset; nothing is negative.
        size_bytes: Room that each takes.
        capacity_bytes: Room there is.
        held: What is there already.
    """
    steps = steps_of(density)
    return np.flatnonzero((steps >= max(cut(steps, size_bytes, capacity_bytes), 1)) | held)


def _fill(density: Floats, expected_bytes: Floats, size_bytes: Floats, beside: Floats, capacity_bytes: float) -> Bools:
    """The best prefix that fits, and the most watched of the rest that fits beside it; only what is watched at all."""
    worth, steps = density > 0, steps_of(density)
    among = int(np.count_nonzero(worth))
    lowest = cut(steps, size_bytes, capacity_bytes)
    highest = max(lowest, cut(steps, size_bytes, capacity_bytes - float(beside.max(initial=0.0))))
    chosen = worth & (steps > highest)
    room = capacity_bytes - float(size_bytes[chosen].sum())
    # Only of the steps that may have no room whole does the order matter.
    edge = np.flatnonzero(worth & (steps >= lowest) & (steps <= highest))
    edge = edge[best_first(density[edge], among=among)]
    ends = np.cumsum(size_bytes[edge])
    count = int(np.argmax(np.append(ends + beside[edge] > room, True)))
    chosen[edge[:count]] = True
    room -= float(ends[count - 1]) if count else 0.0
    rest = np.flatnonzero(worth & ~chosen & (size_bytes + beside <= room))
    if len(rest):
        most = rest[expected_bytes[rest] == expected_bytes[rest].max()]
        chosen[most[best_first(density[most], among=among)[0]]] = True
    return chosen
