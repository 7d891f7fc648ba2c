"""Asks at a fixed rate, whatever the answers take: latency counts from when a question was due."""

from __future__ import annotations

import asyncio
import time
from itertools import cycle
from typing import cast

import msgspec

from benchmarks.steering.server import loop_us
from oca.common.signed_url import PATH_ELEMENT
from steering.api.messages import PlaybackAnswer

CONNECTIONS = 16
KEPT_EVERY = 32
_answers = msgspec.json.Decoder(PlaybackAnswer)


class Player(asyncio.Protocol):
    """One connection, with what is in flight on it; every so many answers are kept."""

    def __init__(self, latencies_s: list[float]) -> None:
        self._latencies = latencies_s
        self._due: list[float] = []
        self._rest = b""
        self.faults = 0
        self.count = 0
        self.kept: list[bytes] = []
        self.transport: asyncio.Transport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast(asyncio.Transport, transport)

    def ask(self, request: bytes, due: float) -> None:
        assert self.transport is not None
        self._due.append(due)
        self.transport.write(request)

    def data_received(self, data: bytes) -> None:
        self._rest += data
        while (end := self._rest.find(b"\r\n\r\n")) >= 0:
            head = self._rest[:end].lower()
            length = int(head.partition(b"content-length: ")[2].split(b"\r\n", 1)[0] or 0)
            if len(self._rest) < end + 4 + length:
                return
            self.taken(self._rest[end + 4 : end + 4 + length])
            self._rest = self._rest[end + 4 + length :]
            self._latencies.append(time.perf_counter() - self._due.pop(0))
            self.faults += not head.startswith(b"http/1.1 200")

    def taken(self, body: bytes) -> None:
        """A whole answer has come."""
        self.count += 1
        if self.count % KEPT_EVERY == 0:
            self.kept.append(body)

    @property
    def waiting(self) -> int:
        return len(self._due)


def request_of(title: str, client: str) -> bytes:
    """A playback request as a service sends it."""
    body = f'{{"title":"{title}","client":"{client}"}}'.encode()
    return (
        f"POST /v1/playback HTTP/1.1\r\nHost: steering.example\r\nContent-Type: application/json\r\n"
        f"Content-Length: {len(body)}\r\n\r\n"
    ).encode() + body


def signed_share(bodies: list[bytes]) -> float:
    """The share of playback answers that send their viewer to one box or more, each of whose URLs has a token."""
    signed = 0
    for body in bodies:
        answer = _answers.decode(body)
        boxes = tuple(f"{way.url}/" for way in answer.pathways if way.source_class != "fallback")
        urls = [url for each in answer.assets.values() for url in each if url.startswith(boxes)]
        assert all(f"/{PATH_ELEMENT}/" in url for url in urls), f"a box without a token: {body!r}"
        signed += bool(urls)
    return signed / max(1, len(bodies))


async def pace(
    listen: str, asked: list[str], *, per_s: float, seconds: float, until: asyncio.Event | None = None
) -> dict[str, float]:
    """Ask ``per_s`` times a second over a few connections, ``until`` then at most; latencies in seconds, by share."""
    requests = cycle([request_of(*line.split()) for line in asked])
    host, _, port = listen.partition(":")
    latencies: list[float] = []
    loop = asyncio.get_running_loop()
    players = []
    for _ in range(CONNECTIONS):
        _, player = await loop.create_connection(lambda: Player(latencies), host, int(port))
        players.append(player)
    began = time.perf_counter()
    turns = cycle(players)
    count = 0
    for number in range(int(per_s * seconds)):
        if count and until is not None and until.is_set():  # one at least, however soon it is over
            break
        count += 1
        due = began + number / per_s
        while (wait_s := due - time.perf_counter()) > 0:  # noqa: ASYNC110
            await asyncio.sleep(wait_s if wait_s > 0.001 else 0)
        next(turns).ask(next(requests), due)
        if number % 32 == 0:
            await asyncio.sleep(0)
    for _ in range(1000):
        if any(player.waiting for player in players):
            await asyncio.sleep(0.01)
    lost = sum(player.waiting for player in players)
    for player in players:
        if player.transport is not None:
            player.transport.close()
    ordered = sorted(latencies)
    return {
        "asked": count,
        "answered": len(ordered),
        "faults": sum(player.faults for player in players) + lost,
        "p50_s": ordered[len(ordered) // 2],
        "p99_s": ordered[int(len(ordered) * 0.99)],
        "max_s": ordered[-1],
        "loop_us": loop_us(),
        "looked_at": sum(len(player.kept) for player in players),
        "signed": signed_share([body for player in players for body in player.kept]),
    }
