from oca.delivery.room import ARRIVES_S, LOOKS_MAX, RESTS_S, Room, can_go


class Standing:
    def __init__(self, *, idle: bool) -> None:
        self.idle = idle

    def can_go(self, now_s: float) -> bool:
        return self.idle


def held(*idle: bool) -> dict[Standing, None]:
    return {Standing(idle=each): None for each in idle}


def test_can_go_tells_who_never_asked_from_who_rests() -> None:
    assert not can_go(ARRIVES_S, 0.0, asked=False)
    assert can_go(ARRIVES_S + 0.1, 0.0, asked=False)
    assert not can_go(RESTS_S, 0.0, asked=True)
    assert can_go(RESTS_S + 0.1, 0.0, asked=True)


def test_room_chooses_oldest_that_can_go() -> None:
    connections = held(False, True, True)
    room: Room[Standing] = Room()
    _, second, third = connections
    for expected in (second, third):
        assert room.choose(connections, 0.0) is expected
        del connections[expected]
    assert room.choose(connections, 0.0) is None


def test_room_looks_at_few_and_goes_on_where_it_stopped() -> None:
    connections = held(*[False] * LOOKS_MAX, True)
    room: Room[Standing] = Room()
    assert room.choose(connections, 0.0) is None
    assert room.choose(connections, 0.0) is [*connections][-1]


def test_room_passes_over_those_that_have_ended() -> None:
    connections = held(True, True, True)
    room: Room[Standing] = Room()
    first, second, third = connections
    assert room.choose(connections, 0.0) is first
    del connections[first], connections[second]
    assert room.choose(connections, 0.0) is third


def test_room_begins_anew_when_there_was_room_between() -> None:
    connections = held(True, False, True)
    room: Room[Standing] = Room()
    first = room.choose(connections, 0.0)
    room.forget()
    assert room.choose(connections, 0.0) is first


def test_room_has_none_where_nobody_is() -> None:
    assert Room().choose({}, 0.0) is None
