import random

import pytest

import oca.delivery.sessions as sessions_module
from oca.delivery.sessions import REGISTERS, Sessions, household, mark_of

SALT = b"salt"


def marks(count: int, salt: bytes = SALT) -> list[int]:
    return [mark_of(salt, f"session {number}") for number in range(count)]


@pytest.mark.parametrize("count", [1, 2, 10, 100, 1000, 20_000])
def test_sessions_are_estimated_within_a_few_per_cent(count: int) -> None:
    counted = Sessions(5).meet(5, [("a/v", marks(count))])["a/v"]
    assert abs(counted - count) <= max(0.15 * count, 0.5)  # four times the error that is told of


def test_sessions_count_once_whatever_the_order_and_the_worker() -> None:
    once, often = Sessions(5), Sessions(5)
    told = marks(300)
    expected = once.meet(5, [("a/v", told)])["a/v"]
    shuffled = [*told, *told]
    random.Random(1).shuffle(shuffled)
    counted = sum(often.meet(5, [("a/v", shuffled[at : at + 50])]).get("a/v", 0) for at in range(0, 600, 50))
    assert abs(counted - expected) <= 45  # of the same marks in another order, so by another way to the same sketch
    assert often.meet(5, [("a/v", told)]) == {}


def test_sessions_of_assets_are_apart_and_begin_anew_each_hour() -> None:
    sessions = Sessions(5)
    assert sessions.meet(5, [("a/v", marks(3)), ("b/v", marks(2))]) == {"a/v": 3, "b/v": 2}
    sessions.begin(6)
    assert sessions.meet(5, [("a/v", marks(3))]) == {}  # by the key that is gone
    assert sessions.meet(6, [("a/v", marks(3, b"another"))]) == {"a/v": 3}


def test_sessions_are_counted_of_so_many_assets(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sessions_module, "SKETCHES_MAX", 1)
    assert Sessions(5).meet(5, [("a/v", marks(3)), ("b/v", marks(2))]) == {"a/v": 3}


def test_mark_is_of_its_key_and_tells_15_bits() -> None:
    assert mark_of(b"one", "me") != mark_of(b"other", "me")
    made = marks(5000)
    assert all(0 <= mark >> 6 < REGISTERS and 1 <= mark & 63 <= 56 for mark in made)
    assert max(made) < 2**15


@pytest.mark.parametrize(
    ("address", "stands"),
    [
        ("192.0.2.7", "192.0.2.7"),
        ("::ffff:192.0.2.7", "192.0.2.7"),
        ("2001:db8:1:2:3:4:5:6", "20010db800010002"),
        ("2001:db8:1:2:ffff::1", "20010db800010002"),
        ("fe80::1%eth0", "fe80000000000000"),
    ],
)
def test_household_is_an_address_or_a_network_of_one_line(address: str, stands: str) -> None:
    assert household(address) == stands
