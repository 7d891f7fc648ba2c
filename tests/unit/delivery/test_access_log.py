import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import structlog

from oca.common import clock
from oca.delivery.access_log import GATHERED_MAX, AccessLog
from oca.delivery.access_log_settings import AccessLogTable
from oca.delivery.counters import Page
from oca.delivery.metrics import DELIVERY_SLOTS
from oca.delivery.reads_settings import ReadsTable
from oca.http1.parser import KnownBlocks, RequestReader
from oca.http1.request import Limits
from tests.unit.delivery.bench import LARGE_BYTES, Bench, Benches, read_reply
from tests.waiting import until

GET = b"GET /h/%b HTTP/1.1\r\nHost: a\r\nUser-Agent: VLC/3\r\nReferer: https://tv.example/watch?t=secret\r\n\r\n"
JWT = b"eyJhbGciOiJIUzI1NiJ9.eyJpc3MiOiJhIn0.c2lnbmF0dXJl"


@pytest.fixture
def page() -> Iterator[Page]:
    page = Page.create()
    yield page
    page.close()


@pytest.fixture
def logged(benches: Benches, tmp_path: Path) -> Callable[..., tuple[Bench, Callable[[], list[dict[str, Any]]]]]:
    """Makes a bench with an access log, and what reads that log."""
    path = tmp_path / "access.log"

    def make(**settings: Any) -> tuple[Bench, Callable[[], list[dict[str, Any]]]]:
        off = ReadsTable(small_bytes_max=0)
        bench = benches(access_log=AccessLogTable(path=str(path), **settings), reads=off)
        return bench, lambda: [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []

    return make


async def test_log_has_a_line_of_every_kind_of_answer(logged: Any) -> None:
    bench, lines = logged()
    reader, writer = await bench.connect()
    asked = (
        (GET % b"small.m3u8", 200),
        (GET % b"small.m3u8?CMCD=sid%3D%22s-1%22", 200),
        (GET.replace(b"\r\n\r\n", b"\r\nRange: bytes=0-7\r\n\r\n") % b"small.m3u8", 206),
        (GET % b"none", 404),
        (b"OPTIONS * HTTP/1.1\r\nHost: a\r\n\r\n", 204),
        (GET % b"large.m4s", 200),
        (b"nonsense\r\n\r\n", 400),
    )
    for request, status in asked:
        writer.write(request)
        assert (await read_reply(reader))[0] == status
    await until(lambda: len(lines()) == len(asked))
    await until(lambda: bench.count("delivery_log_lines") == len(asked))
    told = lines()
    assert [line["status"] for line in told] == [status for _, status in asked]
    assert [line.get("cache") for line in told] == ["hit", "hit", "hit", "miss", None, "hit", None]
    assert [line["bytes"] for line in told] == [128, 128, 8, 0, 0, LARGE_BYTES, 0]
    assert {key: told[1][key] for key in ("client", "method", "path", "agent", "referrer", "session")} == {
        "client": "127.0.0.0",
        "method": "GET",
        "path": "/h/small.m3u8",
        "agent": "VLC/3",
        "referrer": "https://tv.example",
        "session": "s-1",
    }
    assert all(0 < line["first_byte_us"] <= line["duration_us"] for line in told)
    assert told[4]["path"] == "*"
    assert "path" in told[6]
    assert "secret" not in str(told)


async def test_log_tells_how_far_a_cut_response_came(logged: Any) -> None:
    bench, lines = logged(sample=0)
    _, writer = await bench.connect(receive_bytes=4096)
    writer.write(GET % b"large.m4s")
    await until(lambda: bench.count("delivery_sends") == 1)
    writer.transport.abort()
    await until(lambda: len(lines()) == 1)
    (line,) = lines()
    assert (line["status"], line["cut"], line["path"]) == (200, "client", "/h/large.m4s")
    assert 0 < line["bytes"] < LARGE_BYTES


async def test_log_tells_of_response_that_failed_before_it_began(logged: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    bench, lines = logged()
    reader, writer = await bench.connect()
    writer.write(GET % b"small.m3u8")
    await read_reply(reader)

    def fail(*_: object) -> int:
        raise OSError(5, "Input/output error")

    (session,) = bench.service.sessions
    monkeypatch.setattr(session._transport, "_move", fail)
    writer.write(GET % b"small.m3u8")
    await until(lambda: len(lines()) == 2)
    assert [(line["bytes"], line.get("cut")) for line in lines()] == [(128, None), (0, "device")]


async def test_log_never_holds_a_token(logged: Any) -> None:
    bench, lines = logged()
    reader, writer = await bench.connect()
    for request in (
        b"GET /t/%b/h/small.m3u8 HTTP/1.1\r\nHost: a\r\n\r\n" % JWT,
        b"GET /h/small.m3u8?URISigningPackage=%b HTTP/1.1\r\nHost: a\r\n\r\n" % JWT,
        b"GET /h/small.m3u8;URISigningPackage=%b HTTP/1.1\r\nHost: a\r\n\r\n" % JWT,
        b"GET /h/none HTTP/1.1\r\nHost: a\r\nReferer: https://tv.example/t/%b/\r\n\r\n" % JWT,
    ):
        writer.write(request)
        await read_reply(reader)
    await until(lambda: len(lines()) == 4)
    assert not [line for line in lines() if JWT.decode()[:20] in str(line)]


async def test_log_of_a_share_has_whole_connections_and_every_error(logged: Any) -> None:
    bench, lines = logged(sample=0.5)
    for _ in range(4):
        reader, writer = await bench.connect()
        for name in (b"small.m3u8", b"small.m3u8", b"none"):
            writer.write(GET % name)
            await read_reply(reader)
    await until(lambda: len(lines()) == 2 * 3 + 2)
    assert [line["status"] for line in lines()] == [404, 200, 200, 404, 404, 200, 200, 404]


async def test_log_of_a_share_can_do_without_errors(logged: Any) -> None:
    bench, lines = logged(sample=0.5, errors=False)
    for _ in range(4):
        reader, writer = await bench.connect()
        writer.write(GET % b"none")
        await read_reply(reader)
    await until(lambda: len(lines()) == 2)


@pytest.mark.parametrize(("client", "shown"), [("truncated", "127.0.0.0"), ("whole", "127.0.0.1"), ("none", "")])
async def test_log_shows_clients_as_it_is_told_to(logged: Any, client: str, shown: str) -> None:
    bench, lines = logged(client=client)
    reader, writer = await bench.connect()
    writer.write(GET % b"none")
    await read_reply(reader)
    await until(lambda: len(lines()) == 1)
    assert lines()[0]["client"] == shown


async def test_log_is_opened_anew_on_reload(logged: Any, tmp_path: Path) -> None:
    bench, lines = logged(format="json")
    reader, writer = await bench.connect()
    writer.write(GET % b"none")
    await read_reply(reader)
    await until(lambda: len(lines()) == 1)
    (tmp_path / "access.log").rename(tmp_path / "access.log.1")
    assert bench.service.reload() == []
    writer.write(GET % b"small.m3u8")
    await read_reply(reader)
    await until(lambda: [line["status"] for line in lines()] == [200])
    assert (tmp_path / "access.log.1").read_text().count("\n") == 1


async def test_service_has_no_log_unless_a_file_is_named(benches: Benches) -> None:
    assert benches().service.log is None


@pytest.mark.parametrize("asked", [b"small.m3u8", b"none"])
async def test_log_has_every_line_of_many_between_two_ticks(logged: Any, asked: bytes) -> None:
    bench, lines = logged()
    reader, writer = await bench.connect()
    many = 2 * GATHERED_MAX + 3
    for number in range(many):
        writer.write(GET % (b"%b?%d" % (asked, number)))
        await read_reply(reader)
    await until(lambda: len(lines()) == many)
    await until(lambda: bench.count("delivery_log_lines") == many)
    assert {line["path"] for line in lines()} == {f"/h/{asked.decode()}"}


async def test_log_of_full_disk_counts_and_says_it_once(page: Page) -> None:
    with structlog.testing.capture_logs() as said:
        log = AccessLog(AccessLogTable(path="/dev/full", format="combined"), page.counts)
        for number in range(3):
            log.add(log_line(log))
            log.tick(clock.monotonic_s())
            await until(lambda number=number: log._writer.lost == number + 1)  # type: ignore[misc]
        log.close()
    assert page.counts[DELIVERY_SLOTS["delivery_log_lines_lost"]] == 3
    assert page.counts[DELIVERY_SLOTS["delivery_log_lines"]] == 0
    assert [line["error"] for line in said] == ["No space left on device"]


async def test_log_drops_lines_that_a_slow_disk_leaves_no_room_for(page: Page, monkeypatch: pytest.MonkeyPatch) -> None:
    log = AccessLog(AccessLogTable(path="/dev/null"), page.counts)
    monkeypatch.setattr(log._writer, "write", lambda _: False)
    log.add(log_line(log))
    with structlog.testing.capture_logs() as said:
        log.tick(0)
    assert page.counts[DELIVERY_SLOTS["delivery_log_lines_lost"]] == 1
    assert said[0]["error"] == "the disk is too slow"
    log.close()


def log_line(log: AccessLog) -> Any:
    from oca.delivery.access_lines import Line

    return Line(log.time, "192.0.2.0", "GET", "/a", 200, 1, 1, 1)


@pytest.mark.parametrize(
    ("referer", "origin"),
    [
        (b"https://TV.example:8443/a/b?c", "https://tv.example:8443"),
        (b"http://[2001:db8::1]", "http://[2001:db8::1]"),
        (b"https://user:secret@tv.example/", ""),
        (b"javascript:alert(1)", ""),
        (b"/t/eyJ", ""),
    ],
)
def test_fields_keep_origin_of_referer_alone(referer: bytes, origin: str) -> None:
    reader = RequestReader(Limits(), KnownBlocks())
    reader.feed(b"GET / HTTP/1.1\r\nHost: a\r\nReferer: %b\r\n\r\n" % referer)
    request = reader.next()
    assert request is not None
    assert request.fields.referrer == origin
