"""How often what came lay in the forecast's interval, on days that the interval was not made from."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmarks.forecast.demand import World
from steering.plan.interval import CLASSES, ENOUGH, NEW_DAYS, VOLUMES, Intervals, classes_of, count, empty, faded

Floats = NDArray[np.float64]
WATCHED_CLASS = 3
"""From here on a view a day or more is expected: of what is watched less, the interval is mostly none or one view."""


@dataclass(slots=True)
class Coverage:
    """Walks forward with a replay: each day is judged by the days before it, then counted."""

    world: World
    counts: Floats = field(default_factory=empty)
    judged: Floats = field(default_factory=lambda: np.zeros(CLASSES))
    inside: Floats = field(default_factory=lambda: np.zeros(CLASSES))
    judged_bytes: Floats = field(default_factory=lambda: np.zeros(CLASSES))
    inside_bytes: Floats = field(default_factory=lambda: np.zeros(CLASSES))

    def observe(self, day: int, expected: Floats, came: Floats, *, counted: bool) -> None:
        """Take in a day: bytes by (clusters, assets)."""
        age = day - self.world.debut_day
        new = np.broadcast_to((age >= 0) & (age < NEW_DAYS) & (self.world.debut_day > 0), expected.shape)
        some = expected > 0
        sizes = np.broadcast_to(self.world.size_bytes, expected.shape)[some]
        expected, came, new = expected[some], came[some], new[some]
        classes = classes_of(expected, sizes, new)
        if counted:
            known = self.counts.sum(axis=1) >= ENOUGH  # of the others the interval would be what all of this showed
            judged = known[classes]
            low, high = Intervals(self.counts).of(expected, sizes, new)
            inside = judged & (low <= came) & (came <= high)
            self.judged += np.bincount(classes, judged, CLASSES)
            self.inside += np.bincount(classes, inside, CLASSES)
            self.judged_bytes += np.bincount(classes, expected * judged, CLASSES)
            self.inside_bytes += np.bincount(classes, expected * inside, CLASSES)
        self.counts = faded(self.counts, 1) + count(classes, expected, came)

    @property
    def watched(self) -> float:
        """Part that lay inside, of the days of assets of which a view a day or more was expected."""
        much = np.arange(CLASSES) % VOLUMES >= WATCHED_CLASS
        return float(self.inside[much].sum() / max(self.judged[much].sum(), 1.0))

    @property
    def by_bytes(self) -> float:
        """The same of all, each by the bytes that were expected of it."""
        return float(self.inside_bytes.sum() / max(self.judged_bytes.sum(), 1.0))

    def as_rows(self) -> list[dict[str, Any]]:
        """By class, for the table and the file; ``low`` and ``high`` as after the last day."""
        factors = Intervals(self.counts).factors
        return [
            {
                "new": number >= VOLUMES,
                "views_from": 4.0 ** (number % VOLUMES - WATCHED_CLASS) if number % VOLUMES else 0.0,
                "days": int(self.judged[number]),
                "inside": round(float(self.inside[number] / max(self.judged[number], 1.0)), 4),
                "low": round(float(factors[number, 0]), 3),
                "high": round(float(factors[number, 1]), 3),
            }
            for number in range(CLASSES)
        ]
