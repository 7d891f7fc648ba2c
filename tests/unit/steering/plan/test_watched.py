from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from steering.plan.watched import Watched

ENTRIES = st.lists(st.tuples(st.integers(0, 3), st.integers(0, 4), st.integers(1, 1000)), max_size=30)


def dense(entries: list[tuple[int, int, int]]) -> np.ndarray:
    values = np.zeros((4, 5))
    for cluster, column, value in entries:
        values[cluster, column] += value
    return values


def watched(entries: list[tuple[int, int, int]]) -> Watched:
    clusters, columns, values = np.array(entries, np.int64).reshape(-1, 3).T
    return Watched.of_entries(clusters, columns, values.astype(float), shape=(4, 5))


@given(ENTRIES)
def test_watched_has_the_sums_of_its_dense_form(entries: list[tuple[int, int, int]]) -> None:
    made, full = watched(entries), dense(entries)
    assert (made.dense() == full).all()
    assert (Watched.of_dense(full).dense() == full).all()
    assert (made.by_cluster() == full.sum(axis=1)).all()
    assert (made.by_column() == full.sum(axis=0)).all()
    for cluster in range(4):
        columns, values = made.of(cluster)
        assert (np.diff(columns) > 0).all()
        assert (full[cluster, columns] == values).all()


@given(st.lists(st.tuples(st.integers(0, 3), st.integers(0, 4), st.integers(0, 2)), max_size=30))
def test_watched_of_many_is_that_of_few_without_zeros(entries: list[tuple[int, int, int]]) -> None:
    few = watched(entries)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("steering.plan.watched._DENSE_ENTRIES_MAX", 0)
        many = watched(entries)
    assert (many.dense() == dense(entries)).all()
    assert many.values.all()
    assert [part.tolist() for part in (many.starts, many.columns, many.values)] == [
        part.tolist() for part in (few.starts, few.columns, few.values)
    ]


@given(ENTRIES)
def test_watched_scales_rows_and_groups_columns(entries: list[tuple[int, int, int]]) -> None:
    made, full = watched(entries), dense(entries)
    factors, groups = np.array([1.0, 0.0, 2.0, 0.5]), np.array([0, 1, 0, 1, 2])
    assert (made.scaled(factors).dense() == full * factors[:, None]).all()
    grouped = np.stack([full[:, groups == group].sum(axis=1) for group in range(3)], axis=1)
    assert (made.grouped(groups, 3).dense() == grouped).all()


@given(ENTRIES)
def test_watched_is_its_rows_joined(entries: list[tuple[int, int, int]]) -> None:
    made = watched(entries)
    parts = [made.rows(first, last) for first, last in ((0, 1), (1, 1), (1, 3), (3, 4))]
    found = Watched.joined(parts, entries_max=len(made.values) + 3, width=5)
    for one, other in ((found.starts, made.starts), (found.columns, made.columns), (found.values, made.values)):
        assert (one.dtype, one.tolist()) == (other.dtype, other.tolist())


def test_watched_of_nothing_is_empty() -> None:
    made = Watched.of_dense(np.zeros((2, 0)))
    assert (made.clusters, made.dense().shape, made.by_cluster().tolist()) == (2, (2, 0), [0.0, 0.0])


@given(ENTRIES)
def test_watched_takes_rows_and_moves_columns(entries: list[tuple[int, int, int]]) -> None:
    made, full = watched(entries), dense(entries)
    assert (made.rows(1, 3).dense() == full[1:3]).all()
    among = np.array([True, False, True, False, True])
    assert (made.by_cluster(among) == full[:, among].sum(axis=1)).all()
    for places in ([0, 2, 3, 4, 6], [-1, 0, -1, 5, -1], [-1] * 5):
        moved = np.zeros((4, 7))
        for column, place in enumerate(places):
            if place >= 0:
                moved[:, place] = full[:, column]
        assert (made.moved(np.array(places, np.int32), 7).dense() == moved).all()
