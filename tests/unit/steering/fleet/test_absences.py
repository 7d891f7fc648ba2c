from hypothesis import given
from hypothesis import strategies as st

from oca.common.damping import DAY_S
from steering.fleet.absences import NEVER_AWAY, SETTLE_S_MAX, Absences, come_back


def test_absence_counts_for_nothing_the_first_time_in_a_day() -> None:
    back = come_back(NEVER_AWAY, 5, 10, settle_s=300)
    assert back == Absences(1, 10, 10)
    assert come_back(back, 10 + DAY_S, 11 + DAY_S, settle_s=300) == Absences(1, 11 + DAY_S, 11 + DAY_S)


def test_absences_make_it_wait_ever_longer() -> None:
    held, now, waits = NEVER_AWAY, 0.0, []
    for _ in range(7):
        held = come_back(held, now, now + 5, settle_s=300)
        waits.append(held.settled_at_s - held.back_at_s)
        now = held.settled_at_s + 1
    assert waits == [0, 300, 1200, 4800, 14400, 14400, 14400]


def test_absence_while_it_settles_begins_the_wait_anew_and_is_no_further_one() -> None:
    held = come_back(come_back(NEVER_AWAY, 0, 1, settle_s=300), 2, 3, settle_s=300)
    assert held == Absences(2, 3, 303)
    assert come_back(held, 100, 110, settle_s=300) == Absences(2, 110, 410)


@given(st.lists(st.tuples(st.floats(0, 1e5), st.floats(0, 1e4)), max_size=40), st.floats(0, 3600))
def test_absences_never_wait_longer_than_the_bound(steps: list[tuple[float, float]], settle_s: float) -> None:
    held, now = NEVER_AWAY, 0.0
    for up_s, away_s in steps:
        gone_at_s = now + up_s
        now = gone_at_s + away_s
        held = come_back(held, gone_at_s, now, settle_s=settle_s)
        assert 0 <= held.settled_at_s - now <= SETTLE_S_MAX + 1e-6
        assert settle_s or held.settled_at_s == now
