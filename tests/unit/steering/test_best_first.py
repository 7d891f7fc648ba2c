from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from steering.best_first import best_first


@given(st.lists(st.sampled_from([0.0, 1e-300, 1e-9, 0.1, 0.5, 1.0, 1.0000001, 3.0, 1e9, 1e300]), max_size=70))
def test_best_first_is_a_stable_sort_of_the_largest_first(values: list[float]) -> None:
    made = np.array(values)
    assert best_first(made).tolist() == np.argsort(-made, kind="stable").tolist()


def test_best_first_takes_nearly_equal_values_as_they_stand() -> None:
    many = np.full(100_000, 1.0)
    many[-1] = np.nextafter(1.0, 2.0)
    assert best_first(many).tolist() == list(range(100_000))
