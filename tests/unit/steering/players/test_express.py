"""Plain playback requests are answered as by aiohttp's way; from the first other one on, aiohttp has the connection."""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from msgspec.structs import replace
from structlog.testing import capture_logs

from steering.api import connections as connections_module
from steering.api.connections import PIPELINED_MAX, Connection
from steering.state.embedded import EmbeddedState
from tests.unit.steering.api_client import Steering
from tests.unit.steering.front import Front, front, plain, request_of
from tests.unit.steering.made_up import FailingSites, make_contents, make_report, make_settings
from tests.waiting import WAIT_S, until


@pytest.fixture
async def service(steering: Steering, package: Path) -> AsyncIterator[Front]:
    held = steering.publish(package)
    await steering.report(make_report("metro-a", contents=make_contents(held)))
    async with front(steering) as made:
        yield made


@pytest.mark.parametrize(
    ("sent", "status"),
    [
        (plain(), 200),
        (plain("X-Forwarded-For: 198.51.100.7"), 200),
        (plain("X-Forwarded-For: nonsense", "x-forwarded-for: 198.51.100.7, 127.0.0.1"), 200),
        (plain(client="198.51.100.0/24"), 200),
        (plain(device={"codecs": ["avc1", "mp4a"]}), 200),
        (plain(device={"codecs": ["hvc1"]}), 406),
        (plain(title="mist"), 404),
        (plain(client="nonsense"), 400),
        (plain(title=7), 400),
        (request_of(b"{"), 400),
        (request_of(b""), 400),
        (plain().replace(b"steer.example", b"steer example"), 400),
    ],
)
async def test_express_answers_as_aiohttp_does(service: Front, sent: bytes, status: int) -> None:
    express = await (await service.connect()).ask(sent)
    assert service.by_aiohttp == 0
    other = await (await service.connect()).ask(sent.replace(b"Content-Length", b"X-Other: 1\r\nContent-Length", 1))
    assert service.by_aiohttp == 1
    assert express[0] == status
    assert [_ageless(each) for each in express] == [_ageless(each) for each in other]


def _ageless(said: object) -> object:
    return re.sub(r"report \d+\.\d s old", "report", json.dumps(said, sort_keys=True))


async def test_express_refuses_who_asks_too_often(state: EmbeddedState, package: Path) -> None:
    settings = make_settings()
    limits = replace(settings.limits, requests_per_s=1, burst=2)
    settings = replace(settings, api=replace(settings.api, trusted_proxies=()), limits=limits)
    async with Steering(state, settings) as steering:
        steering.publish(package)
        async with front(steering) as made:
            peer = await made.connect()
            statuses = [await peer.ask(plain()) for _ in range(3)]
            assert [status for status, _, _ in statuses] == [200, 200, 429]
            assert statuses[2][1]["Retry-After"] == "1"
            assert made.by_aiohttp == 0


