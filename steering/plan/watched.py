"""What each cluster watched of each asset or title, kept only where it watched anything. Pure.

What is made of all clusters at once is made some clusters after the others: a large fleet has more entries than fit in
memory several times over.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Any, Protocol

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
    def joined(cls, parts: Iterable[Watched], *, entries_max: int, width: int) -> Watched:
        """The clusters of one part after those of another; they have no more than so many entries."""
        joining = Joining(entries_max=entries_max, width=width)
        for part in parts:
            joining.add(part)
        return joining.whole()

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
            begin, end = int(self.starts[first]), int(self.starts[last])
            part = self.values[begin:end]
            if among is not None:
                part = part * among[self.columns[begin:end]]
            some = np.flatnonzero(np.diff(self.starts[first : last + 1]))
            if len(some):
                sums[first + some] = np.add.reduceat(part, self.starts[first + some] - begin)
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
        joining = Joining(entries_max=len(self.values), width=groups)
        for first, last in self._blocks():
            part = slice(int(self.starts[first]), int(self.starts[last]))
            clusters, columns = self._cluster_of_each(first, last), group_of[self.columns[part]]
            joining.add(Watched.of_entries(clusters, columns, self.values[part], shape=(last - first, groups)))
        return joining.whole()

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


class Making(Protocol):
    """A column in the making, of a kind and of no more than so many values."""

    def append(self, values: NDArray[Any]) -> None:
        """The next ones."""

    def whole(self) -> NDArray[Any]:
        """All of them."""


class Column:
    """In memory of its own, of which what is not filled takes none."""

    def __init__(self, count_max: int, kind: type[np.generic]) -> None:
        self._values, self._count = np.empty(count_max, kind), 0

    def append(self, values: NDArray[Any]) -> None:
        """See ``Making``."""
        begin, self._count = self._count, self._count + len(values)
        self._values[begin : self._count] = values

    def whole(self) -> NDArray[Any]:
        """See ``Making``."""
        return self._values[: self._count]


ColumnOf = Callable[[int, type[np.generic]], Making]


class Joining:
    """Puts the clusters of one part after those of another, each as it comes: so all are not in memory twice."""

    def __init__(self, *, entries_max: int, width: int, column: ColumnOf = Column) -> None:
        """Have room for as many entries as may come."""
        self._columns, self._values = column(entries_max, np.int32), column(entries_max, np.float64)
        self._starts, self._end, self._width = [np.zeros(1, np.int64)], 0, width

    def add(self, part: Watched) -> None:
        """The next clusters."""
        self._columns.append(part.columns)
        self._values.append(part.values)
        self._starts.append(part.starts[1:] + self._end)
        self._end += len(part.values)

    def whole(self) -> Watched:
        """All that came."""
        return Watched(np.concatenate(self._starts), self._columns.whole(), self._values.whole(), self._width)
