"""Misses fetched from a real origin over sockets, as viewers see them."""

import asyncio
import base64
import contextlib
import errno
import hashlib
import os
import threading
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from oca.common import clock
from oca.common.demand import Wanted
from oca.common.errors import StoreFullError
from oca.common.log import configure_logging
from oca.delivery import pull_storage
from oca.delivery import pulls as module
from oca.delivery.miss_settings import MissTable
from oca.delivery.pulls import Pulls
from oca.store import files
from oca.store.pulled import FOLDER, PulledPool
from tests.unit.delivery.bench import Bench, Benches, read_reply, store_of
from tests.waiting import WAIT_S, until

GET = b"GET %b HTTP/1.1\r\nHost: a\r\n\r\n"
BODY = bytes(range(251)) * 40_000
"""Some 10 MB: more than sockets hold, so that a slow viewer shows."""
Answer = Callable[["Origin", asyncio.StreamWriter], Awaitable[None]]


class Origin:
    """A server whose every answer is scripted; ``heads`` are the requests it saw."""

    def __init__(self) -> None:
        self.heads: list[str] = []
        self.answer: Answer = whole
        self.gate = asyncio.Event()
        self.url = ""
        self.active = 0

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.active += 1
        with contextlib.suppress(OSError, asyncio.IncompleteReadError):
            self.heads.append((await reader.readuntil(b"\r\n\r\n")).decode())
            await self.answer(self, writer)
            await writer.drain()
        writer.close()
        with contextlib.suppress(OSError):
            await writer.wait_closed()
        self.active -= 1


def head(size: int | None, *fields: str, status: str = "200 OK") -> bytes:
    lines = [f"HTTP/1.1 {status}", "Content-Type: video/mp4", "Connection: close", *fields]
    lines += [f"Content-Length: {size}"] if size is not None else []
    return ("\r\n".join(lines) + "\r\n\r\n").encode()


async def whole(origin: Origin, writer: asyncio.StreamWriter) -> None:
    writer.write(head(len(BODY), "Cache-Control: max-age=600") + BODY)


def plain(body: bytes, *fields: str, status: str = "200 OK", stated: int | None = -1) -> Answer:
    async def answer(origin: Origin, writer: asyncio.StreamWriter) -> None:
        writer.write(head(len(body) if stated == -1 else stated, *fields, status=status) + body)

    return answer


