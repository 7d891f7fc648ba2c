"""What each cluster watched of each asset or title, kept only where it watched anything. Pure."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
_DENSE_ENTRIES_MAX = 4_000_000
"""Up to here adding up in a dense table is faster than sorting."""


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
        """From entries in any order; those of one place are added up."""
        place = clusters.astype(np.int64) * shape[1] + columns
        if shape[0] * shape[1] <= _DENSE_ENTRIES_MAX:
            return cls.of_dense(np.bincount(place, values, shape[0] * shape[1]).astype(np.float64).reshape(shape))
        order = np.argsort(place, kind="stable")
        place, values = place[order], values[order].astype(np.float64)
        first = np.flatnonzero(np.diff(place, prepend=-1))
        sums = np.add.reduceat(values, first) if len(first) else values
        place = place[first]
        starts = np.searchsorted(place, np.arange(shape[0] + 1, dtype=np.int64) * shape[1])
        return cls(starts, (place % max(shape[1], 1)).astype(np.int32), sums, shape[1])

    @classmethod
    def of_dense(cls, values: Floats) -> Watched:
        """From (clusters, columns)."""
        clusters, columns = np.nonzero(values)
        starts = np.searchsorted(clusters, np.arange(values.shape[0] + 1))
        return cls(starts, columns.astype(np.int32), values[clusters, columns], values.shape[1])

    @property
    def clusters(self) -> int:
        """How many rows there are."""
        return len(self.starts) - 1

    def of(self, cluster: int) -> tuple[NDArray[np.int32], Floats]:
        """Columns and values of one cluster."""
        part = slice(int(self.starts[cluster]), int(self.starts[cluster + 1]))
        return self.columns[part], self.values[part]

    def dense(self) -> Floats:
        """As (clusters, columns)."""
        values = np.zeros((self.clusters, self.width))
        values[self._cluster_of_each(), self.columns] = self.values
        return values

    def by_cluster(self) -> Floats:
        """Sums of the rows."""
        sums: Floats = np.bincount(self._cluster_of_each(), self.values, self.clusters).astype(np.float64)
        return sums

    def by_column(self) -> Floats:
        """Sums of the columns."""
        sums: Floats = np.bincount(self.columns, self.values, self.width).astype(np.float64)
        return sums

    def scaled(self, factors: Floats) -> Watched:
        """Each row times its factor."""
        values: Floats = self.values * np.repeat(factors, np.diff(self.starts))
        return Watched(self.starts, self.columns, values, self.width)

    def grouped(self, group_of: Ints, groups: int) -> Watched:
        """Columns that belong to one group added up; the groups are the new columns."""
        return Watched.of_entries(
            self._cluster_of_each(), group_of[self.columns], self.values, shape=(self.clusters, groups)
        )

    def _cluster_of_each(self) -> Ints:
        return np.repeat(np.arange(self.clusters), np.diff(self.starts))
