from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from steering.decision.address import Trust
from steering.trust.crowd import Crowd


def test_crowd_counts_a_household_as_one() -> None:
    crowd = Crowd(2, Trust(("198.51.100.0/24",)))
    assert [crowd.enter(f"2001:db8:0:1::{number}") for number in range(3)] == [True, True, False]
    assert crowd.enter("2001:db8:0:2::1")
    assert [crowd.enter("::ffff:192.0.2.1"), crowd.enter("192.0.2.1"), crowd.enter("192.0.2.1")] == [True, True, False]
    assert all(crowd.enter("198.51.100.7") for _ in range(10))
    assert all(crowd.enter("") for _ in range(10))  # a connection that is gone already has no address


@given(st.lists(st.tuples(st.booleans(), st.sampled_from(["192.0.2.1", "192.0.2.2", "2001:db8::1"])), max_size=60))
def test_crowd_forgets_whoever_has_left(steps: list[tuple[bool, str]]) -> None:
    crowd, inside = Crowd(3, Trust(())), list[str]()
    for enters, peer in steps:
        if enters:
            assert crowd.enter(peer) is (inside.count(peer) < 3)
            inside += [peer] if inside.count(peer) < 3 else []
        elif peer in inside:
            inside.remove(peer)
            crowd.leave(peer)
    assert sum(crowd._open.values()) == len(inside)
    for peer in inside:
        crowd.leave(peer)
    assert not crowd._open
