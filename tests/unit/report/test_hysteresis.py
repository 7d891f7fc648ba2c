from collections.abc import Callable, Iterator
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from oca.report.hysteresis import Damper, Side
from oca.report.signs import high

DAY_S = 86400


def damper(hold_s: float = 15, release_s: float = 60, release_s_max: float = 14400) -> Damper:
    return Damper(hold_s=hold_s, release_s=release_s, release_s_max=release_s_max)


def script(one: Damper, steps: list[tuple[float, Side, bool]]) -> None:
    for now, side, is_on in steps:
        assert one.observe(now, side) is is_on, now


def test_damper_counts_what_lasts_and_ends_what_is_gone() -> None:
    script(
        damper(),
        [
            (0, "bad", False),
            (14, "bad", False),
            (15, "bad", True),
            (16, "good", True),
            (75, "good", True),
            (76, "good", False),
        ],
    )


def test_damper_begins_anew_at_each_break() -> None:
    script(
        damper(),
        [
            (0, "bad", False),
            (14, "between", False),
            (15, "bad", False),
            (29, "bad", False),
            (30, "bad", True),
            (31, "good", True),
            (90, "between", True),
            (91, "good", True),
            (150, "good", True),
            (151, "good", False),
        ],
    )


def test_damper_lets_go_of_what_returns_ever_later() -> None:
    one, now, releases = damper(hold_s=0), 0.0, []
    for _ in range(6):
        one.observe(now, "bad")
        releases.append(one.release_s)
        one.observe(now + 1, "good")
        assert one.good_s(now + 11) == 10
        now += 1 + one.release_s
        assert not one.observe(now, "good")
    assert releases == [60, 240, 960, 3840, 14400, 14400]
    assert not one.is_forgettable(now)
    assert one.is_forgettable(now + DAY_S)
    assert one.observe(now + DAY_S, "bad")
    assert one.release_s == 60
    assert not one.is_forgettable(now + 3 * DAY_S)


def test_damper_takes_fault_at_once() -> None:
    one = damper(hold_s=0, release_s=2, release_s_max=60)
    script(one, [(0, "bad", True), (0.5, "good", True), (2.5, "good", False)])
    assert one.good_s(0) <= 0
    one.observe(3, "bad")
    assert one.good_s(3) == 0


def white(dice: Random) -> Iterator[float]:
    while True:
        yield dice.gauss(0, 1)


def slow(correlation_s: float) -> Callable[[Random], Iterator[float]]:
    """Noise that wanders: what is high now is so a while longer."""

    def wander(dice: Random) -> Iterator[float]:
        keep = 1 - 1 / correlation_s
        value, fresh = 0.0, (1 - keep * keep) ** 0.5
        while True:
            value = keep * value + fresh * dice.gauss(0, 1)
            yield value

    return wander


def bursts(dice: Random) -> Iterator[float]:
    while True:
        level = dice.choice((-1.5, 1.5))
        yield from (level for _ in range(dice.randrange(1, 30)))


@pytest.mark.parametrize("noise", [white, slow(10), slow(60), slow(600), bursts])
@pytest.mark.parametrize(("enter", "leave", "sigma"), [(0.01, 0.005, 0.001), (0.95, 0.85, 0.03), (5.0, 2.0, 1.0)])
def test_damper_flaps_once_at_most_in_a_day_of_noise_at_the_threshold(
    noise: Callable[[Random], Iterator[float]], enter: float, leave: float, sigma: float
) -> None:
    """Of errors, CPU and the clock, by the defaults; a flap: it ends and is there again."""
    one, source, begins, was_on = damper(), noise(Random(5)), 0, False
    for now in range(DAY_S):
        is_on = one.observe(now, high(enter + sigma * next(source), enter, leave))
        begins += is_on and not was_on
        was_on = is_on
    assert begins <= 2


@given(st.lists(st.tuples(st.floats(0.1, 500), st.sampled_from(["bad", "between", "good"])), max_size=80))
def test_damper_never_ends_sooner_than_its_release(steps: list[tuple[float, Side]]) -> None:
    one, now, changed_at, was_on = damper(), 0.0, -1e9, False
    for elapsed, side in steps:
        now += elapsed
        is_on = one.observe(now, side)
        if was_on and not is_on:
            assert now - changed_at >= 60
        if is_on != was_on:
            changed_at, was_on = now, is_on
