"""Who watches: the line, the patience and the habits of one viewer, drawn from a seeded chance. Pure.

The mix of lines, leavers and seekers is made up. Every line carries the demo's lowest rung several times over, and all
but a tenth its highest: a stall or a low rung is the service's doing (or the load generator's), not the line's.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import accumulate
from math import inf
from typing import Protocol

LINES_BITS_PER_S = ((3_000_000, 0.10), (15_000_000, 0.30), (50_000_000, 0.35), (200_000_000, 0.25))
"""Access lines and their shares."""
LINE_SHARE_MIN = 0.5
"""What is left of a line while the rest of the household uses it, at worst."""
EARLY_LEAVERS = 0.3
EARLY_WITHIN = 0.25
WATCHED_S_MIN = 2.0
SEEKERS = 0.25
SEEKS_MAX = 3
PATIENCE_S_MIN = 2.0
PATIENCE_S_MORE = 17.0
"""Viewers begin to leave after 2 s of waiting, 5.8 % of them with each second more (Krishnan, Sitaraman: IMC 2012)."""


class Chance(Protocol):
    """What is used of ``random.Random``."""

    def random(self) -> float: ...

    def uniform(self, a: float, b: float) -> float: ...

    def expovariate(self, lambd: float) -> float: ...


@dataclass(frozen=True, slots=True)
class Seek:
    """After ``watched_s`` seconds of watching, jump to ``to_s`` in the film."""

    watched_s: float
    to_s: float


@dataclass(frozen=True, slots=True)
class Viewer:
    """One viewer of one film.

    Attributes:
        line_bits_per_s: The access line at its best.
        patience_s: How long one wait, at the start or in a stall, is borne.
        leaves_after_s: Seconds watched before leaving; infinite: stays to the end.
        seeks: In the order they come.
    """

    line_bits_per_s: int
    patience_s: float
    leaves_after_s: float
    seeks: tuple[Seek, ...]

    def line_now(self, chance: Chance) -> float:
        """Bits per second that the line gives to the next object."""
        return self.line_bits_per_s * chance.uniform(LINE_SHARE_MIN, 1)


def draw_viewer(chance: Chance, duration_s: float) -> Viewer:
    """A viewer for a film of ``duration_s``."""
    line, _ = LINES_BITS_PER_S[_weighted(chance, [share for _, share in LINES_BITS_PER_S])]
    patience = PATIENCE_S_MIN + chance.expovariate(1 / PATIENCE_S_MORE)
    leaves = inf
    if chance.random() < EARLY_LEAVERS:
        leaves = chance.uniform(min(WATCHED_S_MIN, duration_s), duration_s * EARLY_WITHIN)
    seeks: list[Seek] = []
    if chance.random() < SEEKERS:
        count = 1 + int(chance.random() * SEEKS_MAX)
        seeks = [Seek(chance.uniform(0, min(leaves, duration_s)), chance.uniform(0, duration_s)) for _ in range(count)]
    return Viewer(line, patience, leaves, tuple(sorted(seeks, key=lambda seek: seek.watched_s)))


def draw_title(chance: Chance, titles: int) -> int:
    """Which of ``titles`` titles, best known first: the n-th is watched 1/n as often as the first (Zipf)."""
    return _weighted(chance, [1 / place for place in range(1, titles + 1)])


def _weighted(chance: Chance, weights: Sequence[float]) -> int:
    point = chance.random() * sum(weights)
    below = (index for index, reached in enumerate(accumulate(weights)) if point < reached)
    return next(below, len(weights) - 1)
