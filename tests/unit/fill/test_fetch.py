from __future__ import annotations

import asyncio
import gzip
import socket
from collections.abc import Awaitable, Callable, Mapping
from types import SimpleNamespace
from typing import Any

import aiohttp
import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer
from msgspec import structs

from fill.busy import ALL, Share
from fill.fetch import REDIRECTS_MAX, ObjectFetcher
from fill.pace import Pacer
from fill.rank import SourceRank
from fill.sources import Fault
from fill.tables import FillTable
from oca.common import clock
from oca.common.digest import digest_hex
from oca.common.messages import FillSource, ObjectDescription
from tests.waiting import WAIT_S

from .conftest import Behaviour, Source, behave

BODY = bytes(number * 13 % 251 for number in range(300_000))
PATH = "/harbour/video-240p/seg-1.m4s"
WANTED = ObjectDescription(path=PATH, bytes=len(BODY), digest=digest_hex(BODY), media_type="video/mp4")
PATIENT = FillTable(connect_timeout_s=WAIT_S, stall_timeout_s=WAIT_S, source_rate_bytes_per_s_min=0)
QUICK = FillTable(connect_timeout_s=0.5, stall_timeout_s=0.3, source_rate_bytes_per_s_min=0)
"""Where nothing comes at all."""
RANK = SourceRank(half_life_s=600, slow_answer_s=60)
NewSource = Callable[[Mapping[str, bytes]], Awaitable[Source]]


async def fetch(
    session: aiohttp.ClientSession,
    source: FillSource,
    *,
    offset: int = 0,
    table: FillTable = PATIENT,
    pacer: Pacer | None = None,
    rank: SourceRank | None = None,
) -> tuple[Fault | None, bytes]:
    got = bytearray()
    fault = await ObjectFetcher(session, table, pacer or Pacer(), rank or RANK).fetch(
        source, WANTED, offset, got.extend
    )
    return fault, bytes(got)


async def test_fetch_brings_whole_object(session: aiohttp.ClientSession, new_source: NewSource) -> None:
    source = await new_source({PATH: BODY})
    assert await fetch(session, source.as_source()) == (None, BODY)
    assert source.requests == [(PATH, "")]


async def test_fetch_resumes_inside_object(session: aiohttp.ClientSession, new_source: NewSource) -> None:
    source = await new_source({PATH: BODY})
    assert await fetch(session, source.as_source(), offset=100_001) == (None, BODY[100_001:])
    assert source.requests == [(PATH, "bytes=100001-299999")]


async def test_fetch_asks_nothing_for_what_is_whole(session: aiohttp.ClientSession, new_source: NewSource) -> None:
    source = await new_source({PATH: BODY})
    assert await fetch(session, source.as_source(), offset=len(BODY)) == (None, b"")
    assert source.requests == []


async def test_fetch_reuses_connection(session: aiohttp.ClientSession, new_source: NewSource) -> None:
    source = await new_source({PATH: BODY})
    ports = set()

    async def note(request: web.Request, body: bytes) -> web.StreamResponse:
        assert request.transport is not None
        ports.add(request.transport.get_extra_info("peername")[1])
        return await behave(request, body)

    source.behaviour = note
    for _ in range(3):
        await fetch(session, source.as_source())
    assert len(ports) == 1


async def test_fetch_passes_over_bytes_of_source_that_ignores_range(
    session: aiohttp.ClientSession, new_source: NewSource
) -> None:
    source = await new_source({PATH: BODY})
    source.behaviour = answer(body=BODY)
    assert await fetch(session, source.as_source(), offset=250_000) == (None, BODY[250_000:])


async def test_fetch_asks_for_no_encoding(session: aiohttp.ClientSession, new_source: NewSource) -> None:
    source = await new_source({PATH: BODY})
    asked = []

    async def note(request: web.Request, body: bytes) -> web.StreamResponse:
        asked.append(request.headers["Accept-Encoding"])
        return await behave(request, body)

    source.behaviour = note
    await fetch(session, source.as_source())
    assert asked == ["identity"]


def answer(**options: Any) -> Behaviour:
    async def respond(_request: web.Request, _body: bytes) -> web.StreamResponse:
        return web.Response(**options)

    return respond


