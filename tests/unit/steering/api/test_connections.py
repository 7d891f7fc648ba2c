from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import cast

import pytest
from aiohttp import web
from structlog.testing import capture_logs

from steering.api import connections as connections_module
from steering.api.connections import Connection, Connections, connections_limit
from steering.decision.address import Trust
from steering.metrics import STEERING, Counts
from steering.players.express import Express
from steering.trust.crowd import Crowd
from tests.waiting import WAIT_S, until

REQUEST = b"GET / HTTP/1.1\r\nHost: x\r\n\r\n"
LARGE_BYTES = 2**25


class Served:
    """A small service behind the protocol under test."""

    def __init__(self, port: int, counts: Counts) -> None:
        self.port = port
        self.counts = counts
        self._writers: list[asyncio.StreamWriter] = []

    async def connect(self, sent: bytes = b"", **options: int) -> asyncio.StreamReader:
        reader, writer = await asyncio.open_connection("127.0.0.1", self.port, **options)
        self._writers.append(writer)
        writer.write(sent)
        return reader

    def close(self, count: int) -> None:
        for writer in self._writers[:count]:
            writer.close()
        del self._writers[:count]

    def closed(self, reason: str) -> int:
        return self.counts.values[f"steering_connections_closed:{reason}"]


async def _answer(request: web.Request) -> web.Response:
    return web.Response(body=b"x" * LARGE_BYTES if request.path == "/large" else b"here")


@asynccontextmanager
async def serving(
    connections_max: int = 100, crowd: Crowd | None = None, express: LargeAnswers | None = None
) -> AsyncIterator[Served]:
    app = web.Application()
    app.router.add_get("/{path:.*}", _answer)
    runner = web.AppRunner(app, shutdown_timeout=1)
    await runner.setup()
    counts = Counts()
    answers = cast(Express | None, express)
    connections = Connections(cast(web.Server, runner.server), counts, connections_max, crowd, answers)
    listener = await asyncio.get_running_loop().create_server(connections, "127.0.0.1", 0)
    served = Served(listener.sockets[0].getsockname()[1], counts)
    try:
        yield served
    finally:
        served.close(1000)
        listener.close()
        await runner.cleanup()


async def read(reader: asyncio.StreamReader) -> bytes:
    return await asyncio.wait_for(reader.read(), WAIT_S)


@pytest.mark.parametrize("begun", [b"", b"GET / HT", REQUEST[:-2]])
async def test_connection_without_a_first_request_is_ended(begun: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connections_module, "FIRST_REQUEST_S_MAX", 0.05)
    async with serving() as served:
        assert await read(await served.connect(begun)) == b""
        await until(lambda: served.counts.values["steering_connections"] == 0)
        assert served.closed("silent") == 1


async def test_connection_that_asked_is_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connections_module, "FIRST_REQUEST_S_MAX", 0.5)
    async with serving() as served:
        reader = await served.connect(REQUEST)
        await reader.readuntil(b"here")
        assert await read(await served.connect()) == b""
        assert (reader.at_eof(), served.counts.values["steering_connections"]) == (False, 1)


async def test_connection_that_rests_is_ended(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connections_module, "IDLE_S_MAX", 0.05)
    async with serving() as served:
        assert (await read(await served.connect(REQUEST))).endswith(b"here")
        assert (await read(await served.connect(REQUEST + REQUEST[:-2]))).endswith(b"here")


async def test_connection_that_takes_no_answer_is_ended(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connections_module, "STALLED_S_MAX", 0.05)
    async with serving() as served:
        reader = await served.connect(REQUEST.replace(b"/", b"/large", 1), limit=1024)
        await until(lambda: served.closed("stalled") == 1)
        await until(lambda: served.counts.values["steering_connections"] == 0)
        assert len(await read(reader)) < LARGE_BYTES


class LargeAnswers:
    """In place of ``Express``: answers every request with more than the kernel takes at once."""

    def answer(self, data: bytes, peer: str) -> tuple[bytes, int]:
        head = f"HTTP/1.1 200 OK\r\nContent-Length: {LARGE_BYTES}\r\n\r\n".encode()
        return head + b"x" * LARGE_BYTES, len(REQUEST)


@pytest.mark.parametrize("asked", [1, 2], ids=["and rests", "and asks for more"])
@pytest.mark.parametrize("idle_s_max", [75.0, 0.01])
async def test_connection_that_takes_no_plain_answer_is_ended(
    asked: int, idle_s_max: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(connections_module, "STALLED_S_MAX", 0.1)
    monkeypatch.setattr(connections_module, "FIRST_REQUEST_S_MAX", 5.0)
    monkeypatch.setattr(connections_module, "IDLE_S_MAX", idle_s_max)
    async with serving(express=LargeAnswers()) as served:
        reader = await served.connect(REQUEST * asked, limit=1024)
        await until(lambda: served.closed("stalled") == 1)
        await until(lambda: served.counts.values["steering_connections"] == 0)
        assert len(await read(reader)) < LARGE_BYTES


async def test_connection_that_takes_a_plain_answer_late_is_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connections_module, "STALLED_S_MAX", 1.5)
    async with serving(express=LargeAnswers()) as served:
        reader = await served.connect(REQUEST * 2, limit=2**16)
        taken = 0
        while taken < 2 * LARGE_BYTES:  # the second waits until the first is taken
            part = await asyncio.wait_for(reader.read(2**20), WAIT_S)
            assert part
            taken += len(part)
        await asyncio.sleep(1.6)
        assert (served.closed("stalled"), reader.at_eof()) == (0, False)


