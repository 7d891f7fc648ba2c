"""Misses and viewers turned away, as they are answered over a socket."""

from pathlib import Path
from typing import Any

import pytest

from oca.delivery.control import TurnAway
from oca.delivery.miss_settings import MissTable
from tests.unit.delivery.bench import CONTENT, Benches, read_reply

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


async def test_misses_of_failing_store_are_answered_by_policy(benches: Benches, tmp_path: Path) -> None:
    bench = benches(on=tmp_path / "gone", miss=REDIRECT)
    reader, writer = await bench.connect()
    writer.write(GET % b"/h/small.m3u8")
    status, fields, _ = await read_reply(reader)
    assert (status, fields["Location"]) == (302, f"{FALLBACK}/h/small.m3u8?oca-redirected")
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


async def test_misses_end_connection_that_is_used_up(benches: Benches) -> None:
    bench = benches(miss=REDIRECT, requests_per_connection_max=2)
    reader, writer = await bench.connect()
    writer.write(GET % b"/h/none.m4s" * 3)
    assert [(await read_reply(reader))[1].get("Connection") for _ in range(2)] == [None, "close"]
    assert await reader.read() == b""
