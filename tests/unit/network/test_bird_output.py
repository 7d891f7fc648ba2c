from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from oca.common.errors import OcaError
from oca.common.routes import PathAttributes
from oca.network.bird_output import (
    PENDING_BYTES_MAX,
    RouteReply,
    Session,
    at_end,
    read_attributes,
    read_sessions,
    refuse_fault,
)
from tests.unit.network.bird_said import FAULT, NO_ROUTES, ROUTES, SESSIONS

FIRST = PathAttributes(
    as_path="64500 64510 64511",
    local_pref=200,
    origin="IGP",
    med=5,
    next_hop="10.9.0.1",
    communities="64500:77 64500:78 64500:1:2",
)
OTHER = PathAttributes(origin="Incomplete", next_hop="10.9.0.1")


def read(reply: bytes, *, step: int = 10**6) -> RouteReply:
    made = RouteReply({}, routes_max=100)
    ends = [made.feed(reply[start : start + step]) for start in range(0, len(reply), step)]
    assert ends == [False] * (len(ends) - 1) + [True]
    return made


@pytest.mark.parametrize("step", [1, 3, 7, 64, 10**6])
def test_reply_is_read_however_it_arrives(step: int) -> None:
    table = read(ROUTES, step=step).table
    assert {prefix: (route.session, route.attributes) for prefix, route in table.items()} == {
        "45.10.0.0/16": ("isp", FIRST),
        "45.11.0.0/16": ("isp", OTHER),
        "45.12.0.0/16": ("isp", OTHER),
    }
    assert table["45.11.0.0/16"] is table["45.12.0.0/16"]
    assert read(NO_ROUTES, step=step).table == {}


def test_reply_gives_routes_that_are_known_again() -> None:
    before = read(ROUTES)
    again = RouteReply(before.seen, routes_max=100)
    again.feed(ROUTES)
    assert all(again.table[prefix] is route for prefix, route in before.table.items())


def test_reply_is_bounded_and_must_be_birds() -> None:
    with pytest.raises(OcaError, match="more than 2 routes"):
        RouteReply({}, routes_max=2).feed(ROUTES)
    with pytest.raises(OcaError, match="not BIRD 2"):
        RouteReply({}, routes_max=2).feed(b"x" * (PENDING_BYTES_MAX + 1))
    with pytest.raises(OcaError, match="BIRD answered 9001 syntax error") as told:
        RouteReply({}, routes_max=2).feed(FAULT)
    assert told.value.remedy == "check [routes] tables against bird.conf"
    with pytest.raises(OcaError, match="8007 Access denied") as told:
        refuse_fault(b"\n8007 Access denied\n")
    assert told.value.remedy == "see BIRD's log"
    refuse_fault(SESSIONS)


def test_end_of_reply_is_its_last_code() -> None:
    assert at_end(SESSIONS)
    assert at_end(FAULT)
    assert not at_end(SESSIONS[:-1])
    assert not at_end(b"1002-isp BGP\n")


@given(st.binary(max_size=300))
def test_reply_takes_any_bytes_or_refuses_them(noise: bytes) -> None:
    made = RouteReply({}, routes_max=100)
    try:
        made.feed(b"1007-Table x:\n 45.10.0.0/16 u [isp] *\n1012-" + noise + b"\n0000 \n")
    except OcaError:
        return
    read_sessions(noise)


def test_attributes_out_of_bounds_are_cut() -> None:
    block = b"\n1012-\tBGP.origin: strange\n \tBGP.med: 99999999999\n \tBGP.local_pref: -1\n \tBGP.as_path: "
    found = read_attributes(block + b"64500 " * 1000 + b"\n \tBGP.community: " + b"(1,2) " * 3000)
    assert (found.origin, found.med, found.local_pref) == ("Incomplete", 2**32 - 1, 0)
    assert (len(found.as_path), len(found.communities)) == (2000, 4000)


def test_sessions_tell_what_moved() -> None:
    assert read_sessions(SESSIONS) == [
        Session(
            "isp", established=True, state="Established", since="07:47:26.662", neighbour_as="64500", changes=(2, 1)
        ),
        Session(
            "backup",
            established=False,
            state="Active        Socket: Connection refused",
            since="2026-11-26",
            neighbour_as="64501",
            changes=(),
        ),
    ]
    assert read_sessions(b"0000 \n") == []
