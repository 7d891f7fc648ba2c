"""The service behind its own protocol, and connections to it."""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any, Literal, cast

from aiohttp import web

from steering.api.connections import Connections
from steering.metrics import Counts
from steering.players.express import Express
from tests.unit.steering.api_client import Steering
from tests.waiting import WAIT_S

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
        async with asyncio.timeout(WAIT_S):
            head = (await self.reader.readuntil(b"\r\n\r\n")).decode()
            lines = head.rstrip().split("\r\n")
            fields = dict(line.split(": ", 1) for line in lines[1:])
            body = json.loads(await self.reader.readexactly(int(fields.pop("Content-Length"))))
        assert re.fullmatch(r"\w{3}, \d\d \w{3} \d{4} \d\d:\d\d:\d\d GMT", fields.pop("Date"))
        fields.pop("Server", None)
        return int(lines[0].split()[1]), fields, body


class Watched:
    """Answers as ``Express`` does; ``look`` sees first what came."""

    def __init__(self, express: Express) -> None:
        self._express = express
        self.look: Callable[[bytes], object] = len

    def answer(self, data: bytes, peer: str) -> tuple[bytes, int] | Literal["incomplete", "other"]:
        self.look(data)
        return self._express.answer(data, peer)


class Front:
    """Listens, until it is stopped as the service is."""

    def __init__(
        self, steering: Steering, runner: web.AppRunner, listener: asyncio.Server, counts: Counts, express: Watched
    ) -> None:
        self.steering, self.counts, self.express = steering, counts, express
        self.port: int = listener.sockets[0].getsockname()[1]
        self._runner, self._listener = runner, listener
        self.by_aiohttp = 0
        self.peers: list[Peer] = []

    async def connect(self) -> Peer:
        self.peers.append(Peer(*await asyncio.open_connection("127.0.0.1", self.port)))
        return self.peers[-1]

    async def stop(self) -> None:
        self._listener.close()
        await self._runner.cleanup()


@asynccontextmanager
async def front(steering: Steering) -> AsyncIterator[Front]:
    runner = web.AppRunner(steering.service.app, shutdown_timeout=1)
    await runner.setup()
    counts = Counts()
    server = cast(web.Server, runner.server)
    express = Watched(steering.service.express)
    connections = Connections(server, counts, 100, None, cast(Express, express))
    listener = await asyncio.get_running_loop().create_server(connections, "127.0.0.1", 0)
    made = Front(steering, runner, listener, counts, express)
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
        await made.stop()
