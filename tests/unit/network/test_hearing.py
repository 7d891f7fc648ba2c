from __future__ import annotations

from typing import Any

from oca.common.routes import PathAttributes
from oca.network.bird_output import HeardRoute, RouteTable, Session
from oca.network.hearing import SETTLED_S, Hearing

HOLD_S = 100.0
ISP, BACKUP = HeardRoute("isp", PathAttributes(as_path="1")), HeardRoute("backup", PathAttributes(as_path="2"))
TABLE: RouteTable = {"45.1.0.0/16": ISP, "45.2.0.0/16": ISP, "45.3.0.0/16": BACKUP}


def session(name: str = "isp", **changes: Any) -> Session:
    plain = Session(name, established=True, state="Established", since="1", neighbour_as="64500", changes=(3,))
    return plain._replace(**changes)


BOTH = [session(), session("backup")]


def settled() -> Hearing:
    """Heard for a while, by instant 10."""
    hearing = Hearing(hold_s=HOLD_S)
    assert hearing.see(BOTH, 0)
    assert not hearing.has_begun()
    assert not hearing.see(BOTH, 1)
    assert hearing.see(BOTH, SETTLED_S)
    assert hearing.has_begun()
    hearing.take(TABLE)
    assert not hearing.see(BOTH, 10)
    return hearing


def test_hearing_reads_only_when_something_moved() -> None:
    hearing = settled()
    assert hearing.see([session(changes=(4,)), BOTH[1]], 11)
    assert not hearing.see([session(changes=(4,)), BOTH[1]], 12)
    assert [one.changes for one in hearing.sessions] == [(4,), (3,)]


def test_hearing_takes_withdrawal_on_standing_session_at_once() -> None:
    hearing = settled()
    hearing.see([session(changes=(4,)), BOTH[1]], 11)
    assert hearing.take({"45.1.0.0/16": ISP}) == {"45.1.0.0/16": ISP}
    assert hearing.kept == 0


def test_hearing_keeps_routes_of_session_that_restarts() -> None:
    hearing = settled()
    down = [session(established=False, state="Active", since="2", changes=()), BOTH[1]]
    assert hearing.see(down, 11)
    assert hearing.take({"45.3.0.0/16": BACKUP}) == TABLE
    assert (hearing.kept, hearing.unsettled()) == (2, ["isp"])
    back = [session(since="3", changes=(1,)), BOTH[1]]
    assert hearing.see(back, 20)
    moved = HeardRoute("isp", PathAttributes(as_path="1 1"))
    assert hearing.take({"45.3.0.0/16": BACKUP, "45.1.0.0/16": moved})["45.1.0.0/16"] is moved
    assert hearing.kept == 1
    assert hearing.see([session(since="3", changes=(2,)), BOTH[1]], 24)
    assert not hearing.see([session(since="3", changes=(2,)), BOTH[1]], 28)
    assert hearing.see([session(since="3", changes=(2,)), BOTH[1]], 29)
    assert hearing.take({"45.1.0.0/16": moved}) == {"45.1.0.0/16": moved}


def test_hearing_keeps_everything_while_bird_restarts() -> None:
    hearing = settled()
    assert not hearing.lost(11)
    assert not hearing.lost(12)
    assert [one.state for one in hearing.sessions] == ["not there", "not there"]
    hearing.see([session(established=False, state="Idle", since="5"), session("backup", established=False)], 15)
    assert hearing.take({}) == TABLE
    hearing.see([session(since="6"), session("backup", since="6")], 20)
    assert hearing.take({}) == TABLE
    assert hearing.see([session(since="6"), session("backup", since="6")], 20 + SETTLED_S)
    assert hearing.take(TABLE) == TABLE
    assert hearing.kept == 0


def test_hearing_gives_up_what_does_not_come_back() -> None:
    hearing = settled()
    assert not hearing.lost(11)
    assert not hearing.lost(10 + HOLD_S)
    assert hearing.lost(11 + HOLD_S)
    assert hearing.take({}) == {}
    down = session(established=False, since="2")
    hearing = settled()
    hearing.see([down, BOTH[1]], 11)
    assert not hearing.see([down, BOTH[1]], 10 + HOLD_S)
    assert hearing.see([down, BOTH[1]], 11 + HOLD_S)
    assert hearing.take({"45.3.0.0/16": BACKUP}) == {"45.3.0.0/16": BACKUP}


def test_hearing_lets_session_go_that_is_taken_out() -> None:
    hearing = settled()
    hearing.see([BOTH[1]], 11)
    assert hearing.take({"45.3.0.0/16": BACKUP}) == TABLE
    assert hearing.see([BOTH[1]], 11 + HOLD_S)
    assert hearing.take({"45.3.0.0/16": BACKUP}) == {"45.3.0.0/16": BACKUP}
    assert [one.name for one in hearing.sessions] == ["backup"]


def test_hearing_begins_once_first_tables_are_whole() -> None:
    hearing = Hearing(hold_s=HOLD_S)
    assert hearing.has_begun()  # no session at all: nothing is to be waited for
    hearing = Hearing(hold_s=HOLD_S)
    hearing.see([session(established=False)], 0)
    assert not hearing.has_begun()
    hearing.see([session(established=False)], HOLD_S)
    assert hearing.has_begun()
    assert hearing.see([session("late")], HOLD_S + 1)
    assert hearing.has_begun()