async def test_express_tells_nobody_of_a_fault_of_ours(service: Front, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(service.steering.service.decider, "sites", FailingSites())
    with capture_logs() as lines:
        status, _, problem = await (await service.connect()).ask(plain())
    assert (status, problem["title"], "inner" in str(problem)) == (500, "Internal fault", False)
    assert lines[0]["event"] == "request failed"


async def test_connection_answers_plain_requests_however_they_are_cut(service: Front) -> None:
    sent = plain()
    for at in (27, 80, len(sent) - 1, 1, 5):
        peer = await service.connect()
        for _ in range(2):
            peer.writer.write(sent[:at])
            await peer.writer.drain()
            await asyncio.sleep(0)
            assert (await peer.ask(sent[at:]))[0] == 200
    peer = await service.connect()
    peer.writer.write(sent * 3)
    for _ in range(3):
        assert (await peer.answer())[0] == 200
    assert service.by_aiohttp == 0


async def test_connection_goes_over_to_aiohttp_whole(service: Front) -> None:
    peer = await service.connect()
    assert (await peer.ask(plain()))[0] == 200
    assert (await peer.ask(b"GET /v1/explain?title=harbour HTTP/1.1\r\nHost: x\r\n\r\n"))[0] == 200
    assert (await peer.ask(plain()))[0] == 200
    assert service.by_aiohttp == 2


async def test_connection_lets_others_have_their_turn_between_requests_that_wait(service: Front) -> None:
    many, other = await service.connect(), await service.connect()
    order: list[str] = []
    service.express.look = lambda data: order.append("other" if b"X-Forwarded-For" in data[:200] else "many")
    many.writer.write(plain() * (4 * PIPELINED_MAX))
    other.writer.write(plain("X-Forwarded-For: 198.51.100.7"))
    for _ in range(4 * PIPELINED_MAX):
        assert (await many.answer())[0] == 200
    assert (await other.answer())[0] == 200
    assert order.index("other") <= 3 * PIPELINED_MAX
    assert (await many.ask(plain()))[0] == 200
    assert service.by_aiohttp == 0


async def test_connection_waits_for_answers_to_be_taken_and_goes_on(
    service: Front, monkeypatch: pytest.MonkeyPatch
) -> None:
    paused = asyncio.Event()
    pause = Connection.pause_writing

    def noted(connection: Connection) -> None:
        pause(connection)
        paused.set()

    monkeypatch.setattr(Connection, "pause_writing", noted)
    peer = await service.connect()
    count = 6000  # of 3 kB each: more than both sockets hold
    peer.writer.write(plain() * count)
    await asyncio.wait_for(paused.wait(), WAIT_S)
    for _ in range(count):
        assert (await peer.answer())[0] == 200
    assert (await peer.ask(plain()))[0] == 200
    assert service.by_aiohttp == 0


async def test_connection_leaves_what_follows_a_long_queue_to_aiohttp(service: Front) -> None:
    peer = await service.connect()
    peer.writer.write(plain() * (PIPELINED_MAX + 5) + b"GET /v1/explain?title=harbour HTTP/1.1\r\nHost: x\r\n\r\n")
    for _ in range(PIPELINED_MAX + 6):
        assert (await peer.answer())[0] == 200
    assert service.by_aiohttp == 1


async def test_connection_answers_what_waits_when_the_service_stops(service: Front) -> None:
    held = asyncio.get_running_loop().create_future()

    def noted(data: bytes) -> None:
        if not held.done():
            held.set_result(len(data) // len(plain()))

    service.express.look = noted
    peer = await service.connect()
    peer.writer.write(plain() * 6000)  # more than is read at once: the rest is left unread
    asked = await held
    stopped = asyncio.create_task(service.stop())
    came = await asyncio.wait_for(peer.reader.read(), WAIT_S)
    peer.writer.close()
    await stopped
    assert came.count(b"HTTP/1.1 200 ") >= asked > PIPELINED_MAX


async def test_connection_waits_for_first_reports_by_aiohttp(state: EmbeddedState, package: Path) -> None:
    async with Steering(state, make_settings(), just_started=True) as steering:
        held = steering.publish(package)
        async with front(steering) as made:
            peer = await made.connect()
            peer.writer.write(plain())
            for name, site in (("metro-a", "metro"), ("metro-b", "metro"), ("region-a", "region")):
                await steering.report(make_report(name, site, contents=make_contents(held)))
            assert (await peer.answer())[0] == 200
            assert made.by_aiohttp == 1


async def test_connection_that_rests_after_plain_requests_is_ended(
    service: Front, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(connections_module, "IDLE_S_MAX", 1.5)
    peer = await service.connect()
    for _ in range(3):
        assert (await peer.ask(plain()))[0] == 200
    assert await asyncio.wait_for(peer.reader.read(), WAIT_S) == b""


async def test_connection_that_asks_on_is_kept(service: Front, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connections_module, "IDLE_S_MAX", 0.2)
    peer = await service.connect()
    await until(lambda: service.counts.values["steering_connections"] == 1)
    monkeypatch.setattr(connections_module, "IDLE_S_MAX", 75.0)  # so that but aiohttp's measure is that short
    assert (await peer.ask(plain()))[0] == 200
    await asyncio.sleep(0.5)
    assert (await peer.ask(plain()))[0] == 200
    assert (await peer.ask(b"GET /v1/explain?title=harbour HTTP/1.1\r\nHost: x\r\n\r\n"))[0] == 200
    assert await asyncio.wait_for(peer.reader.read(), WAIT_S) == b""  # idle for longer, as it now counts


async def test_connection_that_begins_another_request_and_no_more_is_ended(
    service: Front, monkeypatch: pytest.MonkeyPatch
) -> None:
    peer = await service.connect()
    assert (await peer.ask(plain()))[0] == 200
    monkeypatch.setattr(connections_module, "FIRST_REQUEST_S_MAX", 0.1)
    peer.writer.write(b"GET /hea")
    assert await asyncio.wait_for(peer.reader.read(), WAIT_S) == b""
    assert service.counts.values["steering_connections_closed:silent"] == 1
