from oca.delivery.control import TurnAway, Welcome
from oca.delivery.door import Door
from oca.delivery.miss_settings import OverloadTable


def counted(sends: int) -> dict[str, int]:
    return {"delivery_sends": sends, "delivery_sent_bytes": 0}


def test_door_turns_new_viewers_away_under_overload_and_everyone_once_drained() -> None:
    door = Door(OverloadTable(sends_max=10, answer="not-found"))
    assert not door.observe(lambda: counted(10))
    assert door.message() == Welcome()
    assert door.observe(lambda: counted(11))
    assert door.message() == TurnAway(cause="overload", answer="not-found", everyone=False)
    assert door.overload == "11 responses are on their way, limit 10"
    door.drained = "too-many"
    assert door.message() == TurnAway(cause="drained", answer="too-many", everyone=True)
    door.drained = None
    assert door.observe(lambda: counted(0))
    assert door.message() == Welcome()
    door.take(OverloadTable())
    assert not door.observe(lambda: counted(100))
