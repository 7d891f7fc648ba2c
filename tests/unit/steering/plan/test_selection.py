import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from steering.plan.best_first import best_first
from steering.plan.selection import candidates, choose

assets = st.lists(st.tuples(st.integers(0, 1000), st.integers(1, 100), st.booleans()), min_size=1, max_size=30)


def arrays(made: list[tuple[int, int, bool]]) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    expected, size, held = zip(*made, strict=True)
    return np.array(expected, float), np.array(size, float), np.array(held)


@given(assets, st.integers(0, 2000), st.floats(0.1, 50), st.floats(0, 500))
def test_choose_never_exceeds_capacity(
    made: list[tuple[int, int, bool]], capacity: int, payback: float, moves: float
) -> None:
    expected, size, held = arrays(made)
    held &= np.cumsum(size * held) <= capacity
    for choice in (
        choose(expected, size, capacity_bytes=capacity),
        choose(expected, size, capacity_bytes=capacity, held=held, payback_days=payback, moves_max_bytes=moves),
    ):
        assert size[choice].sum() <= capacity


@given(assets, st.integers(0, 2000), st.integers(0, 200))
def test_choose_expects_no_less_with_more_capacity(made: list[tuple[int, int, bool]], capacity: int, more: int) -> None:
    expected, size, _ = arrays(made)
    small = choose(expected, size, capacity_bytes=capacity)
    large = choose(expected, size, capacity_bytes=capacity + more)
    assert expected[large].sum() >= expected[small].sum()


@given(assets, st.integers(0, 2000), st.floats(0, 500))
def test_choose_brings_in_no_more_than_allowed_beside_free_space(
    made: list[tuple[int, int, bool]], capacity: int, moves: float
) -> None:
    expected, size, held = arrays(made)
    held &= np.cumsum(size * held) <= capacity
    choice = choose(expected, size, capacity_bytes=capacity, held=held, payback_days=5.0, moves_max_bytes=moves)
    assert size[choice & ~held].sum() <= max(moves, capacity - size[held].sum())


@given(assets, st.integers(0, 2000))
def test_choose_decides_the_same_for_the_same(made: list[tuple[int, int, bool]], capacity: int) -> None:
    expected, size, held = arrays(made)
    first, again = (choose(expected, size, capacity_bytes=capacity, held=held, payback_days=2.0) for _ in range(2))
    assert (first == again).all()


def test_choose_replaces_only_what_pays_for_the_move() -> None:
    expected, size, held = np.array([10.0, 12.0, 40.0]), np.array([10.0, 10.0, 10.0]), np.array([True, False, False])
    kept = choose(expected[:2], size[:2], capacity_bytes=10, held=held[:2], payback_days=2.0)
    assert kept.tolist() == [True, False]
    assert choose(expected, size, capacity_bytes=10, held=held, payback_days=2.0).tolist() == [False, False, True]


def test_choose_fills_the_gap_with_the_most_watched_that_fits() -> None:
    chosen = choose(np.array([90.0, 100.0, 8.0, 9.0]), np.array([6.0, 10.0, 4.0, 6.0]), capacity_bytes=10)
    assert chosen.tolist() == [True, False, True, False]


@pytest.mark.parametrize("kind", ["even", "skewed", "few watched", "two levels"])
@pytest.mark.parametrize("ratio", [0.001, 0.1, 0.9, 2.0])
def test_choice_among_candidates_is_that_of_a_full_sort(kind: str, ratio: float) -> None:
    chance = np.random.default_rng(3)
    size = chance.integers(1, 1000, 30_000).astype(float)
    expected = (
        size
        * {
            "even": chance.integers(1, 50, len(size)),
            "skewed": chance.lognormal(0, 3, len(size)),
            "few watched": (chance.random(len(size)) < 0.001) * 5.0,
            "two levels": np.where(np.arange(len(size)) % (len(size) // 4096) == 0, 9.0, 1.0),
        }[kind]
    )
    capacity = ratio * size.sum()
    density = expected / size
    near = candidates(density, size, capacity_bytes=capacity, held=np.zeros(len(size), np.bool_))
    chosen = np.zeros(len(size), np.bool_)
    chosen[near] = choose(expected[near], size[near], capacity_bytes=capacity)
    watched = np.flatnonzero(density > 0)
    order = watched[np.argsort(-density[watched], kind="stable")]
    prefix = order[: np.searchsorted(np.cumsum(size[order]), capacity, side="right")]
    assert chosen[prefix].all()
    assert chosen.sum() <= len(prefix) + 1
    assert size[chosen].sum() <= capacity


@given(assets, st.integers(0, 2000), st.integers(0, 2000))
def test_candidates_of_more_room_are_never_fewer_and_have_what_is_held(
    made: list[tuple[int, int, bool]], capacity: int, more: int
) -> None:
    expected, size, held = arrays(made)
    few, many = (
        candidates(expected / size, size, capacity_bytes=room, held=held) for room in (capacity, capacity + more)
    )
    assert set(few) <= set(many)
    assert set(np.flatnonzero(held)) <= set(few)
    assert (expected[np.setdiff1d(many, np.flatnonzero(held))] > 0).all()
    left_out = np.setdiff1d(np.flatnonzero(expected > 0), few)
    assert not len(left_out) or size[few].sum() > capacity


def test_choose_leaves_out_what_nobody_is_expected_to_watch() -> None:
    assert choose(np.array([0.0, 1.0]), np.array([1.0, 1.0]), capacity_bytes=10).tolist() == [False, True]


@given(assets, st.integers(0, 2000))
def test_choice_is_that_of_a_full_sort(made: list[tuple[int, int, bool]], capacity: int) -> None:
    expected, size, _ = arrays(made)
    density = expected / size
    watched = np.flatnonzero(density > 0)
    order = watched[best_first(density[watched])]
    count = int(np.searchsorted(np.cumsum(size[order]), capacity, side="right"))
    wanted = order[:count].tolist()
    rest = order[count:][size[order[count:]] <= capacity - size[wanted].sum()]
    wanted += rest[expected[rest].argmax() :][:1].tolist() if len(rest) else []
    assert np.flatnonzero(choose(expected, size, capacity_bytes=capacity)).tolist() == sorted(wanted)
