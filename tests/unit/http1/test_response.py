import pytest

from oca.delivery.metrics import STATUSES
from oca.http1.request import Fields, Request, RequestError
from oca.http1.response import (
    Reply,
    Representation,
    answer,
    cache_status,
    date_line,
    refusal,
    refuse,
    representation,
    whole,
)

SEGMENT = representation(bytes(range(16)), size=1000, modified_at_s=784111777, media_type="video/mp4")
ETAG = b'"000102030405060708090a0b0c0d0e0f"'


def request(method: str = "GET", *, persistent: bool = True, minor: int = 1, **fields: bytes) -> Request:
    kept = Fields(plain=not fields, **fields)  # type: ignore[arg-type]
    return Request(method, b"/a", kept, persistent, minor)  # type: ignore[arg-type]


def lines(reply: Reply) -> dict[str, str]:
    """The head as a mapping; no field may stand twice."""
    status, *fields = (reply.head + date_line(784111777)).decode().removesuffix("\r\n\r\n").split("\r\n")
    assert status.startswith(f"HTTP/1.1 {reply.status} ")
    assert reply.status in STATUSES
    pairs = [field.split(": ", 1) for field in fields]
    assert len({name for name, _ in pairs}) == len(pairs)
    assert dict(pairs)["Date"] == "Sun, 06 Nov 1994 08:49:37 GMT"
    assert dict(pairs)["Access-Control-Allow-Origin"] == "*"
    assert dict(pairs)["Timing-Allow-Origin"] == "*"
    return dict(pairs)


def test_get_answers_whole_representation_with_validators() -> None:
    reply = answer(request(), SEGMENT)
    assert reply == whole(SEGMENT)
    assert (reply.status, reply.first, reply.length, reply.close) == (200, 0, 1000, False)
    head = lines(reply)
    assert head["Content-Length"] == "1000"
    assert head["Content-Type"] == "video/mp4"
    assert head["ETag"].encode() == ETAG
    assert head["Last-Modified"] == "Sun, 06 Nov 1994 08:49:37 GMT"
    assert head["Accept-Ranges"] == "bytes"
    assert head["Cache-Control"] == "max-age=86400"
    assert "Content-Range" in head["Access-Control-Expose-Headers"]


def test_manifest_is_fresh_for_a_minute() -> None:
    manifest = representation(bytes(16), size=9, modified_at_s=0, media_type="application/dash+xml")
    assert lines(whole(manifest))["Cache-Control"] == "max-age=60"


def test_head_answers_what_get_would_without_body() -> None:
    reply = answer(request("HEAD", range=b"bytes=0-1"), SEGMENT)
    assert (reply.status, reply.length) == (200, 0)
    assert reply.head == whole(SEGMENT).head


def test_get_answers_range() -> None:
    reply = answer(request(range=b"bytes=10-19"), SEGMENT)
    assert (reply.status, reply.first, reply.length) == (206, 10, 10)
    head = lines(reply)
    assert head["Content-Range"] == "bytes 10-19/1000"
    assert head["Content-Length"] == "10"
    assert head["ETag"].encode() == ETAG


@pytest.mark.parametrize(
    "fields",
    [
        {"range": b"bytes=0-1,999-0"},
        {"range": b"items=0-9"},
        {"range": b"bytes=0-1", "if_range": b'"old"'},
    ],
)
def test_get_answers_whole_where_range_does_not_count(fields: dict[str, bytes]) -> None:
    reply = answer(request(**fields), SEGMENT)  # type: ignore[arg-type]
    assert (reply.status, reply.first, reply.length) == (200, 0, 1000)


def test_get_answers_range_when_if_range_matches() -> None:
    assert answer(request(range=b"bytes=0-1", if_range=ETAG), SEGMENT).status == 206


def test_get_refuses_range_beyond_the_end() -> None:
    reply = answer(request(range=b"bytes=1000-"), SEGMENT)
    assert (reply.status, reply.length, reply.close) == (416, 0, False)
    assert lines(reply)["Content-Range"] == "bytes */1000"


def test_get_answers_not_modified_without_body() -> None:
    reply = answer(request(if_none_match=ETAG, range=b"bytes=0-1"), SEGMENT)
    assert (reply.status, reply.length, reply.text) == (304, 0, b"")
    head = lines(reply)
    assert head["ETag"].encode() == ETAG
    assert "Content-Length" not in head


@pytest.mark.parametrize(("method", "text"), [("GET", b"precondition failed\n"), ("HEAD", b"")])
def test_failed_precondition_is_said(method: str, text: bytes) -> None:
    reply = answer(request(method, if_match=b'"x"'), SEGMENT)
    assert (reply.status, reply.text) == (412, text)
    assert lines(reply)["Content-Length"] == "20"


@pytest.mark.parametrize(("method", "text"), [("GET", b"no such object here\n"), ("HEAD", b"")])
def test_miss_is_said_and_not_stored(method: str, text: bytes) -> None:
    reply = answer(request(method), None)
    assert (reply.status, reply.text, reply.close) == (404, text, False)
    assert lines(reply)["Cache-Control"] == "no-store"


@pytest.mark.parametrize("about", [SEGMENT, None])
def test_options_answers_preflight(about: object) -> None:
    reply = answer(request("OPTIONS"), SEGMENT if about else None)
    head = lines(reply)
    assert reply.status == 204
    assert head["Allow"] == head["Access-Control-Allow-Methods"] == "GET, HEAD, OPTIONS"
    assert head["Access-Control-Max-Age"] == "86400"
    assert "Range" in head["Access-Control-Allow-Headers"]


def test_answer_says_that_the_connection_closes() -> None:
    reply = answer(request(persistent=False), SEGMENT)
    assert reply.close
    assert lines(reply)["Connection"] == "close"


