"""Misses and viewers turned away, as they are answered over a socket."""

from pathlib import Path
from typing import Any

import pytest

from oca.common.demand import Wanted
from oca.delivery.control import TurnAway
from oca.delivery.miss_settings import MissTable
from tests.unit.delivery.bench import CONTENT, Bench, Benches, read_reply

GET = b"GET %b HTTP/1.1\r\nHost: a\r\n\r\n"
FALLBACK = "http://next.example"
REDIRECT = MissTable(policy="redirect", fallback_url=FALLBACK)
OVERLOAD = TurnAway(cause="overload", answer="too-many", everyone=False)


async def test_misses_are_counted_by_class_and_answered(benches: Benches) -> None:
    bench = benches()
    reader, writer = await bench.connect()
    writer.write(GET % b"/h/none" + b"OPTIONS /h/none HTTP/1.1\r\nHost: a\r\n\r\n")
    assert [(await read_reply(reader))[0] for _ in range(2)] == [404, 204]
    assert bench.count("delivery_misses:content") == 1
    bench.service.lookup.spoil("harbour/v", "a test")
    writer.write(GET % b"/h/small.m3u8" + b"HEAD /h/small.m3u8 HTTP/1.1\r\nHost: a\r\n\r\n")
    assert (await read_reply(reader))[0] == 404
    assert (await read_reply(reader, bodiless=True))[0] == 404
    assert (bench.count("delivery_misses:content"), bench.count("delivery_misses:health")) == (1, 2)


async def test_misses_are_redirected_and_hits_are_not(benches: Benches) -> None:
    bench = benches(miss=REDIRECT)
    reader, writer = await bench.connect()
    writer.write(GET % b"/h/none.m4s?a=1" + GET % b"/h/small.m3u8")
    status, fields, _ = await read_reply(reader)
    assert (status, fields["Location"]) == (302, f"{FALLBACK}/h/none.m4s?a=1&oca-redirected")
    assert fields["Access-Control-Allow-Origin"] == "*"
    assert (await read_reply(reader))[2] == CONTENT["small.m3u8"]
    assert redirects(bench) == {"content": 1}


async def test_demand_for_what_is_not_held_is_counted_by_what_became_of_it(benches: Benches) -> None:
    refusing, sending = benches(), benches(miss=REDIRECT)
    for bench, query in ((refusing, b""), (sending, b"?a=1"), (sending, b"?a=1&oca-redirected")):
        reader, writer = await bench.connect()
        writer.write(GET % (b"/h/none.m4s" + query))
        await read_reply(reader)
    assert refusing.service.demand.take_wanted() == {"/h/none.m4s": Wanted(missed=1)}
    assert sending.service.demand.take_wanted() == {"/h/none.m4s": Wanted(redirected=1)}  # whom a box sent it counted


async def test_demand_tells_the_length_of_a_part_that_was_asked_for_and_is_not_held(benches: Benches) -> None:
    bench = benches(miss=REDIRECT)
    reader, writer = await bench.connect()
    for part in (b"bytes=10-19", b"bytes=0-", b"bytes=-5", b"lines=1-2"):
        writer.write(b"GET /h/none.mp4 HTTP/1.1\r\nHost: a\r\nRange: %b\r\n\r\n" % part)
        assert (await read_reply(reader))[0] == 302
    assert bench.service.demand.take_wanted() == {"/h/none.mp4": Wanted(redirected=4, ranges=2, range_bytes=15)}


def redirects(bench: Bench) -> dict[str, int]:
    """Viewers who were sent on, by cause."""
    counts = {
        cause: bench.count(f"delivery_redirects:{cause}") for cause in ("content", "health", "overload", "drained")
    }
    return {cause: count for cause, count in counts.items() if count}


async def test_what_no_viewer_misses_is_no_demand(benches: Benches) -> None:
    bench = benches()
    reader, writer = await bench.connect()
    fill = b"GET /h/none HTTP/1.1\r\nHost: a\r\nUser-Agent: oca-fill/1\r\n\r\n"
    for request in (fill, b"HEAD /h/none HTTP/1.1\r\nHost: a\r\n\r\n", GET % b"/h/a%20b"):
        writer.write(request)
        assert (await read_reply(reader, bodiless=request.startswith(b"HEAD")))[0] == 404
    bench.service.lookup.spoil("harbour/v", "a test")
    writer.write(GET % b"/h/small.m3u8")  # held, and its device fails
    assert (await read_reply(reader))[0] == 404
    assert bench.service.demand.take_wanted() == {}


async def test_misses_of_failing_store_are_answered_by_policy(benches: Benches, tmp_path: Path) -> None:
    bench = benches(on=tmp_path / "gone", miss=REDIRECT)
    reader, writer = await bench.connect()
    writer.write(GET % b"/h/small.m3u8")
    status, fields, _ = await read_reply(reader)
    assert (status, fields["Location"]) == (302, f"{FALLBACK}/h/small.m3u8?oca-redirected-uncounted")
    assert bench.count("delivery_misses:health") == 1


