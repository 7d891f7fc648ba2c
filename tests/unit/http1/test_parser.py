import time

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from oca.delivery.metrics import REFUSAL_REASONS, STATUSES
from oca.http1.parser import EMPTY_LINES_MAX, KNOWN_BLOCK_BYTES_MAX, KNOWN_BLOCKS_MAX, KnownBlocks, RequestReader
from oca.http1.request import Fields, Limits, Request, RequestError
from oca.http1.response import refuse

HOST = b"Host: a\r\n"
GET = b"GET /harbour/1.m4s HTTP/1.1\r\n" + HOST + b"\r\n"
LIMITS = Limits(head_bytes_max=600, target_bytes_max=200, fields_max=8)
Seen = list[Request | str]


def read(
    *pieces: bytes, limits: Limits = LIMITS, known: KnownBlocks | None = None
) -> tuple[list[Request], RequestError | None]:
    """Requests in order, and the refusal that ended them, as a session would see them."""
    reader = RequestReader(limits, known or KnownBlocks())
    requests: list[Request] = []
    try:
        for piece in pieces:
            reader.feed(piece)
            while (request := reader.next()) is not None:
                requests.append(request)
    except RequestError as error:
        return requests, error
    return requests, None


def one(data: bytes) -> Request:
    requests, error = read(data)
    assert error is None
    (request,) = requests
    return request


def refusal(data: bytes, limits: Limits = LIMITS) -> tuple[str, int]:
    requests, error = read(data, limits=limits)
    assert not requests
    assert error is not None
    return error.reason, error.status


def test_parser_reads_request() -> None:
    assert one(GET) == Request("GET", b"/harbour/1.m4s", Fields(host=b"a"), persistent=True)


def test_reader_keeps_query_apart_from_path_whether_block_is_known_or_not() -> None:
    asked = GET.replace(b"1.m4s", b"%31.m4s?CMCD=br%3D1&x?y")
    first, second = read(asked * 2)[0]
    assert (first.path, first.query) == (second.path, second.query) == (b"/harbour/1.m4s", b"CMCD=br%3D1&x?y")


def test_parser_waits_for_whole_head() -> None:
    reader = RequestReader(LIMITS, KnownBlocks())
    assert reader.next() is None
    reader.feed(GET[:-1])
    assert reader.next() is None
    assert reader.pending_bytes == len(GET) - 1
    reader.feed(GET[-1:])
    assert reader.next() is not None
    assert reader.pending_bytes == 0


def test_reader_tells_whether_requests_wait_behind_the_one_that_was_read() -> None:
    reader = RequestReader(LIMITS, KnownBlocks())
    reader.feed(GET * 3 + GET[:-1])
    assert reader.has_pending(3)
    assert not reader.has_pending(4)
    assert reader.next() is not None
    assert reader.has_pending(2)
    assert not reader.has_pending(3)
    reader.feed(GET[-1:])
    assert reader.has_pending(3)


def test_parser_reads_pipelined_requests_in_order() -> None:
    requests, error = read(GET + GET.replace(b"1.m4s", b"2.m4s?CMCD=x") + b"HEAD * HTTP/1.1")
    assert error is None
    assert [request.path for request in requests] == [b"/harbour/1.m4s", b"/harbour/2.m4s"]


def test_parser_gives_known_block_the_same_reading() -> None:
    known = KnownBlocks()
    block = b"GET /a%41 HTTP/1.1\r\n" + HOST + b"Range: bytes=0-1\r\nConnection: close\r\n\r\n"
    (first, second), _ = read(block, block, known=known)
    assert len(known.fields) == 1
    fields = Fields(plain=False, usual=False, close=True, host=b"a", range=b"bytes=0-1")
    assert first == second == Request("GET", b"/aA", fields, persistent=False)


@pytest.mark.parametrize(
    "line",
    [
        b"GET  /a HTTP/1.1",
        b"GET /a HTTP/1.1 ",
        b"GET /a  HTTP/1.1",
        b"get /a HTTP/1.1",
        b"GET /a HTTP/1.x",
        b"GET /a HTTP/2.0",
        b"GET /a",
        b"GET a HTTP/1.1",
        b"GET /a\x7f HTTP/1.1",
        b"GET /a#b HTTP/1.1",
        b"GET /%zz HTTP/1.1",
        b"GET /" + b"a" * 200 + b" HTTP/1.1",
        b"POST /a HTTP/1.1",
        b"GET /a\n HTTP/1.1",
        b"GET /a\0 HTTP/1.1",
    ],
)
def test_parser_refuses_line_alike_with_and_without_known_block(line: bytes) -> None:
    known = KnownBlocks()
    read(GET, known=known)
    data = line + b"\r\n" + HOST + b"\r\n"
    _, strange = read(data)
    _, familiar = read(data, known=known)
    assert strange is not None
    assert familiar is not None
    assert (strange.reason, strange.status) == (familiar.reason, familiar.status)