async def halves(origin: Origin, writer: asyncio.StreamWriter) -> None:
    writer.write(head(len(BODY), "Cache-Control: max-age=600") + BODY[: len(BODY) // 2])
    await origin.gate.wait()
    writer.write(BODY[len(BODY) // 2 :])


async def silence(origin: Origin, writer: asyncio.StreamWriter) -> None:
    await origin.gate.wait()


async def stall(origin: Origin, writer: asyncio.StreamWriter) -> None:
    writer.write(head(len(BODY)) + BODY[:100_000])
    await origin.gate.wait()


@pytest.fixture
async def origin() -> AsyncIterator[Origin]:
    configure_logging(style="json")
    made = Origin()
    server = await asyncio.start_server(made.serve, "127.0.0.1", 0)
    made.url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    yield made
    made.gate.set()
    server.close()
    await until(lambda: made.active == 0)
    await server.wait_closed()


@pytest.fixture
def own(tmp_path: Path) -> Path:
    """A device of the test's own."""
    return store_of(tmp_path, {"held.m4s": b"held"})


@pytest.fixture(autouse=True)
def patience(monkeypatch: pytest.MonkeyPatch) -> None:
    """A busy machine's device takes longer than viewers are to wait for."""
    monkeypatch.setattr(pull_storage, "DEVICE_S_MAX", WAIT_S)


@pytest.fixture
async def boxes(own: Path, origin: Origin, benches: Benches) -> AsyncIterator[Callable[..., Bench]]:
    """Workers over one device that fetch from the origin."""
    opened: list[Pulls] = []

    def make(**settings: Any) -> Bench:
        appliance, device = settings.pop("appliance", "box"), settings.pop("on", own)
        devices = [*settings.pop("before", ()), device]
        limits = {name: settings.pop(name) for name in ("stalled_timeout_s",) if name in settings}
        table = MissTable(**{"policy": "fetch", "origin_url": origin.url, **settings})
        bench = benches(on=device, miss=table, **limits)
        pulls = Pulls(table, devices, bench.service.lookup, bench.page.counts, appliance=appliance)
        bench.service.misses.pulls = pulls
        opened.append(pulls)
        return bench

    yield make
    for pulls in opened:
        await pulls.close()


async def get(bench: Bench, path: str = "/film/1.m4s", *fields: str) -> tuple[int, dict[str, str], bytes]:
    reader, writer = await bench.connect()
    lines = "".join(f"{field}\r\n" for field in fields)
    writer.write(f"GET {path} HTTP/1.1\r\nHost: a\r\n{lines}\r\n".encode())
    try:
        return await read_reply(reader)
    finally:
        writer.close()


async def cut_off(bench: Bench) -> bool:
    """Whether a GET is answered 200 and ends in a reset before its last byte."""
    reader, writer = await bench.connect()
    writer.write(GET % b"/film/1.m4s")
    assert (await reader.readuntil(b"\r\n\r\n")).startswith(b"HTTP/1.1 200 ")
    try:
        while await reader.read(2**16):
            pass
    except ConnectionResetError:
        return True
    return False


def url_of(bench: Bench) -> str:
    host, port = bench.address[:2]
    return f"http://{host}:{port}"


def pulled_files(device: Path) -> list[str]:
    folder = device / FOLDER
    return sorted(file.suffix for file in folder.iterdir()) if folder.exists() else []


async def test_pulls_bring_object_once_for_many_viewers(origin: Origin, boxes: Callable[..., Bench]) -> None:
    bench = boxes()
    origin.answer = halves
    asked = [asyncio.ensure_future(get(bench)) for _ in range(200)]
    await until(lambda: bench.count("delivery_misses:content") == 200)
    origin.gate.set()
    replies = await asyncio.gather(*asked)
    assert all((status, body) == (200, BODY) for status, _, body in replies)
    assert len(origin.heads) == 1
    assert replies[0][1]["Cache-Status"] == "box;fwd=miss;stored"
    assert bench.count("delivery_pulls") == 1
    await until(lambda: bench.count("delivery_pull_outcomes:stored") == 1)
    assert bench.count("delivery_pull_outcomes:not-stored") == 0  # one pull for all, not many that follow one


async def test_pulled_object_is_hit_afterwards_by_sendfile(
    origin: Origin, boxes: Callable[..., Bench], own: Path
) -> None:
    bench = boxes()
    await get(bench)
    await until(lambda: bench.count("delivery_pull_outcomes:stored") == 1)
    before = bench.count("delivery_sendfile_bytes")
    status, fields, body = await get(bench)
    assert (status, fields["Cache-Status"], body) == (200, "box;hit", BODY)
    assert int(fields["Cache-Control"].removeprefix("max-age=")) <= 600
    assert bench.count("delivery_sendfile_bytes") == before + len(BODY)
    etag = fields["ETag"]
    assert (await get(bench, "/film/1.m4s", f"If-None-Match: {etag}"))[0] == 304
    assert (await get(bench, "/film/1.m4s", "Range: bytes=5-9"))[2] == BODY[5:10]
    # Another worker, or this one after a restart, finds it on the device.
    other = boxes()
    assert (await get(other))[1]["ETag"] == etag
    assert other.count("delivery_pull_outcomes:here") == 1
    assert len(origin.heads) == 1
    assert bench.service.demand.take() == other.service.demand.take() == []
    # The first miss and the hit whole, and a part; not what was not modified.
    assert bench.service.demand.take_wanted() == {"/film/1.m4s": Wanted(fetched=3, fetched_bytes=2 * len(BODY) + 5)}
    assert other.service.demand.take_wanted() == {"/film/1.m4s": Wanted(fetched=1, fetched_bytes=len(BODY))}
    assert pulled_files(own) == [".pack"]


async def test_whom_another_box_sent_is_its_demand_and_not_that_of_the_box_that_fetches(
    origin: Origin, boxes: Callable[..., Bench]
) -> None:
    """Or a viewer who is redirected within a site would be two: a redirected one and one that was fetched for."""
    bench = boxes()
    await get(bench, "/film/1.m4s?oca-redirected")  # fetched
    await until(lambda: bench.count("delivery_pull_outcomes:stored") == 1)
    reader, writer = await bench.connect()
    writer.write(GET % b"/film/1.m4s?oca-redirected" * 2)  # here by now; the second by the usual way
    for _ in range(2):
        assert (await read_reply(reader))[2] == BODY
    assert bench.service.demand.take_wanted() == {}
    await get(bench, "/film/1.m4s?x=oca-redirected")
    assert bench.service.demand.take_wanted() == {"/film/1.m4s": Wanted(fetched=1, fetched_bytes=len(BODY))}
    await get(bench, "/film/1.m4s?oca-redirected-uncounted")
    assert bench.service.demand.take_wanted() == {"/film/1.m4s": Wanted(fetched=1, fetched_bytes=len(BODY))}


async def test_fetch_that_fails_is_demand_once_by_what_was_answered_instead(
    origin: Origin, boxes: Callable[..., Bench]
) -> None:
    origin.answer = plain(b"", status="404 Not Found")
    missing, sending = boxes(), boxes(fallback_url="http://next.example")
    assert (await get(missing, "/film/1.m4s", "Range: bytes=0-99"))[0] == 404
    assert (await get(sending))[0] == 302
    assert missing.service.demand.take_wanted() == {"/film/1.m4s": Wanted(missed=1, ranges=1, range_bytes=100)}
    assert sending.service.demand.take_wanted() == {"/film/1.m4s": Wanted(redirected=1)}


async def test_device_that_hangs_costs_the_keeping_and_not_the_viewer(
    origin: Origin, boxes: Callable[..., Bench], own: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pull_storage, "DEVICE_S_MAX", 0.2)
    well = threading.Event()
    monkeypatch.setattr(PulledPool, "claim", lambda *_: well.wait(WAIT_S) and None)
    bench = boxes()
    status, fields, body = await get(bench)
    well.set()
    assert (status, body, fields["Cache-Status"]) == (200, BODY, "box;fwd=miss")
    assert bench.count("delivery_pull_outcomes:not-stored") == 1
    assert pulled_files(own) == []


async def test_pulls_send_on_as_it_arrives_and_slow_viewer_holds_nobody_up(
    origin: Origin, boxes: Callable[..., Bench]
) -> None:
    bench = boxes()
    origin.answer = halves
    slow, slow_writer = await bench.connect(receive_bytes=4096)
    slow_writer.write(GET % b"/film/1.m4s")
    reader, writer = await bench.connect()
    writer.write(GET % b"/film/1.m4s" + GET % b"/h/held.m4s")
    await reader.readuntil(b"\r\n\r\n")
    first = await reader.readexactly(len(BODY) // 2)  # while the origin keeps the rest back
    assert not origin.gate.is_set()
    origin.gate.set()
    assert first + await reader.readexactly(len(BODY) - len(first)) == BODY
    assert (await read_reply(reader))[2] == b"held"  # the next request on the connection, in its turn
    assert (await read_reply(slow))[2] == BODY
    assert len(origin.heads) == 1


async def test_pulls_outlive_viewer_that_leaves(origin: Origin, boxes: Callable[..., Bench]) -> None:
    bench = boxes()
    origin.answer = halves
    for _ in range(2):
        reader, writer = await bench.connect()
        writer.write(GET % b"/film/1.m4s")
        await reader.readuntil(b"\r\n\r\n")
        writer.transport.abort()
    await until(lambda: bench.count("delivery_connections") == 0)
    origin.gate.set()
    await until(lambda: bench.count("delivery_pull_outcomes:stored") == 1)
    assert bench.count("delivery_sends") == 0
    assert (await get(bench))[2] == BODY


async def test_pulls_answer_ranges_and_head_amid_the_fetch(origin: Origin, boxes: Callable[..., Bench]) -> None:
    bench = boxes()
    origin.answer = halves
    status, fields, body = await get(bench, "/film/1.m4s", "Range: bytes=1000-1999")
    assert (status, body) == (206, BODY[1000:2000])
    assert fields["Content-Range"] == f"bytes 1000-1999/{len(BODY)}"
    reader, writer = await bench.connect()
    writer.write(b"HEAD /film/1.m4s HTTP/1.1\r\nHost: a\r\n\r\n")
    assert (await read_reply(reader, bodiless=True))[1]["Content-Length"] == str(len(BODY))
    assert (await get(bench, "/film/1.m4s", f"Range: bytes={len(BODY)}-"))[0] == 416
    tail = asyncio.ensure_future(get(bench, "/film/1.m4s", "Range: bytes=-10"))
    await until(lambda: bench.count("delivery_sends") == 1)
    assert not tail.done()
    origin.gate.set()
    assert (await tail)[2] == BODY[-10:]
    assert len(origin.heads) == 1


async def test_pulls_send_origin_nothing_of_the_viewer(origin: Origin, boxes: Callable[..., Bench]) -> None:
    bench = boxes()
    await get(bench, "/film/1.m4s?CMCD=sid", "Cookie: secret=1", "X-Forwarded-For: 192.0.2.7", "Range: bytes=0-1")
    request, *fields = origin.heads[0].rstrip().split("\r\n")
    assert request == "GET /film/1.m4s HTTP/1.1"
    names = {field.partition(":")[0].lower() for field in fields}
    assert names <= {"host", "user-agent", "accept", "accept-encoding", "cdn-loop"}
    assert "CDN-Loop: oca-box" in fields


@pytest.mark.parametrize(
    ("answer", "outcome"),
    [
        (plain(b"", status="404 Not Found"), "absent"),
        (plain(b"", status="410 Gone"), "absent"),
        (plain(b"", status="500 Oops"), "refused"),
        (plain(b"", "Location: http://127.0.0.1:1/x", status="302 Found"), "refused"),
        (plain(b"x", "Content-Encoding: gzip"), "encoded"),
        (plain(b"x", stated=2**29), "too-large"),
        (silence, "time-out"),
    ],
)
async def test_pulls_answer_not_found_where_origin_brings_nothing(
    origin: Origin, boxes: Callable[..., Bench], own: Path, answer: Answer, outcome: str
) -> None:
    bench = boxes(**({"head_timeout_s": 0.3} if answer is silence else {}))
    origin.answer = answer
    assert [(await get(bench))[0] for _ in range(2)] == [404, 404]
    assert bench.count(f"delivery_pull_outcomes:{outcome}") == 1
    assert len(origin.heads) == 1  # the second was answered by what the first had learned
    assert bench.count("delivery_pulls_refused:known-absent") == 1
    await until(lambda: pulled_files(own) == [])


async def test_pulls_redirect_where_origin_fails_and_fallback_is_set(
    origin: Origin, boxes: Callable[..., Bench]
) -> None:
    bench = boxes(fallback_url="http://next.example")
    origin.answer = plain(b"", status="500 Oops")
    status, fields, _ = await get(bench, "/film/1.m4s?a=1")
    assert (status, fields["Location"]) == (302, "http://next.example/film/1.m4s?a=1&oca-redirected")
    gone = boxes(origin_url="http://127.0.0.1:1")
    assert (await get(gone))[0] == 404
    assert gone.count("delivery_pull_outcomes:unreachable") == 1


@pytest.mark.parametrize(
    ("answer", "outcome"),
    [
        (plain(BODY[:1000], stated=len(BODY)), "short"),
        (stall, "stalled"),
        (plain(BODY, "Content-Digest: sha-256=:AAAA:"), "digest"),
    ],
)
async def test_pulls_reset_viewer_and_keep_nothing_where_body_is_not_right(
    origin: Origin, boxes: Callable[..., Bench], own: Path, answer: Answer, outcome: str
) -> None:
    bench = boxes(**({"stall_timeout_s": 0.3} if answer is stall else {}))
    origin.answer = answer
    assert await cut_off(bench)
    assert bench.count(f"delivery_pull_outcomes:{outcome}") == 1
    assert bench.count("delivery_sends_cut:origin") == 1
    assert bench.service.demand.take_wanted() == {}  # as with what is held: who was cut asks again, and counts then
    await until(lambda: pulled_files(own) == [])


async def test_pulls_check_digest_that_origin_states(origin: Origin, boxes: Callable[..., Bench]) -> None:
    bench = boxes()
    right = base64.b64encode(hashlib.sha256(BODY).digest()).decode()
    origin.answer = plain(BODY, f"Repr-Digest: sha-256=:{right}:")
    assert (await get(bench))[2] == BODY
    await until(lambda: bench.count("delivery_pull_outcomes:stored") == 1)


async def test_pulls_bring_object_whose_length_only_its_end_tells(origin: Origin, boxes: Callable[..., Bench]) -> None:
    bench = boxes()
    origin.answer = plain(b"#EXTM3U\n", stated=None)
    status, fields, body = await get(bench, "/film/1.m3u8")
    assert (status, fields["Content-Length"], body) == (200, "8", b"#EXTM3U\n")
    origin.answer = plain(BODY, stated=None)
    assert (await get(bench))[0] == 404
    assert bench.count("delivery_pull_outcomes:too-large") == 1


@pytest.mark.parametrize("rule", ["no-store", "private, max-age=99", "max-age=5"])
async def test_pulls_send_on_and_do_not_keep_what_origin_forbids(
    origin: Origin, boxes: Callable[..., Bench], own: Path, rule: str
) -> None:
    bench = boxes()
    origin.answer = plain(BODY, f"Cache-Control: {rule}")
    for _ in range(2):
        status, fields, body = await get(bench)
        assert (status, fields["Cache-Status"], body) == (200, "box;fwd=miss", BODY)
        await until(lambda: bench.count("delivery_pulls_running") == 0)
    assert len(origin.heads) == 2
    assert pulled_files(own) == []


async def test_pulls_send_on_where_device_is_full(
    origin: Origin, boxes: Callable[..., Bench], own: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    bench = boxes()
    room = [len(BODY) // 3]
    write_at = files.write_at

    def write(descriptor: int, path: Path, data: bytes, offset: int) -> None:
        if offset + len(data) > room[0]:
            raise StoreFullError(f"{path}: {os.strerror(errno.ENOSPC)}", remedy="none", free_bytes={})
        write_at(descriptor, path, data, offset)

    monkeypatch.setattr(files, "write_at", write)
    for room[0] in (len(BODY) // 3, 0):  # full amid the body, and from the start
        assert (await get(bench))[2] == BODY
        await until(lambda: bench.count("delivery_pulls_running") == 0)
    assert bench.count("delivery_pull_outcomes:not-stored") == 2
    assert pulled_files(own) == []


async def test_pulls_go_by_memory_where_nothing_is_kept_and_stay_within_it(
    origin: Origin, boxes: Callable[..., Bench], own: Path
) -> None:
    bench = boxes(space_ratio=0.0, memory_bytes_max=len(BODY) + 10)
    for _ in range(3):  # what one took is given back for the next
        assert (await get(bench))[2] == BODY
        await until(lambda: bench.count("delivery_pulls_running") == 0)
    assert pulled_files(own) == []
    tight = boxes(space_ratio=0.0, memory_bytes_max=1000)
    assert (await get(tight))[0] == 404
    assert tight.count("delivery_pull_outcomes:too-large") == 1


async def test_pulls_follow_other_worker_that_brings_the_object(
    origin: Origin, boxes: Callable[..., Bench], own: Path
) -> None:
    first, second = boxes(), boxes()
    origin.answer = halves
    leading = asyncio.ensure_future(get(first))
    await until(lambda: first.count("delivery_sends") == 1 and first.count("delivery_pulled_bytes") > 10**6)
    reader, writer = await second.connect()
    writer.write(GET % b"/film/1.m4s")
    head_of_second = (await reader.readuntil(b"\r\n\r\n")).decode()
    assert "Cache-Status: box;fwd=miss;collapsed\r\n" in head_of_second
    early = await reader.readexactly(10**6)
    assert not leading.done()
    origin.gate.set()
    assert early + await reader.readexactly(len(BODY) - len(early)) == BODY
    assert (await leading)[2] == BODY
    assert len(origin.heads) == 1
    assert second.count("delivery_pulls") == 0


async def test_pulls_take_over_from_worker_that_died(origin: Origin, boxes: Callable[..., Bench], own: Path) -> None:
    pool = PulledPool([own], space_ratio=0.02)
    dead = pool.claim("/film/1.m4s")
    assert dead is not None
    os.close(dead.descriptor)  # as the kernel does for a process that ends
    assert pulled_files(own) == [".part"]
    bench = boxes()
    assert (await get(bench))[2] == BODY
    await until(lambda: pulled_files(own) == [".pack"])


async def test_pulls_are_bounded_in_number_and_in_waiters(origin: Origin, boxes: Callable[..., Bench]) -> None:
    bench = boxes(fetches_max=1, waiters_max=1)
    origin.answer = halves
    waiting = asyncio.ensure_future(get(bench))
    await until(lambda: bench.count("delivery_pulled_bytes") > 0)
    assert (await get(bench))[0] == 404
    assert (await get(bench, "/film/2.m4s"))[0] == 404
    assert bench.count("delivery_pulls_refused:crowded") == bench.count("delivery_pulls_refused:busy") == 1
    origin.gate.set()
    assert (await waiting)[2] == BODY


async def test_pulls_end_loop_between_boxes(origin: Origin, boxes: Callable[..., Bench], device: Path) -> None:
    first = boxes(appliance="a", origin_url="http://127.0.0.1:1")
    second = boxes(appliance="b", on=device, origin_url=url_of(first))
    first.service.misses.pulls._origin._base = url_of(second)  # type: ignore[union-attr]
    async with asyncio.timeout(WAIT_S):
        assert (await get(first))[0] == 404
    assert first.count("delivery_pulls_refused:loop") == 1
    assert origin.heads == []


async def test_pulls_fetch_nothing_for_fill_agent_or_impossible_path(
    origin: Origin, boxes: Callable[..., Bench]
) -> None:
    bench = boxes()
    assert (await get(bench, "/film/1.m4s", "User-Agent: oca-fill/1"))[0] == 404
    assert (await get(bench, "/film/%2e%2e/secret"))[0] == 404
    assert origin.heads == []
    assert (await get(bench, "/film/1.m4s", "User-Agent: oca-pull/1", "CDN-Loop: oca-other"))[2] == BODY
    assert "CDN-Loop: oca-other, oca-box" in origin.heads[0]


async def test_pulled_object_that_cannot_be_sent_is_removed_and_answered_as_a_miss(
    origin: Origin, boxes: Callable[..., Bench], own: Path
) -> None:
    bench = boxes()
    await get(bench)
    await until(lambda: bench.count("delivery_pull_outcomes:stored") == 1)
    (file,) = (own / FOLDER).iterdir()
    os.truncate(file, 8192)
    assert (await get(bench))[0] == 404
    assert (await get(bench))[0] == 404
    await until(lambda: pulled_files(own) == [])
    assert len(origin.heads) == 1


async def test_pulls_touch_no_device_that_is_out(
    origin: Origin, boxes: Callable[..., Bench], own: Path, tmp_path: Path
) -> None:
    bench = boxes(before=[tmp_path / "gone"])
    pulls = bench.service.misses.pulls
    assert pulls is not None
    assert (await get(bench))[2] == BODY
    await until(lambda: bench.count("delivery_pull_outcomes:stored") == 1)
    assert bench.service.lookup.kept[b"/film/1.m4s"].pack.device == 1  # whose reads are its own, not the first's
    pulls.leave_out({1: False})
    assert b"/film/1.m4s" not in bench.service.lookup.kept
    assert (await get(bench))[2] == BODY
    await until(lambda: bench.count("delivery_pull_outcomes:not-stored") == 1)
    pulls.leave_out({})
    assert (await get(bench))[2] == BODY
    assert bench.count("delivery_pull_outcomes:here") == 1
    assert len(origin.heads) == 2


async def test_pulls_begin_no_sweep_while_one_hangs(
    boxes: Callable[..., Bench], monkeypatch: pytest.MonkeyPatch
) -> None:
    begun, well = [], threading.Event()

    def sweep(pool: PulledPool, now_s: float) -> int:
        begun.append(now_s)
        well.wait()
        return 0

    monkeypatch.setattr(PulledPool, "sweep", sweep)
    monkeypatch.setattr(module, "LOOK_S", 0.01)
    monkeypatch.setattr(module, "SWEEP_S", 0.01)
    pulls = boxes().service.misses.pulls
    assert pulls is not None
    await until(lambda: bool(begun))
    for _ in range(5):  # looks that find nothing else to do
        pulls._put_off(b"/x", 0.0)
        await until(lambda: not pulls._absent)
    assert len(begun) == 1
    well.set()
    await until(lambda: len(begun) > 1)


async def test_pulls_fetch_no_path_longer_than_any_object_has(origin: Origin, boxes: Callable[..., Bench]) -> None:
    bench = boxes()
    assert (await get(bench, "/" + "x" * 480))[0] == 404
    assert (await get(bench, "/" + "x" * 479))[0] == 200
    assert len(origin.heads) == 1


async def test_pulls_give_origin_up_that_drips(
    origin: Origin, boxes: Callable[..., Bench], monkeypatch: pytest.MonkeyPatch
) -> None:
    async def drip(origin: Origin, writer: asyncio.StreamWriter) -> None:
        writer.write(head(len(BODY)))
        while not origin.gate.is_set():
            writer.write(b"x" * 100)
            await writer.drain()
            await asyncio.sleep(0.02)

    fast = SimpleNamespace(now_s=clock.now_s, monotonic_s=lambda: 100 * clock.monotonic_s())
    monkeypatch.setattr("oca.delivery.origin.clock", fast)  # half a minute of dripping in 0.3 s
    bench = boxes(stall_timeout_s=30)
    origin.answer = drip
    assert await cut_off(bench)
    assert bench.count("delivery_pull_outcomes:slow") == 1


async def test_pulls_tell_waiters_when_the_worker_ends(origin: Origin, boxes: Callable[..., Bench]) -> None:
    bench = boxes()
    origin.answer = silence
    waiting = asyncio.ensure_future(get(bench))
    await until(lambda: bench.count("delivery_pulls") == 1)
    pulls = bench.service.misses.pulls
    assert pulls is not None
    await pulls.close()
    assert (await waiting)[0] == 404


async def test_viewer_that_waits_for_the_origin_is_not_cut_as_slow(
    origin: Origin, own: Path, benches: Benches, boxes: Callable[..., Bench]
) -> None:
    bench = boxes(stalled_timeout_s=0.2, stall_timeout_s=5.0)
    origin.answer = halves
    waiting = asyncio.ensure_future(get(bench))
    await until(lambda: bench.count("delivery_pulled_bytes") > 0)
    await asyncio.sleep(1.0)  # several times what a client may take nothing for
    origin.gate.set()
    assert (await waiting)[2] == BODY