def test_answer_tells_http_1_0_that_the_connection_persists() -> None:
    reply = answer(request(minor=0), SEGMENT)
    assert not reply.close
    assert lines(reply)["Connection"] == "keep-alive"


def test_refusal_names_its_reason_and_closes() -> None:
    reply = refuse(RequestError("host-missing", "an HTTP/1.1 request without Host"))
    assert (reply.status, reply.text, reply.close) == (400, b"host-missing\n", True)
    assert lines(reply)["Connection"] == "close"
    assert "Allow" not in lines(reply)


def test_refusal_of_method_says_what_is_allowed() -> None:
    reply = refuse(RequestError("method-not-allowed", "POST is not allowed here", status=405))
    assert lines(reply)["Allow"] == "GET, HEAD, OPTIONS"


@pytest.mark.parametrize("status", [302, 307])
def test_refusal_redirects_and_keeps_the_connection(status: int) -> None:
    reply = refusal(status, b"", b"Location: http://b/a\r\n", to=request())
    head = lines(reply)
    assert (reply.status, reply.text, reply.close, head["Location"]) == (status, b"", False, "http://b/a")
    assert (head["Content-Length"], head["Cache-Control"]) == ("0", "no-store")
    assert "Connection" not in head
    assert "Content-Type" not in head


@pytest.mark.parametrize(
    ("to", "close", "said"),
    [
        (request(), False, None),
        (request(), True, "close"),
        (request(persistent=False), False, "close"),
        (request(minor=0), False, "keep-alive"),
        (request(minor=0), True, "close"),
        (None, False, "close"),
    ],
)
def test_refusal_says_whether_the_connection_persists(to: Request | None, close: bool, said: str | None) -> None:
    reply = refusal(429, b"busy\n", b"Retry-After: 1\r\n", to=to, close=close)
    assert reply.close is (said == "close")
    assert lines(reply).get("Connection") == said


def test_refusal_of_head_has_no_body() -> None:
    reply = refusal(403, b"token-expired\n", to=request("HEAD"))
    assert (reply.text, lines(reply)["Content-Length"]) == (b"", "14")


def test_get_answers_several_ranges_as_multipart() -> None:
    reply = answer(request(range=b"bytes=900-909,0-9"), SEGMENT)
    head = lines(reply)
    boundary = ETAG.decode().strip('"')
    assert (reply.status, reply.length) == (206, 20)
    assert head["Content-Type"] == f"multipart/byteranges; boundary={boundary}"
    assert int(head["Content-Length"]) == 20 + sum(len(piece.text) for piece in reply.pieces)
    assert [(piece.first, piece.length) for piece in reply.pieces] == [(900, 10), (0, 10), (0, 0)]
    assert "Content-Range" not in head  # RFC 9110 §15.3.7.2: in the parts alone
    assert head["ETag"].encode() == ETAG


def test_get_answers_several_ranges_that_touch_as_one() -> None:
    reply = answer(request(range=b"bytes=0-9,10-19"), SEGMENT)
    assert (reply.status, reply.first, reply.length, reply.pieces) == (206, 0, 20, ())
    assert lines(reply)["Content-Range"] == "bytes 0-19/1000"


def test_get_answers_more_ranges_than_allowed_with_the_whole() -> None:
    reply = answer(request(range=b"bytes=900-909,0-9"), SEGMENT, ranges_max=1)
    assert (reply.status, reply.length, reply.pieces) == (200, 1000, ())


@pytest.mark.parametrize("etag", [b"", b'W/"x"', b'"a b"'])
def test_get_answers_several_ranges_of_an_object_without_digest_with_the_whole(etag: bytes) -> None:
    about = Representation(1000, etag, 784111777, "video/mp4")
    assert answer(request(range=b"bytes=900-909,0-9"), about).status == 200
    assert answer(request(range=b"bytes=0-9"), about).status == 206


@pytest.mark.parametrize(
    ("appliance", "line"),
    [("fra1-a", b"Cache-Status: fra1-a;hit\r\n"), ("1box", b'Cache-Status: "1box";hit\r\n'), ("", b"")],
)
def test_cache_status_names_appliance_as_structured_field(appliance: str, line: bytes) -> None:
    assert cache_status(appliance) == line


@pytest.mark.parametrize(
    ("asked", "status"),
    [(request(), 200), (request(range=b"bytes=0-1"), 206), (request(if_none_match=ETAG), 304)],
)
def test_every_answer_that_shows_the_object_says_who_served(asked: Request, status: int) -> None:
    about = representation(bytes(16), size=1000, modified_at_s=0, media_type="a/b", said=cache_status("fra1-a"))
    if status == 304:
        about = representation(bytes(range(16)), size=1000, modified_at_s=0, media_type="a/b", said=about.said)
    reply = answer(asked, about)
    assert (reply.status, lines(reply)["Cache-Status"]) == (status, "fra1-a;hit")


@pytest.mark.parametrize(("fresh_s", "said"), [(30, "max-age=30"), (0, "no-store"), (-1, "max-age=86400")])
def test_answer_tells_freshness_and_no_digest_that_is_not_known(fresh_s: int, said: str) -> None:
    coming = Representation(1000, b"", 784111777, "video/mp4", fresh_s=fresh_s)
    head = lines(answer(request(), coming))
    assert head["Cache-Control"] == said
    assert "ETag" not in head
    unknown = b'"000102030405060708090a0b0c0d0e0f"'
    assert answer(request(range=b"bytes=0-9", if_range=unknown), coming).status == 200
    assert answer(request(if_none_match=unknown), coming).status == 200
    assert answer(request(if_match=unknown), coming).status == 412
