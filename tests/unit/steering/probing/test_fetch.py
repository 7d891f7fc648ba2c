from __future__ import annotations

import asyncio
import gc
from collections.abc import AsyncIterator

import pytest

from oca.common.digest import digest_hex
from oca.common.errors import ConfigError
from oca.common.messages import ObjectDescription
from steering.probing.fetch import Fetcher
from steering.probing.targets import Target
from tests.waiting import WAIT_S

BODY = b"#EXTM3U\n" * 100
OBJECT = ObjectDescription(
    path="/harbour/media.m3u8", bytes=len(BODY), digest=digest_hex(BODY), media_type="text/plain"
)


class Port:
    """A delivery port that answers each connection with the same bytes."""

    def __init__(self) -> None:
        self.answer = b""
        self.asked: list[bytes] = []
        self.url = ""
        self.hold = asyncio.Event()

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.asked.append(await reader.readuntil(b"\r\n\r\n"))
        if not self.answer:
            await self.hold.wait()
        writer.write(self.answer)
        writer.close()


@pytest.fixture
async def port() -> AsyncIterator[Port]:
    made = Port()
    server = await asyncio.start_server(made.serve, "127.0.0.1", 0)
    made.url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    yield made
    made.hold.set()
    server.close()


@pytest.fixture
async def fetcher() -> AsyncIterator[Fetcher]:
    made = Fetcher(timeout_s=WAIT_S, ca_file="")
    yield made
    await made.close()


def head(status: str, length: int) -> bytes:
    return f"HTTP/1.1 {status}\r\nContent-Length: {length}\r\n\r\n".encode()


@pytest.mark.parametrize(
    ("answer", "why"),
    [
        (head("200 OK", len(BODY)) + BODY, ""),
        (head("200 OK", len(BODY)) + BODY.swapcase(), "sends other bytes of /harbour/media.m3u8 than were published"),
        (head("200 OK", 7) + b"another", "sends 7 bytes of /harbour/media.m3u8, which has 800"),
        (head("404 Not Found", 0), "answers 404 for /harbour/media.m3u8, which it reported to hold"),
        (head("403 Forbidden", 0), "answers 403 for /harbour/media.m3u8, which it reported to hold"),
        (head("429 Too Many Requests", 0), ""),
        (head("302 Found", 0), "answers 302 for /harbour/media.m3u8, which it reported to hold"),
        (head("200 OK", len(BODY)) + BODY[:9], "ends in between: "),
        (b"garbage\r\n\r\n", "ends in between: "),
    ],
)
async def test_fetcher_tells_why_probe_failed(port: Port, fetcher: Fetcher, answer: bytes, why: str) -> None:
    port.answer = answer
    found = await fetcher.fetch(Target(f"{port.url}/t/x{OBJECT.path}", OBJECT))
    assert found.startswith(why)
    assert bool(found) == bool(why)
    assert port.asked[0].startswith(b"GET /t/x/harbour/media.m3u8 HTTP/1.1\r\n")
    assert b"User-Agent: oca-steering-probe/" in port.asked[0]


async def test_fetcher_waits_only_so_long_for_an_answer(port: Port) -> None:
    hasty = Fetcher(timeout_s=0.5, ca_file="")
    assert await hasty.fetch(Target(f"{port.url}{OBJECT.path}", OBJECT)) == "no answer within 0.5 s"
    await hasty.close()


async def test_fetcher_takes_any_answer_where_nothing_is_held(port: Port, fetcher: Fetcher) -> None:
    port.answer = head("404 Not Found", 0)
    assert await fetcher.fetch(Target(f"{port.url}/", None)) == ""


async def test_fetcher_tells_that_nobody_listens(fetcher: Fetcher, unused_tcp_port: int) -> None:
    why = await fetcher.fetch(Target(f"http://127.0.0.1:{unused_tcp_port}/", None))
    assert why.startswith("cannot connect: ")


async def test_fetcher_makes_a_connection_for_each_probe(port: Port, fetcher: Fetcher) -> None:
    port.answer = head("404 Not Found", 0)
    for _ in range(3):
        await fetcher.fetch(Target(f"{port.url}/", None))
    assert len(port.asked) == 3


def test_fetcher_refuses_file_of_authorities_that_is_none() -> None:
    with pytest.raises(ConfigError, match=r"probes\.ca_file = '/nowhere\.pem' cannot be used"):
        Fetcher(timeout_s=1, ca_file="/nowhere.pem")


async def _answers_plainly(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    writer.write(head("400 Bad Request", 0))
    writer.close()


@pytest.mark.parametrize("listens", [False, True])
async def test_probes_that_cannot_connect_leave_no_cycles(listens: bool, fetcher: Fetcher) -> None:
    server = await asyncio.start_server(_answers_plainly, "127.0.0.1", 0)
    target = Target(f"https://127.0.0.1:{server.sockets[0].getsockname()[1]}/", OBJECT)
    if not listens:
        server.close()
    assert "cannot connect" in await fetcher.fetch(target)
    gc.collect()
    gc.disable()
    try:
        for _ in range(20):
            assert await fetcher.fetch(target)
        assert gc.collect() < 20 * 40  # asyncio's own transports leave some, uvloop's none
    finally:
        gc.enable()
        server.close()