async def chunked(
    request: web.Request, parts: list[bytes], *, then: Callable[[], Awaitable[None]] | None = None
) -> web.StreamResponse:
    response = web.StreamResponse()
    response.enable_chunked_encoding()
    await response.prepare(request)
    for part in parts:
        await response.write(part)
    if then is not None:
        await then()
    return response


async def cut_short(request: web.Request, body: bytes) -> web.StreamResponse:
    response = web.StreamResponse(headers={"Content-Length": str(len(body))})
    await response.prepare(request)
    await response.write(body[:1000])
    assert request.transport is not None
    request.transport.close()
    return response


async def reset(request: web.Request, body: bytes) -> web.StreamResponse:
    assert request.transport is not None
    connection: socket.socket = request.transport.get_extra_info("socket")
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
    request.transport.abort()
    return web.Response(body=body)


async def garbage(request: web.Request, body: bytes) -> web.StreamResponse:
    assert isinstance(request.transport, asyncio.Transport)
    request.transport.write(b"SSH-2.0-OpenSSH_9.2\r\n\r\n")
    request.transport.close()
    return web.Response(body=body)


async def end_early(request: web.Request, body: bytes) -> web.StreamResponse:
    return await chunked(request, [body[:1000]])


async def go_on(request: web.Request, body: bytes) -> web.StreamResponse:
    return await chunked(request, [body, b"more"])


def redirect(target: str, status: int = 302) -> Behaviour:
    return answer(status=status, headers={"Location": target})


FAULTS: list[tuple[str, Behaviour, int, str, bool]] = [
    ("absent", answer(status=404), 0, "does not have it (404)", True),
    ("forbidden", answer(status=403), 0, "answers 403", True),
    ("server error", answer(status=500), 0, "answers 500", False),
    ("overloaded", answer(status=503), 0, "answers 503", False),
    ("too many", answer(status=429), 0, "answers 429", False),
    ("no content", answer(status=204), 0, "answers 204", True),
    ("not satisfiable", answer(status=416), 5, "answers 416", True),
    ("shorter object", answer(body=BODY[:-1]), 0, "sends 299999 bytes instead of 300000", True),
    ("longer object", answer(body=BODY + b"x"), 0, "sends 300001 bytes instead of 300000", True),
    ("longer stream", go_on, 0, "sends more bytes than the object has", True),
    ("shorter stream", end_early, 0, "ended 299000 bytes early", False),
    ("cut body", cut_short, 0, "ended in the middle of a body", False),
    (
        "encoded",
        answer(body=gzip.compress(BODY), headers={"Content-Encoding": "gzip"}),
        0,
        "sends Content-Encoding gzip, unasked",
        True,
    ),
    (
        "unasked range",
        answer(status=206, body=BODY, headers={"Content-Range": "bytes 0-299999/300000"}),
        0,
        "sends Content-Range 'bytes 0-299999/300000', not 0-299999/300000",
        True,
    ),
    (
        "other range",
        answer(status=206, body=BODY[4:], headers={"Content-Range": "bytes 4-299999/300000"}),
        5,
        "sends Content-Range 'bytes 4-299999/300000', not 5-299999/300000",
        True,
    ),
    (
        "other size",
        answer(status=206, body=BODY[5:], headers={"Content-Range": "bytes 5-299999/300001"}),
        5,
        "sends Content-Range 'bytes 5-299999/300001', not 5-299999/300000",
        True,
    ),
    ("no range", answer(status=206, body=BODY[5:]), 5, "sends Content-Range '', not 5-299999/300000", True),
    ("other host", redirect("http://127.0.0.2/elsewhere"), 0, "redirects to http://127.0.0.2/elsewhere", True),
    ("other scheme", redirect("ftp://127.0.0.1/x"), 0, "redirects to ftp://127.0.0.1/x", True),
    ("nowhere", answer(status=302), 0, "redirects to nowhere", True),
    ("not modified", answer(status=304), 0, "redirects to nowhere", True),
    ("round in circles", redirect(PATH), 0, f"more than {REDIRECTS_MAX} redirects", True),
]


@pytest.mark.parametrize(("behaviour", "offset", "why", "lasting"), [c[1:] for c in FAULTS], ids=[c[0] for c in FAULTS])
async def test_fetch_leaves_faulty_source(
    session: aiohttp.ClientSession,
    new_source: NewSource,
    *,
    behaviour: Behaviour,
    offset: int,
    why: str,
    lasting: bool,
) -> None:
    source = await new_source({PATH: BODY})
    source.behaviour = behaviour
    fault, got = await fetch(session, source.as_source(), offset=offset)
    assert fault is not None
    assert (fault.why, fault.lasting) == (why, lasting)
    assert BODY[offset:].startswith(got)


