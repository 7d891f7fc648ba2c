"""Days of demand added up as plans go by them: whole bytes by site and asset, each day's times its weight. Pure.

What the engine adds up is whole, and a day's bytes are rounded down once they are weighed: so the sums are the same in
whatever order they are made.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import repeat
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from steering.plan.forecast import Bools, Floats
from steering.plan.watched import Watched


@dataclass(frozen=True, slots=True)
class Day:
    """What was wanted on a day; rows of ``wanted`` are ``sites``, its columns ``assets``, both in rising order."""

    sites: Sequence[str]
    assets: Sequence[str]
    wanted: Watched

    @classmethod
    def of(cls, sites: Sequence[str], assets: Sequence[str], wanted: Watched) -> Day:
        """Without the sites that wanted nothing."""
        counts = np.diff(wanted.starts)
        starts = np.concatenate([[0], np.cumsum(counts[counts > 0])])
        some = [site for site, count in zip(sites, counts.tolist(), strict=True) if count]
        return cls(some, assets, Watched(starts, wanted.columns, wanted.values, wanted.width))

    @classmethod
    def joined(cls, parts: Sequence[Day], assets: Sequence[str]) -> Day:
        """The sites of one part after those of another; all have the same assets."""
        sites = [site for part in parts for site in part.sites]
        return cls(sites, assets, Watched.joined([part.wanted for part in parts], width=len(assets)))

    def between(self, first: str, last: str) -> Day:
        """That of the sites from ``first`` to ``last``."""
        low, high = span(self.sites, first, last)
        return Day(self.sites[low:high], self.assets, self.wanted.rows(low, high))


class AnyDay(Protocol):
    """A day, wherever it is kept."""

    @property
    def sites(self) -> Sequence[str]:
        """In rising order."""
        ...

    @property
    def assets(self) -> Sequence[str]:
        """In rising order."""
        ...

    def between(self, first: str, last: str) -> Day:
        """That of the sites from ``first`` to ``last``."""
        ...


@dataclass(frozen=True, slots=True)
class Joint:
    """Parts of a day added up, as what boxes told and what was imported; ``places`` are those of each one's assets."""

    parts: Sequence[AnyDay]
    sites: Sequence[str]
    assets: Sequence[str]
    places: Sequence[NDArray[np.int32]]

    @classmethod
    def of(cls, *parts: AnyDay) -> Joint:
        """Read by nobody before it is asked for."""
        sites, assets = (sorted({name for part in parts for name in getattr(part, of)}) for of in ("sites", "assets"))
        place = {asset: number for number, asset in enumerate(assets)}
        return cls(parts, sites, assets, [_places(part.assets, place) for part in parts])

    def between(self, first: str, last: str) -> Day:
        """See ``AnyDay``."""
        low, high = span(self.sites, first, last)
        sites, width = self.sites[low:high], len(self.assets)
        found = [
            _rows(part.between(first, last), sites).moved(places, width)
            for part, places in zip(self.parts, self.places, strict=True)
        ]
        return Day(sites, self.assets, weighed(found, np.ones(len(found))))


@dataclass(frozen=True, slots=True)
class Sums:
    """Of some sites: what plans go by, each day's bytes times its factor; what of it was wanted on the last whole day;
    by day and site all bytes, and those of titles on their first days.
    """

    watched: Watched
    yesterday: Watched
    totals: Floats
    fresh: Floats


class Days:
    """Days that follow each other, and where the assets of each stand on the shelf."""

    def __init__(
        self,
        days: Sequence[AnyDay],
        factors: Floats,
        *,
        place: Mapping[str, int],
        yesterday: int,
        fresh: Sequence[Bools],
    ) -> None:
        """Look up places.

        Args:
            days: The first one first.
            factors: What a byte of each day counts.
            place: Of each asset on the shelf.
            yesterday: Which day is the last whole one; below 0: none.
            fresh: Of each day, by place on the shelf, whether that was one of the asset's first days.
        """
        self._factors, self._width, self._yesterday, self._fresh = factors, len(place), yesterday, fresh
        self._days = [(day, _places(day.assets, place)) for day in days]

    def sums(self, sites: Sequence[str]) -> Sums:
        """Of these sites, which follow each other among all; in rising order."""
        rows = []
        totals, fresh = np.zeros((2, len(self._days), len(sites)))
        for number, (day, places) in enumerate(self._days):
            found = _rows(day.between(sites[0], sites[-1]), sites)
            totals[number] = found.by_cluster()
            rows.append(found.moved(places, self._width))
            if self._fresh[number].any():
                fresh[number] = rows[-1].by_cluster(self._fresh[number])
        none = Watched.of_dense(np.zeros((len(sites), 0)))
        yesterday = rows[self._yesterday] if self._yesterday >= 0 else none
        return Sums(weighed(rows, self._factors), yesterday, totals, fresh)


def weighed(days: Sequence[Watched], factors: Floats) -> Watched:
    """Days of the same clusters and columns added up, each times its factor and rounded down to whole bytes."""
    width, clusters = days[0].width, days[0].clusters
    total, is_there = np.zeros(width), np.zeros(width, np.bool_)
    columns, values = [np.zeros(0, np.int32)], [np.zeros(0)]
    for cluster in range(clusters):
        for day, factor in zip(days, factors.tolist(), strict=True):
            places, wanted = day.of(cluster)
            total[places] += np.floor(wanted * factor)
            is_there[places] = True
        found = np.flatnonzero(is_there)
        columns.append(found.astype(np.int32))
        values.append(total[found])
        total[found], is_there[found] = 0.0, False
    starts = np.cumsum([len(each) for each in columns])
    return Watched(starts, np.concatenate(columns), np.concatenate(values), width)


def span(sites: Sequence[str], first: str, last: str) -> tuple[int, int]:
    """Where sites from ``first`` to ``last`` begin and end."""
    low = bisect_left(sites, first)
    return low, max(low, bisect_right(sites, last))


def _places(assets: Sequence[str], place: Mapping[str, int]) -> NDArray[np.int32]:
    """On the shelf; -1: not there."""
    return np.fromiter(map(place.get, assets, repeat(-1)), np.int32, len(assets))


def _rows(day: Day, sites: Sequence[str]) -> Watched:
    """With a row for each of the sites, among which are the day's."""
    if list(day.sites) == list(sites):
        return day.wanted
    number = {site: row for row, site in enumerate(sites)}
    counts = np.zeros(len(sites), np.int64)
    counts[[number[site] for site in day.sites]] = np.diff(day.wanted.starts)
    starts = np.concatenate([[0], np.cumsum(counts)])
    return Watched(starts, day.wanted.columns, day.wanted.values, day.wanted.width)
