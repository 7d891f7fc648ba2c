import asyncio
import contextlib
import email
import errno
import gc
import os
import resource
import socket
import weakref
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from oca.delivery.metrics import DELIVERY_SLOTS
from oca.delivery.readahead import SLICE_BYTES
from oca.delivery.reads_settings import ReadsTable
from oca.delivery.service import Service
from oca.delivery.session import RECEIVE_BYTES, TURN_REQUESTS_MAX, Session
from oca.delivery.sessions import mark_of
from tests.unit.delivery.bench import CONTENT, LARGE_BYTES, Bench, Benches, read_reply, store_of
from tests.waiting import WAIT_S, until

GET = b"GET /h/%b HTTP/1.1\r\nHost: a\r\n\r\n"
SMALL, LARGE = CONTENT["small.m3u8"], CONTENT["large.m4s"]


class Turns:
    """The worker's loop as sessions see it, watched: how many turns wait at once, and how much with them."""

    def __init__(self, service: Service) -> None:
        self._service, self._loop = service, service.loop
        self.taken = self.waiting = self.waiting_max = self.pending_bytes_max = 0
        service.loop = self  # type: ignore[assignment]

    def call_soon(self, turn: Callable[[], None]) -> None:
        def take() -> None:
            self.waiting -= 1
            self.taken += 1
            turn()

        self.waiting += 1
        self.waiting_max = max(self.waiting_max, self.waiting)
        for session in self._service.sessions:
            assert isinstance(session, Session)
            self.pending_bytes_max = max(self.pending_bytes_max, session._requests.pending_bytes)
        self._loop.call_soon(take)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._loop, name)


