"""Plain playback requests are answered as by aiohttp's way; from the first other one on, aiohttp has the connection."""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, cast

import pytest
from aiohttp import web
from msgspec.structs import replace
from structlog.testing import capture_logs

from steering import connections as connections_module
from steering.connections import PIPELINED_MAX, Connections
from steering.metrics import Counts
from steering.state.embedded import EmbeddedState
from tests.unit.steering.api_client import Steering
from tests.unit.steering.made_up import make_contents, make_report, make_settings

ASK: dict[str, Any] = {"title": "harbour"}


def request_of(body: bytes, *fields: str) -> bytes:
    head = "".join(f"{field}\r\n" for field in ("Host: steer.example", *fields))
    return f"POST /v1/playback HTTP/1.1\r\n{head}Content-Length: {len(body)}\r\n\r\n".encode() + body


def plain(*fields: str, **asked: Any) -> bytes:
    return request_of(json.dumps(ASK | asked).encode(), *fields)


Answer = tuple[int, dict[str, str], Any]


class Peer:
    """One connection to the service under test."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader, self.writer = reader, writer

    async def ask(self, sent: bytes) -> Answer:
        self.writer.write(sent)
        return await self.answer()

    async def answer(self) -> Answer:
        async with asyncio.timeout(10):
            head = (await self.reader.readuntil(b"\r\n\r\n")).decode()
            lines = head.rstrip().split("\r\n")
            fields = dict(line.split(": ", 1) for line in lines[1:])
            body = json.loads(await self.reader.readexactly(int(fields.pop("Content-Length"))))
        assert re.fullmatch(r"\w{3}, \d\d \w{3} \d{4} \d\d:\d\d:\d\d GMT", fields.pop("Date"))
        fields.pop("Server", None)
        return int(lines[0].split()[1]), fields, body


class Front:
    """The service behind its own protocol."""

    def __init__(self, steering: Steering, port: int, counts: Counts) -> None:
        self.steering, self.port, self.counts = steering, port, counts
        self.by_aiohttp = 0
        self.peers: list[Peer] = []

    async def connect(self) -> Peer:
        self.peers.append(Peer(*await asyncio.open_connection("127.0.0.1", self.port)))
        return self.peers[-1]


@asynccontextmanager
async def front(steering: Steering) -> AsyncIterator[Front]:
    runner = web.AppRunner(steering.service.app, shutdown_timeout=1)
    await runner.setup()
    counts = Counts()
    server = cast(web.Server, runner.server)
    connections = Connections(server, counts, 100, None, steering.service.express)
    listener = await asyncio.get_running_loop().create_server(connections, "127.0.0.1", 0)
    made = Front(steering, listener.sockets[0].getsockname()[1], counts)
    inner = server.request_factory

    def counted(*arguments: Any) -> Any:
        made.by_aiohttp += 1
        return inner(*arguments)

    server.request_factory = counted
    try:
        yield made
    finally:
        for peer in made.peers:
            peer.writer.close()
        listener.close()
        await runner.cleanup()


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
    def fail(*arguments: object, **options: object) -> None:
        raise ValueError("inner")

    monkeypatch.setattr(service.steering.service.decider, "decide", fail)
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
        if at >= 27:  # of fewer bytes nothing can be told: they may have gone to aiohttp
            assert service.by_aiohttp == 0
    peer = await service.connect()
    by_aiohttp = service.by_aiohttp
    peer.writer.write(sent * 3)
    for _ in range(3):
        assert (await peer.answer())[0] == 200
    assert service.by_aiohttp == by_aiohttp


async def test_connection_goes_over_to_aiohttp_whole(service: Front) -> None:
    peer = await service.connect()
    assert (await peer.ask(plain()))[0] == 200
    assert (await peer.ask(b"GET /v1/explain?title=harbour HTTP/1.1\r\nHost: x\r\n\r\n"))[0] == 200
    assert (await peer.ask(plain()))[0] == 200
    assert service.by_aiohttp == 2


async def test_connection_leaves_a_long_queue_to_aiohttp(service: Front) -> None:
    peer = await service.connect()
    peer.writer.write(plain() * (PIPELINED_MAX + 5))
    for _ in range(PIPELINED_MAX + 5):
        assert (await peer.answer())[0] == 200
    assert service.by_aiohttp == 5


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
    monkeypatch.setattr(connections_module, "IDLE_S_MAX", 0.5)
    peer = await service.connect()
    for _ in range(3):
        assert (await peer.ask(plain()))[0] == 200
    assert await asyncio.wait_for(peer.reader.read(), 10) == b""


async def test_connection_that_begins_another_request_and_no_more_is_ended(
    service: Front, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(connections_module, "FIRST_REQUEST_S_MAX", 0.1)
    peer = await service.connect()
    assert (await peer.ask(plain()))[0] == 200
    peer.writer.write(b"GET /hea")
    assert await asyncio.wait_for(peer.reader.read(), 10) == b""
    assert service.counts.values["steering_connections_closed:silent"] == 1