async def test_fetch_asks_no_other_host_on_redirect(session: aiohttp.ClientSession, new_source: NewSource) -> None:
    source = await new_source({PATH: BODY})
    assert source.server is not None
    asked: list[str] = []

    async def note(request: web.Request) -> web.Response:
        asked.append(request.path)
        return web.Response(body=BODY)

    inside = web.Application()
    inside.router.add_get("/{path:.*}", note)
    # The same scheme and port, so that nothing but the host can be what is refused.
    async with TestServer(inside, host="127.0.0.2", port=source.server.port):
        source.behaviour = redirect(f"http://127.0.0.2:{source.server.port}/inside")
        fault, got = await fetch(session, source.as_source())
    assert fault is not None
    assert (fault.reason, fault.lasting, got, asked) == ("redirect", True, b"", [])


async def test_fetch_leaves_source_that_resets(session: aiohttp.ClientSession, new_source: NewSource) -> None:
    source = await new_source({PATH: BODY})
    source.behaviour = reset
    fault, got = await fetch(session, source.as_source())
    assert fault is not None
    assert (fault.reason, fault.lasting, got) == ("reset", False, b"")


async def test_fetch_leaves_source_that_speaks_no_http(session: aiohttp.ClientSession, new_source: NewSource) -> None:
    source = await new_source({PATH: BODY})
    source.behaviour = garbage
    fault, _ = await fetch(session, source.as_source())
    assert fault is not None
    assert fault.reason == "not-http"


async def test_fetch_leaves_source_that_stalls_before_its_head(
    session: aiohttp.ClientSession, new_source: NewSource
) -> None:
    source = await new_source({PATH: BODY})

    async def hang(_request: web.Request, _body: bytes) -> web.StreamResponse:
        await source.released.wait()
        return web.Response()

    source.behaviour = hang
    fault, _ = await fetch(session, source.as_source(), table=QUICK)
    assert fault == Fault("stalled", "sent nothing for 0.3 s", lasting=False)


async def test_fetch_leaves_source_that_stalls_in_its_body(
    session: aiohttp.ClientSession, new_source: NewSource
) -> None:
    source = await new_source({PATH: BODY})

    async def hang(request: web.Request, body: bytes) -> web.StreamResponse:
        async def wait() -> None:
            await source.released.wait()

        return await chunked(request, [body[:5000]], then=wait)

    source.behaviour = hang
    fault, got = await fetch(session, source.as_source(), table=QUICK)
    assert fault == Fault("stalled", "sent nothing for 0.3 s", lasting=False)
    assert got == BODY[:5000]


async def test_fetch_leaves_source_that_drips(
    session: aiohttp.ClientSession, new_source: NewSource, monkeypatch: pytest.MonkeyPatch
) -> None:
    source = await new_source({PATH: BODY})

    async def drip(request: web.Request, body: bytes) -> web.StreamResponse:
        response = web.StreamResponse(headers={"Content-Length": str(len(body))})
        await response.prepare(request)
        for place in range(len(body)):
            await response.write(body[place : place + 1])
            try:
                async with asyncio.timeout(0.02):
                    await source.released.wait()
            except TimeoutError:
                continue
            break
        return response

    source.behaviour = drip
    fast = SimpleNamespace(monotonic_s=lambda: 100 * clock.monotonic_s())  # half a minute of dripping in 0.3 s
    monkeypatch.setattr("fill.fetch.clock", fast)
    table = FillTable(stall_timeout_s=30, source_rate_bytes_per_s_min=10_000)
    fault, got = await fetch(session, source.as_source(), table=table)
    assert fault == Fault("slow", "slower than 10000 bytes/s", lasting=False)
    assert 0 < len(got) < 1000


async def test_fetch_leaves_source_that_is_not_there(session: aiohttp.ClientSession) -> None:
    with socket.socket() as bound:  # bound but not listening: a connection is refused
        bound.bind(("127.0.0.1", 0))
        fault, _ = await fetch(session, FillSource(kind="peer", url=f"http://127.0.0.1:{bound.getsockname()[1]}"))
    assert fault is not None
    assert (fault.reason, fault.lasting) == ("unreachable", False)


