"""Which days count how much for the forecast, and since when each asset could be watched. Pure."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from steering.plan.forecast import Bools, Evidence, Floats, Ints
from steering.plan.shelf import Shelf
from steering.plan.watched import Watched

DEBUT_DAYS = 3
DAY_NS = 86400 * 10**9
_ELAPSED_MIN = 1 / 24


@dataclass(frozen=True, slots=True)
class Window:
    """The days looked at: ``first`` to ``today``, counted from 1970, UTC, of which ``elapsed`` (0 to 1) has passed."""

    first: int
    today: int
    elapsed: float

    @classmethod
    def until(cls, now_ns: int, *, history_days: int, begun: int | None) -> Window:
        """Back to the day on which demand begins, ``history_days`` at most; ``begun`` is None where there is none."""
        today, into_ns = divmod(now_ns, DAY_NS)
        first = max(today - history_days, today if begun is None else begun)
        return cls(min(first, today), today, into_ns / DAY_NS)

    def days(self) -> Ints:
        """All of them, the first first."""
        return np.arange(self.first, self.today + 1)

    def factors(self, half_life_days: float) -> Floats:
        """What a byte of each day counts."""
        factors: Floats = 0.5 ** ((self.today - self.days()) / half_life_days)
        return factors

    def weights(self, half_life_days: float) -> Floats:
        """What each day counts: as its bytes, but today by as much of it as has passed, since it has less in it."""
        weights = self.factors(half_life_days)
        weights[-1] = max(self.elapsed, _ELAPSED_MIN)
        return weights

    def of_release(self, released_at_ns: Ints) -> Ints:
        """The days of releases, none earlier than the first and none later than today."""
        clipped: Ints = np.clip(released_at_ns // DAY_NS, self.first, self.today)
        return clipped


def evidence(watched: Watched, shelf: Shelf, window: Window, *, half_life_days: float) -> Evidence:
    """What was watched, each day's bytes times its factor, and the days on which each asset could be."""
    weights = window.weights(half_life_days)
    days_from = np.cumsum(weights[::-1])[::-1]
    days = days_from[window.of_release(shelf.released_at_ns) - window.first]
    future = shelf.released_at_ns // DAY_NS > window.today
    return Evidence(watched, np.where(future, 0.0, days), float(weights.sum()))


def debuts(released_at_ns: Ints, window: Window) -> Bools:
    """Of titles, those whose first days lie in the window whole, so that they tell of what comes out next."""
    released = window.of_release(released_at_ns)
    whole: Bools = (window.first < released) & (released <= window.today - DEBUT_DAYS)
    return whole


def debut_share(shares: Floats, *, titles: int, sites: int) -> float:
    """Share of a site's day that a title has on its first days.

    Args:
        shares: By site and day, the share of the titles that were on their first days.
        titles: How many such titles there were.
        sites: How many sites watched anything.
    """
    return float(shares.sum()) / max(titles * DEBUT_DAYS * sites, 1)
