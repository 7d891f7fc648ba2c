import pytest

from oca.store.scrub_position import Pace, Position, decode, encode

DAY_NS = 86_400 * 10**9


def test_position_goes_through_packs_in_order_and_survives_keeping() -> None:
    position = Position().begun(DAY_NS)
    packs = {7, 2, 9}
    seen = []
    while (number := position.next_of(packs)) is not None:
        seen.append(number)
        position = decode(encode(position.after(number)))
        packs.discard(2)
        packs.add(8)
    assert seen == [2, 7, 8, 9]
    assert position.ended(2 * DAY_NS) == Position(passed_at_ns=2 * DAY_NS)


@pytest.mark.parametrize(
    ("position", "due_in_s"),
    [
        (Position(), 0.0),  # never passed
        (Position(began_at_ns=1, passed_at_ns=DAY_NS), 0.0),  # under way
        (Position(passed_at_ns=9 * DAY_NS), 6 * 86_400.0),
        (Position(passed_at_ns=DAY_NS), 0.0),  # overdue
        (Position(passed_at_ns=11 * DAY_NS), 0.0),  # the clock was set back
    ],
)
def test_position_tells_when_next_pass_is_due(position: Position, due_in_s: float) -> None:
    assert position.due_in_s(7 * 86_400, 10 * DAY_NS) == due_in_s


@pytest.mark.parametrize("raw", [b"", b"{", b'{"next_pack": -1}', b"[]"])
def test_position_that_cannot_be_read_begins_anew(raw: bytes) -> None:
    assert decode(raw) == Position()


def test_pace_keeps_rate_and_catches_up_with_a_second_at_most() -> None:
    pace = Pace(100.0)
    now_s = read = 0.0
    while now_s < 60:
        now_s += pace.wait_s(10, now_s)
        read += 10
    assert read == pytest.approx(6000 + 100, rel=0.02)
    now_s += 1000
    read = 0
    until_s = now_s + 10
    while now_s < until_s:
        now_s += pace.wait_s(10, now_s)
        read += 10
    assert read == pytest.approx(1000 + 100, rel=0.02)