def test_parser_knows_block_whatever_its_cmcd_lines_tell() -> None:
    known = KnownBlocks()
    told = [b"GET /a HTTP/1.1\r\nHost: a\r\nCMCD-Request: bl=%d\r\nAccept: */*\r\n\r\n" % number for number in range(9)]
    requests, error = read(*told, known=known)
    assert error is None
    assert [request.cmcd for request in requests] == [b"bl=%d" % number for number in range(9)]
    assert list(known.fields) == [b"\r\nHost: a\r\nAccept: */*\r\n\r\n"]
    assert requests[0].fields is requests[8].fields


def test_parser_takes_no_line_behind_a_request_for_one_of_its_own() -> None:
    known = KnownBlocks()
    read(b"GET /a HTTP/1.1\r\nHost: a\r\n\r\n", known=known)
    # Taken out, the line would leave the known block; it begins what follows the request, and no request does so.
    requests, error = read(b"GET /a HTTP/1.1\r\nHost: a\r\n\r\nCMCD-Status: rtp=5\r\n", b"\r\n", known=known)
    assert [request.cmcd for request in requests] == [b""]
    assert error is not None
    assert error.reason == "request-line"


def test_parser_forgets_known_blocks_when_full() -> None:
    known = KnownBlocks()
    for number in range(KNOWN_BLOCKS_MAX + 1):
        known.learn(b"%d" % number, Fields())
    assert len(known.fields) == 1


def test_parser_keeps_no_large_block() -> None:
    known = KnownBlocks()
    known.learn(b"a" * (KNOWN_BLOCK_BYTES_MAX + 1), Fields())
    assert not known.fields


def test_parser_learns_no_block_of_http_1_0() -> None:
    known = KnownBlocks()
    (request,), _ = read(b"GET / HTTP/1.0\r\nAccept: */*\r\n\r\n", known=known)
    assert (request.persistent, request.minor) == (False, 0)
    assert not known.fields


@pytest.mark.parametrize(
    ("line", "connection", "persistent"),
    [
        (b"HTTP/1.1", b"", True),
        (b"HTTP/1.1", b"Connection: close\r\n", False),
        (b"HTTP/1.0", b"", False),
        (b"HTTP/1.0", b"Connection: keep-alive\r\n", True),
        (b"HTTP/1.0", b"Connection: keep-alive, close\r\n", False),
        (b"HTTP/1.7", b"", True),
    ],
)
def test_parser_tells_whether_connection_persists(line: bytes, connection: bytes, persistent: bool) -> None:
    assert one(b"GET / " + line + b"\r\n" + HOST + connection + b"\r\n").persistent is persistent


def test_parser_skips_empty_lines_before_request() -> None:
    assert one(b"\r\n\r\n" + GET).path == b"/harbour/1.m4s"
    assert read(b"\r\n") == ([], None)
    assert read(b"\r", b"\n", b"\r\n", GET)[0] == read(GET)[0]


def test_parser_refuses_more_empty_lines_than_the_limit() -> None:
    assert one(b"\r\n" * EMPTY_LINES_MAX + GET).path == b"/harbour/1.m4s"
    assert refusal(b"\r\n" * (EMPTY_LINES_MAX + 1) + GET) == ("request-line", 400)


def test_parser_counts_empty_lines_over_pieces_and_anew_after_a_request() -> None:
    requests, error = read(*[b"\r\n"] * EMPTY_LINES_MAX, GET, *[b"\r\n"] * EMPTY_LINES_MAX, GET)
    assert error is None
    assert len(requests) == 2
    _, error = read(GET, *[b"\r", b"\n"] * (EMPTY_LINES_MAX + 1))
    assert error is not None
    assert error.reason == "request-line"


def test_parser_tells_that_empty_lines_wait_for_a_request() -> None:
    reader = RequestReader(LIMITS, KnownBlocks())
    reader.feed(b"\r\n")
    assert reader.next() is None
    assert reader.pending_bytes == 2  # the head's time-out runs


def test_parser_reads_a_pile_of_requests_without_reading_it_anew_for_each() -> None:
    known = KnownBlocks()
    read(GET, known=known)

    def cost_s(count: int) -> float:
        reader = RequestReader(LIMITS, known)
        reader.feed(GET * count)
        began_s = time.process_time()
        for _ in range(200):
            assert reader.next() is not None
        return time.process_time() - began_s

    # Copying and hashing what waits, 5 MB, for each request took 1,000 times as long.
    assert min(cost_s(100_000) for _ in range(3)) < 20 * min(cost_s(200) for _ in range(5)) + 0.02