class Watchless:
    """The worker's loop when the kernel has no memory for what epoll watches, but for as often as ``left`` says."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self.left = 0

    def add_reader(self, fileno: int, callback: Callable[[], None]) -> None:
        self.left -= 1
        if self.left < 0:
            raise OSError(errno.ENOSPC, "No space left on device")
        self._loop.add_reader(fileno, callback)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._loop, name)


async def test_session_sends_object_by_sendfile_and_counts_its_demand(benches: Benches) -> None:
    bench = benches()
    reader, writer = await bench.connect()
    writer.write(GET % b"small.m3u8" + b"GET /h/small.m3u8 HTTP/1.1\r\nHost: a\r\nRange: bytes=8-15\r\n\r\n")
    assert (await read_reply(reader))[2] == SMALL
    status, fields, body = await read_reply(reader)
    assert (status, fields["Content-Range"], body) == (206, "bytes 8-15/128", b"#EXTM3U\n")
    assert bench.count("delivery_sendfile_bytes") == bench.count("delivery_sent_bytes") == 128 + 8
    assert bench.service.demand.take() == [("harbour/v", 2, 136)]
    writer.close()
    await until(lambda: bench.count("delivery_connections") == 0)


@pytest.mark.parametrize("again", [GET % b"small.m3u8", GET % b"small.m3u8?CMCD=bl%3D1,ot%3Dv"])
async def test_session_answers_usual_request_as_it_answered_the_first(benches: Benches, again: bytes) -> None:
    bench = benches()
    reader, writer = await bench.connect()
    writer.write(GET % b"small.m3u8")
    first = await read_reply(reader)
    reads = bench.count("delivery_index_reads")
    for _ in range(3):
        writer.write(again)
        assert (await read_reply(reader))[2] == first[2]
    assert bench.count("delivery_index_reads") == reads
    assert bench.count("delivery_responses:200") == 4
    assert bench.service.demand.take() == [("harbour/v", 4, 4 * 128)]


async def test_session_is_met_once_an_asset_and_hour(benches: Benches) -> None:
    bench = benches()
    demand = bench.service.demand
    named = b"?CMCD=bl%3D1%2Csid%3D%22abc%22"
    for _ in range(2):  # two connections of one player, and four requests on each
        reader, writer = await bench.connect()
        for query in (named, named, b"", b"?CMCD=sid%3D%22other%22"):
            writer.write(GET % (b"small.m3u8" + query))
            await read_reply(reader)
    assert demand.take_met() == [("harbour/v", [mark_of(demand.salt, "abc")])]
    demand.begin_hour(b"another key", 8)
    for _ in range(2):
        writer.write(GET % b"small.m3u8")  # no name any more: its address stands for it
        await read_reply(reader)
    assert demand.take_met() == [("harbour/v", [mark_of(b"another key", "127.0.0.1")])]
    writer.write(GET % b"small.m3u8")
    await read_reply(reader)
    assert demand.take_met() == []


async def test_lone_request_of_any_kind_takes_one_turn(benches: Benches) -> None:
    bench = benches()
    turns = Turns(bench.service)
    reader, writer = await bench.connect()
    for request in (GET % b"small.m3u8", GET.replace(b"\r\n\r\n", b"\r\nRange: bytes=1-2\r\n\r\n") % b"small.m3u8"):
        writer.write(request)
        assert (await read_reply(reader))[0] in (200, 206)
    await asyncio.sleep(0)
    assert turns.taken == turns.waiting == 0


@pytest.mark.parametrize(
    ("asked", "status", "reason"),
    [
        (GET % b"small.m3u8?a\x80", 400, "target"),
        (GET % b"small.m3u8?a b", 400, "request-line"),
        (GET % b'small.m3u8?"', 400, "target"),
        (GET % (b"small.m3u8?" + b"a" * 600), 414, "target-too-long"),
        (GET.replace(b"GET", b"get") % b"small.m3u8", 501, "method-unknown"),
        (GET.replace(b"1.1", b"2.0") % b"small.m3u8", 505, "version"),
        (GET.replace(b"Host: a", b"Host: a\r\nHost: a") % b"small.m3u8", 400, "host-repeated"),
    ],
)
async def test_session_reads_strictly_what_only_looks_usual(
    benches: Benches, asked: bytes, status: int, reason: str
) -> None:
    bench = benches(target_bytes_max=512)
    reader, writer = await bench.connect()
    for _ in range(2):
        writer.write(GET % b"small.m3u8")
        assert (await read_reply(reader))[0] == 200
    writer.write(asked)
    assert (await read_reply(reader))[0] == status
    assert bench.count(f"delivery_refusals:{reason}") == 1


async def test_session_answers_usual_request_behind_one_that_comes_in_pieces(benches: Benches) -> None:
    bench = benches()
    reader, writer = await bench.connect()
    usual = GET % b"small.m3u8"
    writer.write(usual)
    await read_reply(reader)
    (session,) = bench.service.sessions
    assert isinstance(session, Session)
    for cut in (1, len(usual) - 1):
        writer.write(usual[:cut])
        await until(lambda: session._requests.pending_bytes > 0)
        writer.write(usual[cut:] + usual)
        for _ in range(2):
            assert (await read_reply(reader))[2] == SMALL
        writer.write(usual)
        assert (await read_reply(reader))[2] == SMALL


def observed(bench: Bench, name: str) -> tuple[int, int]:
    """How many observations a histogram of the worker has, and their sum in microseconds."""
    bench.service.timings.fold()
    counts = {key: bench.count(key) for key in DELIVERY_SLOTS if key.startswith(f"{name}:")}
    return sum(counts.values()) - counts[f"{name}:sum"], counts[f"{name}:sum"]


TIMED = ("delivery_first_byte_seconds", "delivery_transfer_seconds")


async def test_session_times_first_byte_and_transfer(benches: Benches) -> None:
    bench = benches()
    reader, writer = await bench.connect(receive_bytes=4096)
    writer.write(GET % b"small.m3u8" + GET % b"none" + b"OPTIONS /h/small.m3u8 HTTP/1.1\r\nHost: a\r\n\r\n")
    for _ in range(3):
        await read_reply(reader)
    await until(lambda: observed(bench, "delivery_transfer_seconds")[0] == 3)
    assert observed(bench, "delivery_first_byte_seconds")[0] == 3
    first_us, transfer_us = (observed(bench, name)[1] for name in TIMED)
    writer.write(GET % b"large.m4s" + GET % b"small.m3u8")
    # Its first byte is out, its last is not.
    await until(lambda: observed(bench, "delivery_first_byte_seconds")[0] == 4)
    assert observed(bench, "delivery_transfer_seconds")[0] == 3
    await asyncio.sleep(0.3)
    await read_reply(reader)
    await read_reply(reader)
    await until(lambda: observed(bench, "delivery_transfer_seconds")[0] == 5)
    more_first_us, more_transfer_us = (observed(bench, name)[1] for name in TIMED)
    assert more_transfer_us - transfer_us > more_first_us - first_us + 290_000
    assert bench.count("delivery_requests:GET") == 4
    assert bench.count("delivery_requests:OPTIONS") == 1
    writer.close()


async def leave_amid_response(bench: Bench) -> None:
    """Ask for the large object, and go when it is on its way."""
    _, writer = await bench.connect(receive_bytes=4096)
    writer.write(GET % b"large.m4s")
    await until(lambda: bench.count("delivery_sends") == 1)
    writer.transport.abort()
    await until(lambda: bench.count("delivery_connections") == 0)


async def test_session_times_no_transfer_that_was_cut(benches: Benches) -> None:
    bench = benches()
    await leave_amid_response(bench)
    assert observed(bench, "delivery_first_byte_seconds")[0] == 1
    assert observed(bench, "delivery_transfer_seconds")[0] == 0


async def test_session_sends_large_object_to_slow_reader(benches: Benches) -> None:
    bench = benches()
    reader, writer = await bench.connect(receive_bytes=4096)
    writer.write(GET % b"large.m4s" + GET % b"small.m3u8")
    await until(lambda: bench.count("delivery_sends") == 1)
    assert (await read_reply(reader))[2] == LARGE
    assert (await read_reply(reader))[2] == SMALL
    assert bench.count("delivery_sends") == 0
    assert bench.count("delivery_sends_blocked") > 0
    assert bench.service.demand.take() == [("harbour/v", 2, LARGE_BYTES + 128)]
    writer.close()


@pytest.mark.parametrize("receive_bytes", [0, 4096])
async def test_session_sends_several_ranges_by_sendfile(benches: Benches, receive_bytes: int) -> None:
    bench = benches()
    reader, writer = await bench.connect(receive_bytes=receive_bytes)
    asked = b"bytes=20000000-23999999,5-9,-4"
    writer.write(GET.replace(b"\r\n\r\n", b"\r\nRange: %b\r\n\r\n") % (b"large.m4s", asked) + GET % b"small.m3u8")
    status, fields, body = await read_reply(reader)
    assert (status, len(body)) == (206, int(fields["Content-Length"]))
    message = email.message_from_bytes(f"Content-Type: {fields['Content-Type']}\r\n\r\n".encode() + body)
    assert not message.defects
    parts = [part.get_payload(decode=True) for part in message.walk() if not part.is_multipart()]
    assert parts == [LARGE[20000000:24000000], LARGE[5:10], LARGE[-4:]]
    assert (await read_reply(reader))[2] == SMALL
    assert bench.count("delivery_sendfile_bytes") == 4_000_009 + 128
    assert bench.service.demand.take() == [("harbour/v", 2, 4_000_009 + 128)]
    writer.close()


async def test_session_sends_small_object_from_memory_once_it_was_read(benches: Benches) -> None:
    bench = benches()
    reader, writer = await bench.connect()
    for _ in range(3):
        writer.write(GET % b"small.m3u8")
        assert (await read_reply(reader))[2] == SMALL
    await until(lambda: bench.count("delivery_sent_bytes") == 3 * 128)
    assert (bench.count("delivery_sendfile_bytes"), bench.count("delivery_small_sent_bytes")) == (128, 256)
    bench.service.reads.epoch += 1  # whether its pages are still in memory does not matter
    probes = bench.count("delivery_probes:memory")
    writer.write(GET % b"small.m3u8")
    assert (await read_reply(reader))[2] == SMALL
    assert (bench.count("delivery_small_sent_bytes"), bench.count("delivery_probes:memory")) == (384, probes)
    await until(lambda: bench.service.demand.take() == [("harbour/v", 4, 512)])
    writer.close()


async def test_session_keeps_no_small_object_where_that_is_off(benches: Benches) -> None:
    bench = benches(reads=ReadsTable(small_bytes_max=0))
    reader, writer = await bench.connect()
    for _ in range(3):
        writer.write(GET % b"small.m3u8")
        assert (await read_reply(reader))[2] == SMALL
    assert (bench.count("delivery_sendfile_bytes"), bench.count("delivery_small_sent_bytes")) == (384, 0)
    writer.close()


async def test_session_sends_the_whole_once_for_a_range_bomb(benches: Benches) -> None:
    bench = benches()
    reader, writer = await bench.connect()
    bomb = b"bytes=" + b",".join(b"%d-" % first for first in range(1000))
    writer.write(GET.replace(b"\r\n\r\n", b"\r\nRange: %b\r\n\r\n") % (b"small.m3u8", bomb))
    assert (await read_reply(reader))[::2] == (200, SMALL)
    assert bench.count("delivery_sendfile_bytes") == 128
    writer.close()


async def test_session_counts_no_demand_of_fill(benches: Benches) -> None:
    bench = benches()
    reader, writer = await bench.connect()
    writer.write(b"GET /h/small.m3u8 HTTP/1.1\r\nHost: a\r\nUser-Agent: oca-fill/0.1.0\r\n\r\n")
    await read_reply(reader)
    # Nor what goes on in the background, nor a resumed object: peers' fills must not make an asset look popular.
    writer.write(GET.replace(b"\r\n\r\n", b"\r\nUser-Agent: oca-fill/0.1.0\r\n\r\n") % b"large.m4s")
    assert len((await read_reply(reader))[2]) == LARGE_BYTES
    writer.write(b"GET /h/small.m3u8 HTTP/1.1\r\nHost: a\r\nUser-Agent: oca-fill/0.1.0\r\nRange: bytes=8-15\r\n\r\n")
    assert (await read_reply(reader))[0] == 206
    assert bench.service.demand.take() == []
    assert bench.count("delivery_fill_requests") == 3
    assert bench.count("delivery_fill_sent_bytes") == 128 + LARGE_BYTES + 8
    writer.close()


async def test_session_answers_miss_head_empty_and_preflight(benches: Benches) -> None:
    bench = benches()
    reader, writer = await bench.connect()
    writer.write(GET % b"none" + b"HEAD /h/small.m3u8 HTTP/1.1\r\nHost: a\r\n\r\n")
    assert (await read_reply(reader))[0] == 404
    status, fields, _ = await read_reply(reader, bodiless=True)
    assert (status, fields["Content-Length"]) == (200, "128")
    writer.write(GET % b"empty.vtt" + b"OPTIONS /h/small.m3u8 HTTP/1.1\r\nHost: a\r\n\r\n")
    status, fields, _ = await read_reply(reader)
    assert (status, fields["Content-Length"]) == (200, "0")
    assert (await read_reply(reader))[0] == 204
    assert bench.service.demand.take() == []
    writer.close()


@pytest.mark.parametrize("piece", [1, 7, 4096])
async def test_session_reads_requests_in_pieces(benches: Benches, piece: int) -> None:
    bench = benches()
    reader, writer = await bench.connect()
    data = GET % b"small.m3u8" * 3
    for at in range(0, len(data), piece):
        writer.write(data[at : at + piece])
        await asyncio.sleep(0)
    for _ in range(3):
        assert (await read_reply(reader))[0] == 200
    writer.close()


async def test_session_answers_many_pipelined_requests_in_order(benches: Benches) -> None:
    bench = benches()
    reader, writer = await bench.connect()
    writer.write(b"".join(GET % (b"small.m3u8" if number % 2 else b"none") for number in range(100)))
    assert [(await read_reply(reader))[0] for _ in range(100)] == [404, 200] * 50
    writer.close()


async def test_session_takes_one_turn_at_a_time_however_much_is_asked(benches: Benches) -> None:
    bench = benches()
    turns = Turns(bench.service)
    reader, writer = await bench.connect()
    flood = 5000
    writer.write(GET % b"none" * flood)
    for _ in range(flood):
        assert (await read_reply(reader))[0] == 404
    assert turns.taken >= flood // TURN_REQUESTS_MAX - 1
    assert turns.waiting_max == 1
    assert turns.pending_bytes_max <= bench.service.limits.head_bytes_max + RECEIVE_BYTES
    writer.close()


async def test_session_answers_what_was_asked_before_the_client_ended(benches: Benches) -> None:
    bench = benches()
    reader, writer = await bench.connect()
    asked = 40 * TURN_REQUESTS_MAX
    writer.write(GET % b"none" * asked)
    writer.write_eof()
    for _ in range(asked):
        assert (await read_reply(reader))[0] == 404
    assert await reader.read() == b""
    writer.close()


async def test_session_refuses_malformed_request_and_closes(benches: Benches) -> None:
    bench = benches()
    reader, writer = await bench.connect()
    writer.write(GET % b"small.m3u8" + b"GET /h/small.m3u8 HTTP/1.1\r\n\r\n" + b"x" * 5000)
    assert (await read_reply(reader))[0] == 200
    status, fields, body = await read_reply(reader)
    assert (status, fields["Connection"], body) == (400, "close", b"host-missing\n")
    assert await reader.read() == b""
    assert bench.count("delivery_refusals:host-missing") == 1
    writer.close()
    await until(lambda: bench.count("delivery_connections") == 0)


async def test_session_closes_when_asked_to(benches: Benches) -> None:
    bench = benches()
    reader, writer = await bench.connect()
    writer.write(b"GET /h/large.m4s HTTP/1.0\r\n\r\n")
    status, fields, body = await read_reply(reader)
    assert (status, fields["Connection"], body) == (200, "close", LARGE)
    assert await reader.read() == b""
    writer.close()


async def test_session_answers_client_that_has_ended_its_side(benches: Benches) -> None:
    bench = benches()
    reader, writer = await bench.connect()
    writer.write(GET % b"large.m4s" + GET % b"small.m3u8")
    writer.write_eof()
    assert (await read_reply(reader))[2] == LARGE
    assert (await read_reply(reader))[2] == SMALL
    assert await reader.read() == b""
    writer.close()


async def test_session_bounds_what_waits_behind_a_response(benches: Benches) -> None:
    bench = benches(requests_per_connection_max=30_000)
    reader, writer = await bench.connect(receive_bytes=4096)
    writer.write(GET % b"large.m4s")
    await until(lambda: bench.count("delivery_sends") == 1)
    flood = 20000
    writer.write(GET % b"none" * flood)
    (session,) = bench.service.sessions
    assert isinstance(session, Session)
    await until(lambda: not session._reading.on)
    assert session._requests.pending_bytes < 64 * 1024
    assert (await read_reply(reader))[0] == 200
    for _ in range(flood):
        assert (await read_reply(reader))[0] == 404
    writer.close()


async def test_session_ends_idle_connection(benches: Benches) -> None:
    bench = benches(idle_timeout_s=0.1, head_timeout_s=60)
    reader, writer = await bench.connect()
    writer.write(GET % b"small.m3u8")
    await read_reply(reader)
    assert await reader.read() == b""
    assert bench.count("delivery_time_outs:idle") == 1
    writer.close()


async def test_session_ends_connection_that_never_asks(benches: Benches) -> None:
    bench = benches(head_timeout_s=0.1)
    reader, writer = await bench.connect()
    assert await reader.read() == b""
    assert bench.count("delivery_connections") == 0
    writer.close()


@pytest.mark.parametrize("begun", [GET[:10], b"\r\n"])
async def test_session_refuses_head_that_takes_too_long(benches: Benches, begun: bytes) -> None:
    bench = benches(head_timeout_s=0.1)
    reader, writer = await bench.connect()
    writer.write(begun)
    status, _, body = await read_reply(reader)
    assert (status, body) == (408, b"head-time-out\n")
    assert bench.count("delivery_time_outs:head") == bench.count("delivery_refusals:head-time-out") == 1
    writer.close()


async def test_session_cuts_stalled_client_by_reset(benches: Benches) -> None:
    bench = benches(stalled_timeout_s=0.2)
    reader, writer = await bench.connect(receive_bytes=4096)
    writer.transport.pause_reading()  # type: ignore[attr-defined]
    writer.write(GET % b"large.m4s")
    await until(lambda: bench.count("delivery_sends_cut:stalled") == 1)
    assert bench.count("delivery_sends") == bench.count("delivery_connections") == 0
    writer.transport.resume_reading()  # type: ignore[attr-defined]
    with pytest.raises(ConnectionResetError):
        await reader.readexactly(LARGE_BYTES)
    writer.close()


async def test_session_cuts_client_that_takes_too_little(benches: Benches) -> None:
    bench = benches(client_rate_bytes_per_s_min=50_000_000, client_rate_window_s=0.5)
    slow_reader, slow = await bench.connect(receive_bytes=4096)
    slow.transport.pause_reading()  # type: ignore[attr-defined]
    slow.write(GET % b"large.m4s")
    reader, writer = await bench.connect()

    async def sip() -> None:
        """Takes something all the time, so that it never counts as stalled."""
        while True:
            slow.transport.resume_reading()  # type: ignore[attr-defined]
            await slow_reader.readexactly(1000)
            slow.transport.pause_reading()  # type: ignore[attr-defined]
            await asyncio.sleep(0.01)

    with pytest.raises((ConnectionResetError, asyncio.IncompleteReadError)):
        async with asyncio.timeout(WAIT_S):
            await sip()
    assert bench.count("delivery_sends_cut:slow") == 1
    assert bench.count("delivery_sends_cut:stalled") == bench.count("delivery_sends") == 0
    writer.write(GET % b"large.m4s")
    assert (await read_reply(reader))[2] == LARGE
    slow.close()
    writer.close()


@pytest.mark.parametrize("ask", [GET % b"small.m3u8" * 2000, b"GET /h/some.m4s HTTP/1.0\r\n\r\n"])
async def test_session_cuts_client_that_leaves_whole_responses_in_the_socket(
    benches: Benches, tmp_path: Path, ask: bytes
) -> None:
    device = store_of(tmp_path, {"small.m3u8": SMALL, "some.m4s": bytes(1_000_000)})
    bench = benches(on=device, stalled_timeout_s=0.4, pipelined_max=1000)
    _, writer = await bench.connect(receive_bytes=4096)
    writer.transport.pause_reading()  # type: ignore[attr-defined]
    writer.write(ask)
    await until(lambda: bench.count("delivery_responses:200") in (1, 2000))
    assert bench.count("delivery_sends") == 0  # all of it is in the kernel's hands
    await until(lambda: bench.count("delivery_sends_cut:stalled") == 1)
    assert bench.count("delivery_connections") == 0


async def test_session_waits_for_slow_client_to_take_what_it_was_sent_last(benches: Benches, tmp_path: Path) -> None:
    body = bytes(1_000_000)
    often = {"client_rate_window_s": 1, "client_rate_bytes_per_s_min": 0}  # it is looked at often, and never too slow
    bench = benches(on=store_of(tmp_path, {"some.m4s": body}), idle_timeout_s=0.2, **often)
    reader, writer = await bench.connect(receive_bytes=4096)
    writer.transport.pause_reading()  # type: ignore[attr-defined]
    writer.write(GET % b"some.m4s")
    await until(lambda: bench.count("delivery_responses:200") == 1)
    await asyncio.sleep(0.8)
    assert bench.count("delivery_connections") == 1
    writer.transport.resume_reading()  # type: ignore[attr-defined]
    assert (await read_reply(reader))[2] == body
    assert await reader.read() == b""
    assert bench.count("delivery_time_outs:idle") == 1


async def test_session_closes_politely_after_the_last_request_it_takes(benches: Benches) -> None:
    bench = benches(requests_per_connection_max=3)
    reader, writer = await bench.connect()
    writer.write(GET % b"small.m3u8" * 5)
    for expected in (None, None, "close"):
        status, fields, body = await read_reply(reader)
        assert (status, fields.get("Connection"), body) == (200, expected, SMALL)
    assert await reader.read() == b""
    assert bench.count("delivery_connections_used_up") == 1
    writer.close()


async def test_session_reads_no_more_than_it_may_hold_of_pipelined_requests(benches: Benches) -> None:
    bench = benches(pipelined_max=4)
    reader, writer = await bench.connect(receive_bytes=4096)
    writer.write(GET % b"large.m4s")
    await until(lambda: bench.count("delivery_sends") == 1)
    (session,) = bench.service.sessions
    assert isinstance(session, Session)
    for number in range(1, 5):
        writer.write(GET % b"small.m3u8")
        await until(lambda number=number: session._requests.has_pending(number))  # type: ignore[misc]
        assert session._reading.on
    writer.write(GET % b"small.m3u8")
    await until(lambda: not session._reading.on)
    assert bench.count("delivery_pipelining_pauses") == 1
    writer.write(GET % b"small.m3u8" * 20)
    assert (await read_reply(reader))[2] == LARGE
    for _ in range(25):
        assert (await read_reply(reader))[2] == SMALL
    writer.close()


@pytest.mark.parametrize("shortage", [errno.ENOBUFS, errno.ENOMEM])
async def test_session_rests_while_kernel_has_no_memory_to_receive(benches: Benches, shortage: int) -> None:
    bench = benches()
    reader, writer = await bench.connect()
    await until(lambda: len(bench.service.sessions) == 1)
    (session,) = bench.service.sessions
    assert isinstance(session, Session)
    receive, tries = session._receive, 0

    def short(most: int) -> bytes:
        nonlocal tries
        tries += 1
        if tries < 3:
            raise OSError(shortage, "short")
        return receive(most)

    session._receive = short  # type: ignore[assignment]
    writer.write(GET % b"small.m3u8")
    assert (await read_reply(reader))[2] == SMALL
    assert tries == 3  # no more often than it rested
    assert bench.count("delivery_memory_pauses") == 2
    writer.close()


async def test_session_rests_while_what_it_waits_for_cannot_be_watched(benches: Benches) -> None:
    bench = benches()
    full = bench.service.loop = Watchless(bench.service.loop)  # type: ignore[assignment]
    full.left = 1
    reader, writer = await bench.connect(receive_bytes=4096)
    writer.write(GET % b"large.m4s")
    await until(lambda: bench.count("delivery_sends") == 1)
    writer.write(GET % b"small.m3u8" * 500)  # reading pauses, and cannot go on afterwards
    assert (await read_reply(reader))[2] == LARGE
    await until(lambda: bench.count("delivery_memory_pauses") > 0)
    full.left = 1000
    for _ in range(500):
        assert (await read_reply(reader))[2] == SMALL
    writer.close()


async def test_session_is_freed_when_its_connection_ends(benches: Benches) -> None:
    bench = benches()
    _, writer = await bench.connect()
    await until(lambda: len(bench.service.sessions) == 1)
    (session,) = bench.service.sessions
    assert isinstance(session, Session)
    gone = weakref.ref(session._connection)
    del session
    gc.disable()
    try:
        writer.close()
        await until(lambda: gone() is None)
    finally:
        gc.enable()


async def test_session_counts_client_that_leaves_amid_response(benches: Benches) -> None:
    bench = benches()
    await leave_amid_response(bench)
    assert bench.count("delivery_sends_cut:client") == 1
    assert bench.count("delivery_sends") == 0


async def test_session_resets_rather_than_send_less_than_promised(benches: Benches, tmp_path: Path) -> None:
    device = store_of(tmp_path, {"a.m4s": bytes(SLICE_BYTES + 200_000)})
    (pack,) = (device / "packs").iterdir()
    os.truncate(pack, SLICE_BYTES + 100_000)
    bench = benches(on=device)
    reader, writer = await bench.connect()
    writer.write(GET % b"a.m4s")
    with pytest.raises((ConnectionResetError, asyncio.IncompleteReadError)) as caught:
        await read_reply(reader)
    assert caught.type is ConnectionResetError
    assert bench.count("delivery_sends_cut:pack") == 1
    writer.close()
    # A player that comes again must not lose another connection to find out: a 404 sends it elsewhere at once.
    reader, writer = await bench.connect()
    writer.write(GET % b"a.m4s")
    assert (await read_reply(reader))[0] == 404


async def test_session_answers_404_when_pack_lacks_first_slice(benches: Benches, tmp_path: Path) -> None:
    device = store_of(tmp_path, {"a.m4s": bytes(200_000)})
    (pack,) = (device / "packs").iterdir()
    os.truncate(pack, 100_000)
    bench = benches(on=device)
    reader, writer = await bench.connect()
    writer.write(GET % b"a.m4s" + GET % b"a.m4s")
    assert [(await read_reply(reader))[0] for _ in range(2)] == [404, 404]
    assert bench.count("delivery_reads:short") == 1
    assert bench.count("delivery_responses:200") == bench.count("delivery_sends") == 0


async def test_drain_closes_idle_and_finishes_responses(benches: Benches) -> None:
    bench = benches()
    idle_reader, idle_writer = await bench.connect()
    reader, writer = await bench.connect(receive_bytes=4096)
    writer.write(GET % b"large.m4s")
    await until(lambda: bench.count("delivery_sends") == 1 and bench.count("delivery_connections") == 2)
    draining = asyncio.get_running_loop().create_task(bench.service.drain())
    assert await idle_reader.read() == b""
    idle_writer.close()
    assert (await read_reply(reader))[2] == LARGE
    assert await reader.read() == b""
    writer.close()
    await draining
    assert bench.count("delivery_connections") == 0


async def test_acceptor_resets_connections_beyond_the_limit(benches: Benches) -> None:
    bench = benches(connections_max=1)
    reader, writer = await bench.connect()
    writer.write(GET % b"small.m3u8")
    await read_reply(reader)

    def ask_again() -> bytes:
        with socket.create_connection(bench.address, timeout=WAIT_S) as second:
            return second.recv(1)

    with pytest.raises(ConnectionResetError):
        await asyncio.to_thread(ask_again)
    assert bench.count("delivery_connections_refused:connections") == 1
    writer.close()


async def test_acceptor_resets_connections_of_a_client_that_has_enough(benches: Benches) -> None:
    bench = benches(connections_per_client_max=2)
    loop = asyncio.get_running_loop()

    async def ask(client: socket.socket) -> bytes:
        await loop.sock_connect(client, bench.address)
        await loop.sock_sendall(client, GET % b"none")
        return await loop.sock_recv(client, 12)

    clients = [socket.socket() for _ in range(5)]
    for client in clients:
        client.setblocking(False)
    clients[3].bind(("127.0.0.3", 0))
    async with asyncio.timeout(WAIT_S):
        assert await ask(clients[0]) == await ask(clients[1]) == b"HTTP/1.1 404"
        with pytest.raises(ConnectionError):
            await ask(clients[2])
        assert await ask(clients[3]) == b"HTTP/1.1 404"
        clients[0].close()
        await until(lambda: bench.count("delivery_connections") == 2)
        assert await ask(clients[4]) == b"HTTP/1.1 404"
    assert bench.count("delivery_connections_refused:client") == 1
    for client in clients:
        client.close()


async def test_acceptor_resets_connection_that_cannot_be_watched(benches: Benches) -> None:
    bench = benches()
    full = bench.service.loop = Watchless(bench.service.loop)  # type: ignore[assignment]
    with contextlib.suppress(ConnectionResetError):
        reader, writer = await bench.connect()
        assert await reader.read() == b""
    full.left = 1
    reader, writer = await bench.connect()
    writer.write(GET % b"small.m3u8")
    assert (await read_reply(reader))[0] == 200
    writer.close()
    assert bench.count("delivery_connections_refused:memory") == 1
    await until(lambda: bench.count("delivery_connections") == 0)


async def test_acceptor_rests_when_memory_runs_out(benches: Benches, monkeypatch: pytest.MonkeyPatch) -> None:
    bench = benches()

    class Short:
        """A listener whose first accept finds no memory left."""

        def __init__(self, listener: socket.socket) -> None:
            self.listener, self.tries = listener, 0

        def accept(self) -> Any:
            self.tries += 1
            if self.tries == 1:
                raise OSError(errno.ENOMEM, "Cannot allocate memory")
            return self.listener.accept()

        def __getattr__(self, name: str) -> Any:
            return getattr(self.listener, name)

    monkeypatch.setattr(bench.acceptor, "_listener", Short(bench.listener))
    reader, writer = await bench.connect()
    writer.write(GET % b"small.m3u8")
    assert (await read_reply(reader))[0] == 200
    assert bench.count("delivery_accept_pauses") == 1
    writer.close()


@pytest.fixture
def no_descriptor_left() -> Iterator[Callable[[], contextlib.AbstractContextManager[None]]]:
    """Makes a time in which this process gets no further descriptor."""
    before = resource.getrlimit(resource.RLIMIT_NOFILE)

    @contextlib.contextmanager
    def shortage() -> Iterator[None]:
        lowest_free = os.dup(0)
        os.close(lowest_free)
        resource.setrlimit(resource.RLIMIT_NOFILE, (lowest_free, before[1]))
        try:
            yield
        finally:
            resource.setrlimit(resource.RLIMIT_NOFILE, before)

    yield shortage
    resource.setrlimit(resource.RLIMIT_NOFILE, before)


async def test_acceptor_resets_connections_that_no_descriptor_is_left_for(
    benches: Benches,
    no_descriptor_left: Callable[[], contextlib.AbstractContextManager[None]],
) -> None:
    bench = benches()
    loop = asyncio.get_running_loop()

    async def ask(client: socket.socket) -> None:
        await loop.sock_connect(client, bench.address)
        await loop.sock_recv(client, 1)

    clients = [socket.socket() for _ in range(3)]
    with no_descriptor_left():
        for client in clients:
            client.setblocking(False)
            with pytest.raises(ConnectionResetError):
                await asyncio.wait_for(ask(client), WAIT_S)
    for client in clients:
        client.close()
    assert bench.count("delivery_connections_refused:descriptors") == 3
    assert bench.count("delivery_accept_pauses") == 0
    reader, writer = await bench.connect()
    writer.write(GET % b"small.m3u8")
    assert (await read_reply(reader))[0] == 200
    writer.close()


async def test_acceptor_rests_when_its_spare_descriptor_is_gone_too(
    benches: Benches, no_descriptor_left: Callable[[], contextlib.AbstractContextManager[None]]
) -> None:
    bench = benches()
    loop = asyncio.get_running_loop()
    os.close(bench.acceptor._spare)
    bench.acceptor._spare = -1
    client = socket.socket()
    client.setblocking(False)
    with no_descriptor_left():
        await loop.sock_connect(client, bench.address)
        await until(lambda: bench.count("delivery_accept_pauses") > 0)
    await loop.sock_sendall(client, GET % b"none")
    async with asyncio.timeout(WAIT_S):
        assert (await loop.sock_recv(client, 12)) == b"HTTP/1.1 404"
    assert bench.acceptor._spare >= 0
    client.close()
