from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from steering.api.authorisation import PROXIED
from steering.players.plain_request import (
    BODY_BYTES_MAX,
    HEAD_BYTES_MAX,
    PlainHead,
    PlainRequest,
    PlainRequests,
    read_head,
)

BODY = b'{"title":"harbour"}'
PLAIN = (
    b"POST /v1/playback HTTP/1.1\r\nHost: steer.example\r\nUser-Agent: service/1\r\nContent-Type: application/json\r\n"
    b"X-Forwarded-For: 192.0.2.1\r\nConnection: keep-alive\r\nContent-Length: 19\r\n\r\n" + BODY
)
HEAD = PlainHead("steer.example", ("192.0.2.1",), 19)


def test_plain_request_is_read() -> None:
    requests = PlainRequests()

    def read(data: bytes) -> tuple[PlainHead, bytes, int]:
        found = requests.read(data)
        assert isinstance(found, PlainRequest)
        return found.head, found.body, found.taken

    for _ in range(2):  # the second time from memory
        assert read(PLAIN) == (HEAD, BODY, len(PLAIN))
        assert read(PLAIN + b"POST /v1") == (HEAD, BODY, len(PLAIN))
    spaced = PLAIN.replace(b"Host: ", b"HOST:\t ").replace(b"e\r\nU", b"e \r\nU")
    assert read(spaced) == (HEAD, BODY, len(PLAIN) + 2)


@pytest.mark.parametrize(
    ("before", "after"),
    [
        (b"POST", b"PUT"),
        (b"POST", b"post"),
        (b"playback ", b"playback?client=192.0.2.9 "),
        (b"playback ", b"playbacks "),
        (b"HTTP/1.1", b"HTTP/1.0"),
        (b"Host: steer.example\r\n", b""),
        (b"Host: steer.example\r\n", b"Host: steer.example\r\nHost: steer.example\r\n"),
        (b"Content-Length: 19\r\n", b""),
        (b"Content-Length: 19\r\n", b"Content-Length: 19\r\nContent-Length: 19\r\n"),
        (b"Content-Length: 19", b"Content-Length: +19"),
        (b"Content-Length: 19", b"Content-Length: 19, 19"),
        (b"Content-Length: 19", b"Content-Length: 99999"),
        (b"Content-Length: 19", b"Content-Length: %d" % (BODY_BYTES_MAX + 1)),
        (b"Content-Length: 19", b"Content-Length: 19\r\nTransfer-Encoding: chunked"),
        (b"Connection: keep-alive", b"Connection: close"),
        (b"Connection: keep-alive", b"Connection: keep-alive, upgrade"),
        (b"Connection: keep-alive", b"Expect: 100-continue"),
        (b"Connection: keep-alive", b"Content-Encoding: gzip"),
        (b"Connection: keep-alive", b"Authorization: Bearer x"),
        (b"Connection: keep-alive", b"Content-Digest: sha-256=:x:"),
        (b"User-Agent: service/1", b"User-Agent: ser\xffvice"),
        (b"User-Agent: service/1", b"User-Agent: a\r\n folded"),
        (b"User-Agent: service/1", b"User-Agent : a"),
        (b"User-Agent: service/1", b"User-Agent: a\n"),
        (b"User-Agent: service/1", b"User-Agent: a\0"),
        (b"User-Agent: service/1", b"no field"),
    ],
)
def test_plain_request_leaves_what_is_not_plain_to_others(before: bytes, after: bytes) -> None:
    assert before in PLAIN
    assert PlainRequests().read(PLAIN.replace(before, after, 1)) == "other"


def test_plain_request_waits_for_what_may_become_one() -> None:
    requests = PlainRequests()
    for end in range(1, len(PLAIN)):
        assert requests.read(PLAIN[:end]) == "incomplete"
    assert requests.read(b"GE") == requests.read(b"POST /r") == "other"
    long = PLAIN.replace(b"service/1", b"x" * HEAD_BYTES_MAX)
    assert requests.read(long[: HEAD_BYTES_MAX - 1]) == "incomplete"
    assert requests.read(long[:HEAD_BYTES_MAX]) == requests.read(long) == "other"


@given(st.binary(max_size=300), st.integers(0, len(PLAIN)))
def test_plain_request_takes_no_more_than_there_is(noise: bytes, at: int) -> None:
    data = PLAIN[:at] + noise
    found = PlainRequests().read(data)
    if isinstance(found, PlainRequest):
        assert found.taken <= len(data)
        assert len(found.body) == found.head.body_bytes
        assert read_head(data[: found.taken - len(found.body)]) == found.head


@pytest.mark.parametrize(
    ("fields", "traceparent"),
    [
        (b"", ""),
        (b"Traceparent: 00-a-b-01\r\n", "00-a-b-01"),
        (b"traceparent: a\r\ntraceparent: b\r\n", ""),
        *((b"traceparent: a\r\n%s: 192.0.2.1\r\n" % name.encode(), "") for name in PROXIED),
    ],
)
def test_plain_request_tells_its_trace(fields: bytes, traceparent: str) -> None:
    head = read_head(b"POST /v1/playback HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\n" + fields + b"\r\n")
    assert head is not None
    assert head.traceparent == traceparent