def test_parser_ignores_upgrade() -> None:
    request = one(b"GET /a HTTP/1.1\r\n" + HOST + b"Connection: Upgrade\r\nUpgrade: h2c\r\n\r\n")
    assert request.path == b"/a"


@pytest.mark.parametrize(("method", "expected"), [(b"HEAD", "HEAD"), (b"OPTIONS", "OPTIONS"), (b"GET", "GET")])
def test_parser_reads_served_methods(method: bytes, expected: str) -> None:
    assert one(method + b" /a HTTP/1.1\r\n" + HOST + b"\r\n").method == expected


@pytest.mark.parametrize(
    ("data", "reason", "status"),
    [
        (b"POST /a HTTP/1.1\r\n" + HOST + b"\r\n", "method-not-allowed", 405),
        (b"CONNECT a:80 HTTP/1.1\r\n" + HOST + b"\r\n", "method-not-allowed", 405),
        (b"BREW /a HTTP/1.1\r\n" + HOST + b"\r\n", "method-unknown", 501),
        (b"PRI * HTTP/2.0\r\n\r\n", "version", 505),
        (b"GET /a HTTP/1.1\r\n\r\n", "host-missing", 400),
        (b"GET /a HTTP/1.1\r\n" + HOST + HOST + b"\r\n", "host-repeated", 400),
        (b"GET /a HTTP/1.1\r\nHost: a b\r\n\r\n", "host", 400),
        (b"GET /a HTTP/1.1\r\n" + HOST + b"X: a\r\n b\r\n\r\n", "folded-field", 400),
        (b"GET /a HTTP/1.1\r\n" + HOST + b"X: a\r\n\tb\r\n\r\n", "folded-field", 400),
        (b"GET /a HTTP/1.1\r\n" + HOST + b"X: a\nY: b\r\n\r\n", "line-ending", 400),
        (b"GET /a HTTP/1.1\r\n" + HOST + b"X: a\rb\r\n\r\n", "line-ending", 400),
        (b"GET /a HTTP/1.1\n" + b"Host: a\n\n", "line-ending", 400),
        (b"GET /a HTTP/1.1\r\n" + HOST + b"X: a\0b\r\n\r\n", "nul", 400),
        (b"GET /a\0", "nul", 400),
        (b"GET /%00 HTTP/1.1\r\n" + HOST + b"\r\n", "nul", 400),
        (b"GET /a HTTP/1.1\r\n" + HOST + b"X : a\r\n\r\n", "field", 400),
        (b"GET /a HTTP/1.1\r\n" + HOST + b"X\r\n\r\n", "field", 400),
        (b"GET /a HTTP/1.1\r\n" + HOST + b": a\r\n\r\n", "field", 400),
        (b"GET /a HTTP/1.1\r\n" + HOST + b"X: a\x7f\x01\r\n\r\n", "field", 400),
        (
            b"GET /a HTTP/1.1\r\n" + HOST + b"Content-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n",
            "length-and-transfer-encoding",
            400,
        ),
        (
            b"GET /a HTTP/1.1\r\n" + HOST + b"Transfer-Encoding: chunked\r\nContent-Length: 3\r\n\r\n",
            "length-and-transfer-encoding",
            400,
        ),
        (b"GET /a HTTP/1.1\r\n" + HOST + b"Transfer-Encoding: gzip\r\n\r\n", "content", 400),
        (b"GET /a HTTP/1.1\r\n" + HOST + b"Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n", "content", 400),
        (b"GET /a HTTP/1.1\r\n" + HOST + b"Content-Length: 3\r\n\r\nabc", "content", 400),
        (b"GET /a HTTP/1.1\r\n" + HOST + b"Content-Length: 3\r\nContent-Length: 3\r\n\r\n", "content-length", 400),
        (b"GET /a HTTP/1.1\r\n" + HOST + b"Content-Length: x\r\n\r\n", "content-length", 400),
        (b"GET /a HTTP/1.1\r\n" + HOST + b"Expect: 200-ok\r\n\r\n", "expectation", 417),
        (b"GET /a HTTP/1.1\r\n" + HOST + b"A: b\r\n" * 8 + b"\r\n", "too-many-fields", 431),
        (b"GET /a HTTP/1.1\r\n" + HOST + b"A: " + b"b" * 600 + b"\r\n\r\n", "head-too-large", 431),
        (b"GET /a HTTP/1.1\r\n" + HOST + b"A: " + b"b" * 600, "head-too-large", 431),
        (b"GET /" + b"a" * 200 + b" HTTP/1.1\r\n" + HOST + b"\r\n", "target-too-long", 414),
        (b"GET /" + b"a" * 600, "target-too-long", 414),
        (b"\x16\x03\x01\x02\x00\x01", "request-line", 400),
        (b"  GET / HTTP/1.1\r\n\r\n", "request-line", 400),
        (b"GET /a HTTP/1.1 x\r\n" + HOST + b"\r\n", "request-line", 400),
        (b"GET * HTTP/1.1\r\n" + HOST + b"\r\n", "target", 400),
        (b"GET /a#b HTTP/1.1\r\n" + HOST + b"\r\n", "target", 400),
        (b"GET http://:80/a HTTP/1.1\r\n" + HOST + b"\r\n", "target", 400),
        (b"GET /a\r\n", "request-line", 400),
        (b"GET /a HTTP/1.11\r\nHost: a", "request-line", 400),
    ],
)
def test_parser_refuses_with_named_reason(data: bytes, reason: str, status: int) -> None:
    assert refusal(data) == (reason, status)


