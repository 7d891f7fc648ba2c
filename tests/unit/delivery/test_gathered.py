from oca.common.demand import Taken, Wanted
from oca.delivery.control import Tick
from oca.delivery.gathered import SALT_BYTES, Gathered
from oca.delivery.sessions import mark_of


def draw(count: int) -> bytes:
    return b"s" * count


def test_gathered_begins_an_hour_with_another_salt_once() -> None:
    gathered = Gathered()
    salt = gathered.begin_hour(7300.0, draw)
    assert salt is not None
    assert (salt.salt, salt.hour) == (b"s" * SALT_BYTES, 2)
    assert gathered.salt == salt
    assert gathered.begin_hour(10_799.0, draw) is None
    assert gathered.begin_hour(10_800.0, draw) is not None


def test_gathered_sums_what_workers_tell_until_it_is_taken() -> None:
    gathered = Gathered()
    salt = gathered.begin_hour(7300.0, draw)
    assert salt is not None
    marks = [mark_of(salt.salt, "me"), mark_of(salt.salt, "you")]
    tick = Tick(demand=[("a/v", 3, 30)], hour=2, met=[("a/v", marks)], wanted={"/b/1.m4s": Wanted(1)}, dropped=3)
    gathered.add(tick, 1.0)
    gathered.add(tick, 2.0)  # another worker, and the same viewers
    gathered.follow(Taken({"b/v": (1, 10)}, {"b/v": 1}))
    wanted = {"/b/1.m4s": Wanted(2)}
    assert gathered.take() == Taken({"a/v": (6, 60), "b/v": (1, 10)}, {"a/v": 2, "b/v": 1}, wanted, 6)
    assert gathered.take() == Taken()
    assert [each.asset for each in gathered.hot.top(5, 3.0)] == ["a/v"]