async def test_requests_that_wait_for_a_slow_client_are_answered_after_an_idle_bound(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(connections_module, "IDLE_S_MAX", 0.1)
    looked: list[bool] = []
    end_idle = Connection._end_idle
    monkeypatch.setattr(Connection, "_end_idle", lambda self: looked.append(True) or end_idle(self))  # type: ignore[func-returns-value]
    async with serving(express=LargeAnswers()) as served:
        reader = await served.connect(REQUEST * 2, limit=1024)
        await until(lambda: len(looked) >= 2)
        assert len(await read(reader)) > 2 * LARGE_BYTES


async def test_connection_that_takes_its_answer_slowly_is_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connections_module, "STALLED_S_MAX", 1.0)
    async with serving() as served:
        reader = await served.connect(REQUEST.replace(b"/", b"/large", 1), limit=2**16)
        taken = 0
        while taken < LARGE_BYTES:
            part = await asyncio.wait_for(reader.read(2**20), WAIT_S)
            assert part
            taken += len(part)
            await asyncio.sleep(0.01)
        assert served.closed("stalled") == 0


async def test_connections_beyond_the_limit_are_refused_and_said_once() -> None:
    with capture_logs() as lines:
        async with serving(connections_max=2) as served:
            for _ in range(2):
                await (await served.connect(REQUEST)).readuntil(b"here")
            for _ in range(3):
                assert await read(await served.connect()) == b""
            assert (served.closed("refused"), served.counts.values["steering_connections"]) == (3, 2)
            served.close(1)
            await until(lambda: served.counts.values["steering_connections"] == 1)
            await (await served.connect(REQUEST)).readuntil(b"here")
            assert await read(await served.connect()) == b""
    assert [line["connections_max"] for line in lines] == [2, 2]


async def test_request_that_is_no_http_writes_no_log(caplog: pytest.LogCaptureFixture) -> None:
    async with serving() as served:
        for sent in (b"GET / HTTP/9.9\r\n\r\n", b"GET / HTTP/1.1\r\nContent-Length: x\r\n\r\n"):
            assert b" 400 " in (await read(await served.connect(sent))).splitlines()[0]
    assert [line for line in caplog.records if line.levelno > logging.INFO] == []


async def test_fault_of_ours_is_logged(caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch) -> None:
    async def fail(request: web.Request) -> web.Response:
        raise ValueError(request.path)

    monkeypatch.setattr(f"{__name__}._answer", fail)
    async with serving() as served:
        reader = await served.connect(REQUEST)
        assert b" 500 " in await reader.readline()
    assert any(line.exc_info for line in caplog.records)


def test_limit_is_what_descriptors_allow(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connections_module, "raise_limit", lambda: 1064)
    with capture_logs() as lines:
        assert connections_limit(1000) == 1000
        assert lines == []
        assert connections_limit(1001) == 1000
    assert lines[0]["remedy"] == "raise LimitNOFILE to 1065, or lower api.connections_max"


def test_reasons_are_declared() -> None:
    (family,) = (family for family in STEERING if family.name == "steering_connections_closed")
    assert family.values == ("refused", "crowded", "silent", "stalled")


async def test_client_with_too_many_connections_gets_no_more() -> None:
    async with serving(crowd=Crowd(3, Trust(()))) as service:
        for _ in range(3):
            reader = await service.connect(REQUEST)
            assert (await reader.readline()).startswith(b"HTTP/1.1 200")
        with capture_logs() as lines:
            for number in (1, 2):
                await service.connect(REQUEST)
                await until(lambda number=number: service.closed("crowded") == number)  # type: ignore[misc]
        assert [line["event"] for line in lines] == ["connections of a client are refused: it has as many as it may"]
        assert service.counts.values["steering_connections"] == 3
        service.close(1)
        await until(lambda: service.counts.values["steering_connections"] == 2)
        reader = await service.connect(REQUEST)
        assert (await reader.readline()).startswith(b"HTTP/1.1 200")


async def test_trusted_proxy_may_bring_many_connections() -> None:
    async with serving(crowd=Crowd(1, Trust(("127.0.0.0/8",)))) as service:
        for _ in range(5):
            reader = await service.connect(REQUEST)
            assert (await reader.readline()).startswith(b"HTTP/1.1 200")
