from __future__ import annotations

from steering.decision.expected import Expected


def test_viewers_count_for_less_as_their_box_comes_to_tell_of_them() -> None:
    expected = Expected()
    assert [expected.send("a", 100.0) for _ in range(4)] == [1, 2, 3, 4]
    assert (expected.viewers("a", 104.9), expected.viewers("b", 104.9)) == (4.0, 0.0)
    assert expected.viewers("a", 105.0) == 2.0
    expected.send("a", 106.0)
    assert expected.viewers("a", 107.0) == 3.0
    assert expected.viewers("a", 110.0) == 0.5
    assert expected.viewers("a", 115.0) == 0.0


def test_viewers_of_long_ago_are_forgotten_at_once() -> None:
    expected = Expected()
    expected.send("a", 100.0)
    assert expected.viewers("a", 110.0) == 0.0
    assert expected.send("a", 110.0) == 1


def test_box_counts_as_sent_to_until_others_are_looked_at_later() -> None:
    expected = Expected()
    assert not expected.has_sent("a")
    expected.send("a", 100.0)
    assert (expected.has_sent("a"), expected.has_sent("b")) == (True, False)
    expected.viewers("b", 106.0)
    assert expected.has_sent("a")
    expected.viewers("b", 112.0)
    assert not expected.has_sent("a")
