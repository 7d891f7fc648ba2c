"""Days of demand added up as plans go by them: whole bytes by site and asset, each day's times its weight. Pure.

What the engine adds up is whole, and a day's bytes are rounded down once they are weighed: so the sums are the same in
whatever order they are made.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from steering.plan.forecast import Bools, Floats
from steering.plan.names import Numbers
from steering.plan.watched import Watched


@dataclass(frozen=True, slots=True)
class Rows:
    """What some sites wanted, in rising order of the sites; by asset of the day that it is of."""

    sites: Sequence[str]
    wanted: Watched


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
    def joined(cls, parts: Sequence[Rows | Day], assets: Sequence[str]) -> Day:
        """The sites of one part after those of another; all have the same assets."""
        sites, entries = [site for part in parts for site in part.sites], sum(len(part.wanted.values) for part in parts)
        wanted = Watched.joined((part.wanted for part in parts), entries_max=entries, width=len(assets))
        return cls(sites, assets, wanted)

    @property
    def numbers(self) -> Numbers:
        """See ``AnyDay``."""
        return Numbers.of(self.assets)

    @property
    def entries(self) -> int:
        """See ``AnyDay``."""
        return len(self.wanted.values)

    def between(self, first: str, last: str) -> Rows:
        """See ``AnyDay``."""
        low, high = span(self.sites, first, last)
        return Rows(self.sites[low:high], self.wanted.rows(low, high))


class AnyDay(Protocol):
    """A day, wherever it is kept."""

    @property
    def sites(self) -> Sequence[str]:
        """In rising order."""
        ...

    @property
    def assets(self) -> Sequence[str]:
        """In rising order; may be read anew each time."""
        ...

    @property
    def numbers(self) -> Numbers:
        """Of the assets; may be reckoned anew each time."""
        ...

    @property
    def entries(self) -> int:
        """How many places there are in which anything was wanted, or no fewer."""
        ...

    def between(self, first: str, last: str) -> Rows:
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
        numbers = Numbers.of(assets)
        return cls(parts, sites, assets, [part.numbers.places_in(numbers) for part in parts])

    @property
    def numbers(self) -> Numbers:
        """See ``AnyDay``."""
        return Numbers.of(self.assets)

    @property
    def entries(self) -> int:
        """See ``AnyDay``."""
        return sum(part.entries for part in self.parts)

    def between(self, first: str, last: str) -> Rows:
        """See ``AnyDay``."""
        low, high = span(self.sites, first, last)
        sites, width = self.sites[low:high], len(self.assets)
        found = [
            _rows(part.between(first, last), sites).moved(places, width)
            for part, places in zip(self.parts, self.places, strict=True)
        ]
        return Rows(sites, weighed(found, np.ones(len(found))))


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
        places: Sequence[NDArray[np.int32]],
        width: int,
        yesterday: int,
        fresh: Sequence[Bools],
    ) -> None:
        """Of these.

        Args:
            days: The first one first.
            factors: What a byte of each day counts.
            places: Of each day, where its assets stand on the shelf; -1: nowhere.
            width: How many assets are on the shelf.
            yesterday: Which day is the last whole one; below 0: none.
            fresh: Of each day, by place on the shelf, whether that was one of the asset's first days.
        """
        self._factors, self._width, self._yesterday, self._fresh = factors, width, yesterday, fresh
        self._days = list(zip(days, places, strict=True))

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
    of_days = [
        (day.starts.tolist(), day.columns, np.floor(day.values * factor))
        for day, factor in zip(days, factors.tolist(), strict=True)
    ]
    columns, values = [np.zeros(0, np.int32)], [np.zeros(0)]
    for begin, end in pairwise(zip(*(begins for begins, _, _ in of_days), strict=True)):
        parts = [slice(*part) for part in zip(begin, end, strict=True)]
        places = np.concatenate([places[part] for (_, places, _), part in zip(of_days, parts, strict=True)])
        wanted = np.concatenate([wanted[part] for (_, _, wanted), part in zip(of_days, parts, strict=True)])
        found, sums = _by_place(places, wanted)
        columns.append(found)
        values.append(sums)
    starts = np.cumsum([len(each) for each in columns])
    return Watched(starts, np.concatenate(columns), np.concatenate(values), days[0].width)


def _by_place(places: NDArray[np.int32], wanted: Floats) -> tuple[NDArray[np.int32], Floats]:
    """Each place once, in rising order, and the sum of what was wanted there; ``places`` are few rising runs.

    Whole numbers are sorted that have the place above and the row below, by merging the runs: it takes half the time of
    adding up in a table of all places, which is nowhere near the processor, and lets other threads go on.
    """
    bits = len(places).bit_length()
    keys = places.astype(np.int64) << bits
    keys |= np.arange(len(places))
    keys.sort(kind="stable")
    ordered = wanted[keys & ((1 << bits) - 1)]
    keys >>= bits
    is_first = np.ones(len(keys), np.bool_)
    np.not_equal(keys[1:], keys[:-1], out=is_first[1:])
    first = np.flatnonzero(is_first)
    sums: Floats = np.add.reduceat(ordered, first) if len(first) else np.zeros(0)
    return keys[first].astype(np.int32), sums


def span(sites: Sequence[str], first: str, last: str) -> tuple[int, int]:
    """Where sites from ``first`` to ``last`` begin and end."""
    low = bisect_left(sites, first)
    return low, max(low, bisect_right(sites, last))


def _rows(day: Rows, sites: Sequence[str]) -> Watched:
    """With a row for each of the sites, among which are the day's."""
    if list(day.sites) == list(sites):
        return day.wanted
    number = {site: row for row, site in enumerate(sites)}
    counts = np.zeros(len(sites), np.int64)
    counts[[number[site] for site in day.sites]] = np.diff(day.wanted.starts)
    starts = np.concatenate([[0], np.cumsum(counts)])
    return Watched(starts, day.wanted.columns, day.wanted.values, day.wanted.width)
