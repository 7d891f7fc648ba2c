"""How far from the forecast what comes may be: between which bytes four days in five lie. Pure.

What came, divided by what was expected, is counted by class: by how many whole views a day were expected, since little
demand scatters more, and whether the title was new, since that is guessed. The interval is read off such counts of
earlier days (split conformal prediction, with one class's past as its calibration set); they fade over weeks.
"""

from __future__ import annotations

import numpy as np
from msgspec import Struct
from numpy.typing import NDArray

from steering.plan.forecast import Bools, Floats, Ints

COVERAGE = 0.8
VOLUMES = 9
AGES = 2
CLASSES = VOLUMES * AGES
NEW_DAYS = 3
"""A title is new on so many days."""
_LEAST_VIEWS_LOG4 = -2
"""The first class ends at a sixteenth of a view a day; each other is four times as many as the one before."""
_STEPS = 8
"""Of a ratio, in an octave."""
_OCTAVES = 6
"""To each side; what is below the least counts as nothing."""
BINS = 2 * _OCTAVES * _STEPS + 2
"""The first: nothing came; the last: more than 64 times as much."""
HALF_LIFE_DAYS = 14.0
ENOUGH = 100.0
"""With fewer days of assets counted, a class goes by what the back-test showed."""


_BACK_TEST = (
    (0.0, 0.0), (0.0, 0.0), (0.0, 2.21), (0.0, 1.60), (0.44, 1.57), (0.50, 1.41), (0.49, 1.345), (0.48, 1.31),
    (0.48, 1.31), (0.0, 0.0), (0.0, 0.0), (0.0, 1.73), (0.0, 0.88), (0.0, 1.09), (0.68, 1.51), (0.0, 1.10),
    (0.0, 1.10), (0.0, 1.10),
)  # fmt: skip
"""(low, high) of each class in the back-test over a catalogue, for a fleet that has no past of its own."""


class Residuals(Struct, frozen=True):
    """Counts of (class, bin) as 32-bit floats, days that are past fading; ``day`` is the last one in it, since 1970."""

    day: int
    counts: bytes


def empty() -> Floats:
    """No counts yet."""
    return np.zeros((CLASSES, BINS))


def classes_of(expected: Floats, stored_bytes: Floats, new: Bools) -> Ints:
    """The class of each asset."""
    views = np.maximum(expected / np.maximum(stored_bytes, 1.0), 1e-9)
    volume = np.clip(np.floor(np.log2(views) / 2).astype(np.int64) - _LEAST_VIEWS_LOG4 + 1, 0, VOLUMES - 1)
    return volume + VOLUMES * new.astype(np.int64)


def count(classes: Ints, expected: Floats, came: Floats) -> Floats:
    """Of a day, how often what came was which part of what was expected, by class; nothing is to be 0 there."""
    ratio = came / expected
    place = np.floor((np.log2(np.maximum(ratio, 1e-9)) + _OCTAVES) * _STEPS).astype(np.int64) + 1
    bins = np.clip(place, 0, BINS - 1)
    counted = np.bincount(classes * BINS + bins, minlength=CLASSES * BINS)
    return counted.reshape(CLASSES, BINS).astype(np.float64)


def faded(counts: Floats, days: float) -> Floats:
    """As they count so many days later."""
    kept: Floats = counts * 0.5 ** (days / HALF_LIFE_DAYS)
    return kept


class Intervals:
    """What of the past is known.

    ``factors`` has (low, high) by class, which a forecast is to be multiplied by; ``learned`` tells by class whether
    these are of nights here, or of the back-test.
    """

    def __init__(self, counts: Floats) -> None:
        found = [_factors(of) for of in counts]
        self.learned = np.array([each is not None for each in found])
        self.factors = np.array([each or known for each, known in zip(found, _BACK_TEST, strict=True)])

    def of(self, expected: Floats, stored_bytes: Floats, new: Bools) -> tuple[Floats, Floats]:
        """Between which bytes of each asset tomorrow lies, four times in five."""
        low, high = self.factors[classes_of(expected, stored_bytes, new)].T
        return expected * low, expected * high


def _factors(counts: Floats) -> tuple[float, float] | None:
    """(low, high) by the counts of a class; None: too few.

    A tenth lies below and a tenth above; where nothing at all comes more often than that, all that is left out lies
    above.
    """
    total = float(counts.sum())
    if total < ENOUGH:
        return None
    ends = np.concatenate([[0.0], np.cumsum(counts)]) / total
    outside = 1 - COVERAGE
    if ends[1] >= outside / 2:
        return 0.0, _quantile(ends, max(COVERAGE, float(ends[1])))
    return _quantile(ends, outside / 2), _quantile(ends, 1 - outside / 2)


_EDGES = np.concatenate([[0.0], 2.0 ** (np.arange(BINS - 1) / _STEPS - _OCTAVES)])
"""Where each bin begins; the last has no end and counts as its beginning."""


def _quantile(ends: NDArray[np.float64], level: float) -> float:
    """The ratio below which ``level`` of the counts lie, evenly spread within a bin."""
    place = int(np.searchsorted(ends, level, side="left")) - 1
    if place < 1:
        return 0.0
    if place >= BINS - 1:
        return float(_EDGES[-1])
    within = (level - ends[place]) / (ends[place + 1] - ends[place])
    return float(_EDGES[place] + within * (_EDGES[place + 1] - _EDGES[place]))
