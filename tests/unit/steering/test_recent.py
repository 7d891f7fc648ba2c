from __future__ import annotations

from weakref import WeakSet

from hypothesis import given
from hypothesis import strategies as st

from steering.recent import Recent


class _Thing:
    pass


def test_recent_forgets_what_was_not_used_for_long() -> None:
    recent: Recent[str, int] = Recent(2)
    for number, key in enumerate("abc"):
        recent.put(key, number)
    assert (recent.get("a"), recent.get("c"), len(recent)) == (0, 2, 3)
    recent.put("d", 3)
    assert (recent.get("a"), recent.get("b")) == (0, None)
    recent.clear()
    assert (recent.get("a"), len(recent)) == (None, 0)


def test_recent_lets_go_of_what_it_forgets_one_by_one() -> None:
    kept: WeakSet[_Thing] = WeakSet()
    recent: Recent[int, _Thing] = Recent(4)

    def put(number: int) -> int:
        thing = _Thing()
        kept.add(thing)
        recent.put(number, thing)
        return len(kept)

    assert [put(number) for number in range(14)] == [1, 2, 3, 4, 5, 6, 7, 8, 9, 9, 9, 9, 9, 9]
    recent.clear()
    assert not kept


def test_recent_may_lose_the_last_to_another_thread() -> None:
    class Emptied(dict[int, int]):
        """As one is whose last entry goes right after it was seen."""

        def __bool__(self) -> bool:
            return True

    recent: Recent[int, int] = Recent(1)
    recent._keep = 2
    recent._forgotten = Emptied()
    recent.put(1, 1)
    assert recent.get(1) == 1


@given(st.integers(1, 5), st.lists(st.tuples(st.booleans(), st.integers(0, 9))))
def test_recent_is_bounded_and_keeps_the_last_used(keep: int, uses: list[tuple[bool, int]]) -> None:
    recent: Recent[int, int] = Recent(keep)
    order: list[int] = []
    for puts, key in uses:
        if puts:
            recent.put(key, key)
        elif recent.get(key) is None:
            continue
        order = [*(other for other in order if other != key), key]
        assert len(recent) <= 2 * keep
        for used in order[-keep:]:
            assert used in recent._young or used in recent._old
    assert all(recent.get(key) == key for key in order[-keep:])
