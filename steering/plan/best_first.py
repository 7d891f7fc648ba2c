"""The order that choosing goes by: the largest first, of equals the one that stands first, alike everywhere. Pure."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
_MANTISSA_BITS_DROPPED = 45
"""Of 52. Bits of floats that are not negative are in the order of the floats."""
_STEPS_END = 2 ** (63 - _MANTISSA_BITS_DROPPED)


def best_first(values: Floats, *, guess: Ints | None = None, among: int = 0) -> Ints:
    """Places of values that are not negative, the largest value first.

    Values that differ by less than one part in 2**51 over their number count as equal. Whole numbers are sorted, which
    have the values' bits above and the place below: an eighth of the time of a stable sort of floats.

    Args:
        values: What goes by them.
        guess: An order of all places that may be the one; to see whether it is takes a tenth of the time.
        among: The values are some of so many, and are to stand as they would among those.
    """
    count = len(values)
    bits = max(count - 1, among - 1, 1).bit_length()
    keys = np.ascontiguousarray(values, np.float64).view(np.int64) >> bits << bits
    keys = np.invert(keys, out=keys)  # the largest first; its low bits are ones now
    keys ^= (1 << bits) - 1
    keys |= np.arange(count)
    if guess is not None:
        guessed = keys[guess]
        if (guessed[:-1] < guessed[1:]).all():
            return guess
    keys.sort()
    places: Ints = keys & ((1 << bits) - 1)
    return places


def steps_of(values: Floats) -> Ints:
    """The step of each value that is not negative, 128 in each power of two: larger values have no lower steps."""
    steps: Ints = values.view(np.int64) >> _MANTISSA_BITS_DROPPED
    return steps


def cut(steps: Ints, sizes: Floats, room: float) -> int:
    """The highest step that has no room whole once all above it are in; -1: all have."""
    if not len(steps):
        return -1
    # What is worth nothing is far below all others: it has the first place of a table that begins at the next.
    lowest = int(steps.min()) or int(steps[steps > 0].min(initial=_STEPS_END))
    lowest -= 1
    by_step = np.bincount(np.maximum(steps - lowest, 0), weights=sizes)
    above = np.cumsum(by_step[::-1])
    last = len(above) - 1 - int(np.searchsorted(above, room, side="right"))
    return last + lowest if last > 0 else last