async def test_overload_turns_new_viewers_away_and_serves_those_it_has(benches: Benches) -> None:
    bench = benches()
    reader, writer = await bench.connect()
    writer.write(GET % b"/h/small.m3u8")
    assert (await read_reply(reader))[0] == 200
    bench.service.turn_away(OVERLOAD)
    writer.write(GET % b"/h/small.m3u8")
    assert (await read_reply(reader))[0] == 200
    late, late_writer = await bench.connect()
    late_writer.write(GET % b"/h/small.m3u8")
    status, fields, _ = await read_reply(late)
    assert (status, fields["Retry-After"], fields["Connection"]) == (429, "5", "close")
    assert await late.read() == b""
    assert bench.count("delivery_turned_away:overload") == 1
    bench.service.turn_away(None)
    later, later_writer = await bench.connect()
    later_writer.write(GET % b"/h/small.m3u8")
    assert (await read_reply(later))[0] == 200


async def test_viewer_who_is_sent_on_is_demand_of_one_box_alone(benches: Benches) -> None:
    """Of the one that turns him away, which looks nothing up; where a device fails, of the one that he comes to."""
    turning, failing, missing = benches(miss=REDIRECT), benches(miss=REDIRECT), benches(miss=REDIRECT)
    turning.service.turn_away(TurnAway(cause="overload", answer="redirect", everyone=False))
    failing.service.lookup.spoil("harbour/v", "a test")
    away, missed = {"/h/small.m3u8": Wanted(turned_away=1)}, {"/h/none.m4s": Wanted(missed=1)}
    for bench, cause, here, there in ((turning, "overload", away, {}), (failing, "health", {}, missed)):
        reader, writer = await bench.connect()
        writer.write(GET % b"/h/small.m3u8")
        status, fields, _ = await read_reply(reader)
        assert status == 302
        assert bench.service.demand.take_wanted() == here
        assert redirects(bench) == {cause: 1}
        again = b"/h/none.m4s?" + fields["Location"].partition("?")[2].encode()
        reader, writer = await missing.connect()
        writer.write(GET % again)
        assert (await read_reply(reader))[0] == 404, "and is sent on no further"
        assert missing.service.demand.take_wanted() == there
    assert redirects(missing) == {}


@pytest.mark.parametrize("answer", ["not-found", "too-many", "redirect"])
async def test_viewers_who_are_turned_away_count_by_what_they_asked_for(benches: Benches, answer: Any) -> None:
    bench = benches(miss=REDIRECT)
    bench.service.turn_away(TurnAway(cause="drained", answer=answer, everyone=True))
    get = b"GET /h/%b HTTP/1.1\r\nHost: a\r\n%b\r\n"
    for request in (
        get % (b"small.m3u8", b""),
        get % (b"small.m3u8", b"Range: bytes=10-19\r\n"),
        get % (b"small.m3u8?oca-redirected", b""),  # another box has counted him
        get % (b"small.m3u8", b"User-Agent: oca-fill/1\r\n"),
        get % (b"a%20b", b""),
        b"HEAD /h/small.m3u8 HTTP/1.1\r\nHost: a\r\n\r\n",
        b"OPTIONS /h/small.m3u8 HTTP/1.1\r\nHost: a\r\n\r\n",
    ):
        reader, writer = await bench.connect()
        writer.write(request)
        await read_reply(reader, bodiless=True)
    counted = Wanted(turned_away=2, away_ranges=1, away_range_bytes=10)
    assert bench.service.demand.take_wanted() == {"/h/small.m3u8": counted}
    assert bench.service.demand.take() == []


@pytest.mark.parametrize(("answer", "status"), [("not-found", 404), ("too-many", 429), ("redirect", 302)])
async def test_drained_box_turns_everyone_away_after_what_is_being_sent(
    benches: Benches, answer: Any, status: int
) -> None:
    bench = benches(miss=REDIRECT)
    reader, writer = await bench.connect(receive_bytes=4096)
    writer.write(GET % b"/h/large.m4s" + GET % b"/h/small.m3u8")
    head = await reader.readuntil(b"\r\n\r\n")
    bench.service.turn_away(TurnAway(cause="drained", answer=answer, everyone=True))
    assert head.startswith(b"HTTP/1.1 200 ")
    assert await reader.readexactly(len(CONTENT["large.m4s"])) == CONTENT["large.m4s"]
    assert (await read_reply(reader))[0] == status
    assert await reader.read() == b""
    assert bench.count("delivery_turned_away:drained") == 1
    assert redirects(bench) == ({"drained": 1} if status == 302 else {})


async def test_misses_end_connection_that_is_used_up(benches: Benches) -> None:
    bench = benches(miss=REDIRECT, requests_per_connection_max=2)
    reader, writer = await bench.connect()
    writer.write(GET % b"/h/none.m4s" * 3)
    assert [(await read_reply(reader))[1].get("Connection") for _ in range(2)] == [None, "close"]
    assert await reader.read() == b""
