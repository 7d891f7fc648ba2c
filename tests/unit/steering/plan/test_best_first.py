from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from steering.plan.best_first import best_first, cut, steps_of


@given(st.lists(st.sampled_from([0.0, 1e-300, 1e-9, 0.1, 0.5, 1.0, 1.0000001, 3.0, 1e9, 1e300]), max_size=70))
def test_best_first_is_a_stable_sort_of_the_largest_first(values: list[float]) -> None:
    made = np.array(values)
    assert best_first(made).tolist() == np.argsort(-made, kind="stable").tolist()


def test_best_first_takes_nearly_equal_values_as_they_stand() -> None:
    many = np.full(100_000, 1.0)
    many[-1] = np.nextafter(1.0, 2.0)
    assert best_first(many).tolist() == list(range(100_000))


VALUES = st.lists(st.integers(0, 40), min_size=1, max_size=60)


@given(VALUES, st.randoms(use_true_random=False))
def test_best_first_takes_a_guess_only_if_it_is_right(values: list[int], chance: object) -> None:
    made = np.array(values, float)
    wanted = best_first(made).tolist()
    guess = list(range(len(values)))
    chance.shuffle(guess)  # type: ignore[attr-defined]
    for guessed in (guess, wanted, list(range(len(values)))):
        assert best_first(made, guess=np.array(guessed)).tolist() == wanted


def test_best_first_of_some_has_them_as_they_stand_among_all() -> None:
    """What counts as equal among a million counts as equal among two of them."""
    some = np.array([1.0, 1.0 + 2.0**-34])
    assert best_first(some).tolist() == [1, 0]
    assert best_first(some, among=2**20).tolist() == [0, 1]


@given(VALUES, st.integers(0, 300))
def test_cut_is_the_step_that_has_no_room_whole(values: list[int], room: int) -> None:
    made = np.array(values, float)
    steps, sizes = steps_of(made), made + 1
    assert (np.diff(steps[np.argsort(made, kind="stable")]) >= 0).all()
    last = cut(steps, sizes, room)
    assert sizes[steps > last].sum() <= room
    assert last == -1 or sizes[steps >= last].sum() > room
    assert cut(np.zeros(0, np.int64), np.zeros(0), room) == -1
