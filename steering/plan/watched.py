"""What each cluster watched of each asset or title, kept only where it watched anything. Pure.

What is made of all clusters at once is made some clusters after the others: a large fleet has more entries than fit in
memory several times over.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Bools = NDArray[np.bool_]
_DENSE_ENTRIES_MAX = 4_000_000
"""Up to here adding up in a dense table is faster than sorting."""
_BLOCK_ENTRIES = 2_000_000


@dataclass(frozen=True, slots=True)
class Watched:
    """A sparse matrix by rows (CSR): cluster ``c`` has ``values[starts[c]:starts[c + 1]]`` in ``columns`` of the same
    places, in rising order.
    """

    starts: Ints
    columns: NDArray[np.int32]
    values: Floats
    width: int

    @classmethod
    def of_entries(
        cls, clusters: NDArray[np.integer], columns: NDArray[np.integer], values: Floats, *, shape: tuple[int, int]
    ) -> Watched:
        """From entries in any order; those of one place are added up, and are whole numbers if that is to be exact.

        A place of which the sum is 0 has no entry.
        """
        place = clusters.astype(np.int64) * shape[1] + columns
        if shape[0] * shape[1] <= _DENSE_ENTRIES_MAX:
            return cls.of_dense(np.bincount(place, values, shape[0] * shape[1]).astype(np.float64).reshape(shape))
        order = np.argsort(place)
        place, values = place[order], values[order].astype(np.float64)
        first = np.flatnonzero(np.diff(place, prepend=-1))
        if len(first) < len(place):
            values, place = np.add.reduceat(values, first), place[first]
        if not values.all():
            values, place = values[values != 0], place[values != 0]
        starts = np.searchsorted(place, np.arange(shape[0] + 1, dtype=np.int64) * shape[1])
        return cls(starts, (place % max(shape[1], 1)).astype(np.int32), values, shape[1])

    @classmethod
    def of_dense(cls, values: Floats) -> Watched:
        """From (clusters, columns)."""
        clusters, columns = np.nonzero(values)
        starts = np.searchsorted(clusters, np.arange(values.shape[0] + 1))
        return cls(starts, columns.astype(np.int32), values[clusters, columns], values.shape[1])

    @classmethod
    def joined(cls, parts: Sequence[Watched], *, width: int) -> Watched:
        """The clusters of one part after those of another."""
        return cls.drained(deque(parts), width=width)

    @classmethod
    def drained(cls, parts: deque[Watched], *, width: int) -> Watched:
        """As ``joined``; takes each part out of ``parts`` as it is copied, so that all are not in memory twice."""
        ends = np.cumsum([0, *(len(part.values) for part in parts)])
        starts = [part.starts[:-1] + end for part, end in zip(parts, ends[:-1], strict=True)]
        columns, values = np.empty(ends[-1], np.int32), np.empty(ends[-1])
        for begin, end in pairwise(ends.tolist()):
            part = parts.popleft()
            columns[begin:end], values[begin:end] = part.columns, part.values
        return cls(np.concatenate([*starts, ends[-1:]]).astype(np.int64), columns, values, width)

    @property
    def clusters(self) -> int:
        """How many rows there are."""
        return len(self.starts) - 1

    def of(self, cluster: int) -> tuple[NDArray[np.int32], Floats]:
        """Columns and values of one cluster."""
        part = slice(int(self.starts[cluster]), int(self.starts[cluster + 1]))
        return self.columns[part], self.values[part]

    def rows(self, first: int, last: int) -> Watched:
        """The clusters from ``first`` to the one before ``last``."""
        part = slice(int(self.starts[first]), int(self.starts[last]))
        starts = self.starts[first : last + 1] - self.starts[first]
        return Watched(starts, self.columns[part], self.values[part], self.width)

    def moved(self, places: NDArray[np.int32], width: int) -> Watched:
        """With each column in its place among so many, which keep their order; those with a place below 0 left out."""
        columns = places[self.columns]
        there = columns >= 0
        if there.all():
            return Watched(self.starts, columns, self.values, width)
        ends = np.concatenate([[0], np.cumsum(there)])
        return Watched(ends[self.starts], columns[there], self.values[there], width)

    def dense(self) -> Floats:
        """As (clusters, columns)."""
        values = np.zeros((self.clusters, self.width))
        values[self._cluster_of_each(0, self.clusters), self.columns] = self.values
        return values

    def by_cluster(self, among: Bools | None = None) -> Floats:
        """Sums of the rows, of those columns that are ``among`` them."""
        sums = np.zeros(self.clusters)
        for first, last in self._blocks():
            some = slice(int(self.starts[first]), int(self.starts[last]))
            part = self.values[some] if among is None else self.values[some] * among[self.columns[some]]
            sums[first:last] = np.bincount(self._cluster_of_each(first, last), part, last - first)
        return sums

    def by_column(self) -> Floats:
        """Sums of the columns."""
        sums = np.zeros(self.width)
        for cluster in range(self.clusters):
            columns, values = self.of(cluster)
            sums[columns] += values
        return sums

    def scaled(self, factors: Floats) -> Watched:
        """Each row times its factor."""
        values: Floats = self.values * np.repeat(factors, np.diff(self.starts))
        return Watched(self.starts, self.columns, values, self.width)

    def grouped(self, group_of: Ints, groups: int) -> Watched:
        """Columns that belong to one group added up; the groups are the new columns."""
        parts = []
        for first, last in self._blocks():
            part = slice(int(self.starts[first]), int(self.starts[last]))
            clusters, columns = self._cluster_of_each(first, last), group_of[self.columns[part]]
            parts.append(Watched.of_entries(clusters, columns, self.values[part], shape=(last - first, groups)))
        return Watched.joined(parts, width=groups)

    def _blocks(self) -> Iterator[tuple[int, int]]:
        """First cluster and the one behind the last of some that have no more than so many entries, or of one."""
        first = 0
        while first < self.clusters:
            fits = int(np.searchsorted(self.starts, self.starts[first] + _BLOCK_ENTRIES, side="right")) - 1
            last = min(max(fits, first + 1), self.clusters)
            yield first, last
            first = last

    def _cluster_of_each(self, first: int, last: int) -> Ints:
        """Of the entries of these clusters, counted from the first of them."""
        return np.repeat(np.arange(last - first), np.diff(self.starts[first : last + 1]))
