from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from steering.tokens import Token, shared_until_s

MOUNTS, INSTANTS = st.text(max_size=20), st.floats(0, 4e9)


@given(MOUNTS, INSTANTS, st.floats(0.25, 300))
def test_token_is_shared_for_a_while_and_no_longer(mount: str, at_s: float, shared_s: float) -> None:
    until_s = shared_until_s(mount, at_s, shared_s)
    assert -1e-6 <= until_s - at_s <= shared_s + 1e-6  # a float of this century counts in 5e-7 s


@given(MOUNTS, INSTANTS, INSTANTS)
def test_times_of_a_title_are_the_same_whoever_makes_its_token(mount: str, at_s: float, later_s: float) -> None:
    until_s = shared_until_s(mount, at_s, 300.0)
    assert (until_s - shared_until_s(mount, later_s, 300.0)) % 300 == 0
    assert shared_until_s(mount, until_s - 1, 300.0) == until_s
    assert shared_until_s(mount, until_s, 300.0) == until_s + 300


def test_titles_have_times_of_their_own() -> None:
    until_s = [shared_until_s(f"/title-{number}", 1e9, 300.0) for number in range(3000)]
    assert max(until_s.count(at_s) for at_s in set(until_s)) <= 30  # ten on average


def test_token_is_given_to_nobody_where_the_clock_was_set_back() -> None:
    token = Token("key", None, "/t/token", shared_until_s=1000.0, ends_s=2000)
    assert [token.is_shared(at_s, 300.0) for at_s in (699.9, 700.0, 999.9, 1000.0, 5000.0)] == [
        False,
        True,
        True,
        False,
        False,
    ]