async def test_fetch_leaves_source_whose_queue_is_full(session: aiohttp.ClientSession) -> None:
    with socket.socket() as full, socket.socket() as first, socket.socket() as second:
        full.bind(("127.0.0.1", 0))
        full.listen(0)
        for filler in (first, second):
            filler.setblocking(False)
            filler.connect_ex(full.getsockname())
        url = f"http://127.0.0.1:{full.getsockname()[1]}"
        table = structs.replace(PATIENT, connect_timeout_s=0.5)
        fault, _ = await fetch(session, FillSource(kind="peer", url=url), table=table)
    assert fault is not None
    assert (fault.why, fault.lasting) == ("broke the connection off: no connection in 0.5 s", False)


async def test_fetch_follows_redirect_on_same_host(session: aiohttp.ClientSession, new_source: NewSource) -> None:
    source = await new_source({PATH: BODY, "/moved": BODY})

    async def move(request: web.Request, body: bytes) -> web.StreamResponse:
        if request.path == "/moved":
            return await behave(request, body)
        return web.Response(status=307, headers={"Location": "/moved"})

    source.behaviour = move
    assert await fetch(session, source.as_source(), offset=7) == (None, BODY[7:])
    assert source.requests == [(PATH, "bytes=7-299999"), ("/moved", "bytes=7-299999")]


async def test_fetch_keeps_byte_rate(session: aiohttp.ClientSession, new_source: NewSource) -> None:
    source = await new_source({PATH: BODY})
    started = asyncio.get_running_loop().time()
    pacer = Pacer()
    pacer.allow(600_000, ALL, clock.monotonic_s())
    assert (await fetch(session, source.as_source(), pacer=pacer))[0] is None
    took_s = asyncio.get_running_loop().time() - started
    assert took_s >= 0.97 * (len(BODY) / 600_000 - 0.1)
    assert pacer.fetched_bytes == len(BODY)


async def test_fetch_stands_still_and_goes_on_where_it_was(
    session: aiohttp.ClientSession, new_source: NewSource
) -> None:
    source = await new_source({PATH: BODY})
    pacer = Pacer()
    got = bytearray()

    def take(chunk: bytes) -> None:
        if not got:
            pacer.allow(0, Share(0.0, "busy"), 0.0)
            asyncio.get_running_loop().call_later(0.05, pacer.allow, 0, ALL, 1.0)
        got.extend(chunk)

    fault = await ObjectFetcher(session, PATIENT, pacer, RANK).fetch(source.as_source(), WANTED, 0, take)
    assert (fault, bytes(got)) == (None, BODY)
    assert [path for path, _ in source.requests] == [PATH, PATH]
    assert source.requests[1][1].startswith("bytes=")


async def test_fetch_tells_how_long_a_source_took_to_answer(
    session: aiohttp.ClientSession, new_source: NewSource
) -> None:
    source = await new_source({PATH: BODY})
    rank = SourceRank(half_life_s=600, slow_answer_s=1e-9)
    assert (await fetch(session, source.as_source(), rank=rank))[0] is None
    assert rank.penalty(source.url, clock.monotonic_s()) > 0


TOKEN_PATH = "/t/SECRET.x.y"


async def test_fetch_shows_its_token_to_the_source_alone(session: aiohttp.ClientSession, new_source: NewSource) -> None:
    source = await new_source({TOKEN_PATH + PATH: BODY})
    signed = structs.replace(source.as_source(), token_path=TOKEN_PATH)
    assert await fetch(session, signed) == (None, BODY)
    assert source.requests == [(TOKEN_PATH + PATH, "")]


@pytest.mark.parametrize(
    "answer", [b"HTTP/1.1 403 Forbidden\r\n\r\n", b"nonsense\r\n\r\n", b"HTTP/1.1 2000 X\r\n\r\n", b""]
)
async def test_fetch_names_no_token_in_a_fault(session: aiohttp.ClientSession, answer: bytes) -> None:
    async def reply(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(answer)
        writer.close()

    async with await asyncio.start_server(reply, "127.0.0.1", 0) as server:
        url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
        fault, _ = await fetch(session, FillSource(kind="peer", url=url, token_path=TOKEN_PATH))
    assert fault is not None
    assert "SECRET" not in fault.why