@pytest.mark.parametrize(
    ("data", "to_head"),
    [
        (b"HEAD /a HTTP/1.1\r\n\r\n", True),
        (b"\r\nHEAD /a HTTP/1.1\r\n\r\n", True),
        (GET + b"HEAD /a HTTP/1.1\r\n\r\n", True),
        (b"HEAD /" + b"a" * 600, True),
        (b"GET /a HTTP/1.1\r\n\r\n", False),
        (b"HEADER /a HTTP/1.1\r\n\r\n", False),
    ],
)
def test_refusal_tells_whether_a_body_may_follow(data: bytes, to_head: bool) -> None:
    _, error = read(data)
    assert error is not None
    assert error.to_head is to_head
    assert refuse(error).text == (b"" if to_head else error.reason.encode() + b"\n")


def test_parser_refuses_what_follows_a_request_too() -> None:
    requests, error = read(GET + b"GET /b HTTP/1.1\r\n\r\n")
    assert len(requests) == 1
    assert error is not None
    assert error.reason == "host-missing"


_HEADS = st.sampled_from(
    [
        GET,
        GET.replace(b"GET", b"HEAD"),
        GET.replace(b"HTTP/1.1", b"HTTP/1.0"),
        GET.replace(b"GET /", b"GET http://a/"),
        b"OPTIONS * HTTP/1.1\r\n" + HOST + b"\r\n",
        b"GET /%41?x=1 HTTP/1.1\r\n" + HOST + b"Range: bytes=0-\r\n\r\n",
        b"POST /a HTTP/1.1\r\n" + HOST + b"Content-Length: 3\r\n\r\nabc",
        b"GET / HTTP/1.1\r\n" + HOST + b"Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        b"\r\n",
        b"GET / HTTP/1.1\nHost: a\n\n",
    ]
)
_NOISE = st.one_of(
    st.binary(max_size=24),
    st.sampled_from([b"\r\n", b"\n", b"\r", b"\0", b" ", b":", b"\r\n\r\n", b"%", b"\xff", b"Host: b\r\n", b"\t"]),
)


@st.composite
def _streams(draw: st.DrawFn) -> bytes:
    """Heads, some with noise spliced in anywhere, and trailing bytes."""
    stream = b""
    for head in draw(st.lists(_HEADS, min_size=1, max_size=4)):
        if draw(st.booleans()):
            place = draw(st.integers(0, len(head)))
            cut = draw(st.integers(0, 4))
            stream += head[:place] + draw(_NOISE) + head[place + cut :]
        else:
            stream += head
    return stream + draw(_NOISE)


def _summary(seen: tuple[list[Request], RequestError | None]) -> tuple[list[Request], bool]:
    return seen[0], seen[1] is not None


@given(_streams())
@example(GET + b"\x16")
@example(b"\r\n\r\n\r\nGET")
def test_parser_reads_stream_alike_whole_and_byte_by_byte(stream: bytes) -> None:
    whole = read(stream)
    single = read(*(stream[at : at + 1] for at in range(len(stream))))
    assert _summary(whole) == _summary(single)
    assert not any(request.path.startswith(b"//a") for request in whole[0])


@given(_streams(), st.data())
def test_parser_reads_stream_alike_with_blocks_known_before(stream: bytes, data: st.DataObject) -> None:
    known = KnownBlocks()
    read(stream, known=known)
    again = read(stream, known=known)
    fresh = read(stream)
    assert _summary(fresh) == _summary(again)
    place = data.draw(st.integers(0, len(stream)))
    assert _summary(read(stream[:place], stream[place:], known=known)) == _summary(fresh)


@given(st.one_of(st.binary(max_size=700), _streams()))
def test_parser_gives_one_named_error_or_waits_for_more(data: bytes) -> None:
    _, error = read(data)
    if error is not None:
        assert error.reason in REFUSAL_REASONS
        assert error.status in STATUSES
