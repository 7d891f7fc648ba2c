"""What was watched, from days to the sums that the forecast goes by. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

import numpy as np

from steering.forecast import Evidence, Floats
from steering.shelf import Shelf

Demand = Mapping[str, Mapping[str, Mapping[int, int]]]
"""Site → asset → day (proleptic ordinal) → bytes."""
DEBUT_DAYS = 3
_ELAPSED_MIN = 1 / 24
_UNIX_DAY = datetime(1970, 1, 1, tzinfo=UTC).toordinal()


@dataclass(frozen=True, slots=True)
class Window:
    """The days looked at: ``first`` to ``today`` (ordinals), of which ``elapsed`` (0 to 1) has passed."""

    first: int
    today: int
    elapsed: float

    @classmethod
    def until(cls, now_ns: int, *, history_days: int, demand: Demand) -> Window:
        """Back to the first demand there is, ``history_days`` at most."""
        today, into_ns = divmod(now_ns, 86400 * 10**9)
        today += _UNIX_DAY
        oldest = today - history_days
        begun = min((day for assets in demand.values() for days in assets.values() for day in days), default=today)
        return cls(min(max(oldest, begun), today), today, into_ns / (86400 * 10**9))

    def weights(self, half_life_days: float) -> Floats:
        """What each day counts, the first first; today by as much of it as has passed."""
        ages = self.today - np.arange(self.first, self.today + 1)
        weights: Floats = 0.5 ** (ages / half_life_days)
        weights[-1] = max(self.elapsed, _ELAPSED_MIN)
        return weights

    def of_release(self, released_at_ns: int) -> int:
        """The day of a release, no earlier than the first and no later than today."""
        return min(max(released_at_ns // (86400 * 10**9) + _UNIX_DAY, self.first), self.today)


def gather(demand: Demand, sites: Sequence[str], shelf: Shelf, window: Window, *, half_life_days: float) -> Evidence:
    """Recency-weighted sums of ``sites``, in their order. Assets that are not published any more are left out."""
    weights = window.weights(half_life_days)
    sums = np.zeros((len(sites), len(shelf.assets)))
    for row, site in enumerate(sites):
        for asset, days in demand.get(site, {}).items():
            column = shelf.place.get(asset)
            if column is None:
                continue
            for day, count in days.items():
                if window.first <= day <= window.today:
                    # A day that has begun has less in it than its weight would have it.
                    sums[row, column] += count if day == window.today else weights[day - window.first] * count
    days_from = np.concatenate([np.cumsum(weights[::-1])[::-1], [0.0]])
    begins = [window.of_release(int(at)) for at in shelf.released_at_ns]
    weighted = days_from[np.array(begins, np.int64) - window.first] if begins else np.zeros(0)
    future = shelf.released_at_ns // (86400 * 10**9) + _UNIX_DAY > window.today
    return Evidence(sums, np.where(future, 0.0, weighted), float(weights.sum()))


def debut_share(demand: Demand, shelf: Shelf, window: Window) -> float:
    """Share of a site's day that a title has on its first days, by those that came out in the window; 0: none did."""
    totals: dict[tuple[str, int], int] = {}
    fresh: dict[tuple[str, int], int] = {}
    debuts = [window.of_release(title.released_at_ns) for title in shelf.titles]
    counted = {number for number, day in enumerate(debuts) if window.first < day <= window.today - DEBUT_DAYS}
    if not counted:
        return 0.0
    for site, assets in demand.items():
        for asset, days in assets.items():
            title = int(shelf.families.title[shelf.place[asset]]) if asset in shelf.place else -1
            for day, count in days.items():
                totals[site, day] = totals.get((site, day), 0) + count
                if title in counted and debuts[title] <= day < debuts[title] + DEBUT_DAYS:
                    fresh[site, day] = fresh.get((site, day), 0) + count
    shares = sum(count / max(totals[key], 1) for key, count in fresh.items())
    return shares / (len(counted) * DEBUT_DAYS * max(len(demand), 1))
