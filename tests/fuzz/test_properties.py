"""The checks that the fuzzer runs for hours, by Hypothesis for a moment: whole, in pieces, with trailing bytes."""

from __future__ import annotations

from hypothesis import example, given
from hypothesis import strategies as st

from oca.http1.request import Fields
from tests.fuzz.properties import ABOUT, PATH, check_conditions, check_date, check_ranges, check_stream, check_target

_SPEC = st.from_regex(rb"[0-9]{0,5}-[0-9]{0,5}", fullmatch=True)
_TAG = st.sampled_from([ABOUT.etag, b"W/" + ABOUT.etag, b'"x"', b'W/"y,z"', b"*", b"abc", b'"'])
_DATE = st.sampled_from(
    [b"Sun, 06 Nov 1994 08:49:37 GMT", b"Sun Nov  6 08:49:37 1994", b"Sunday, 06-Nov-94 08:49:37 GMT"]
)
_LINES = st.sampled_from(
    [
        b"Host: a\r\n",
        b"Host: \r\n",
        b"Connection: close\r\n",
        b"Connection: keep-alive\r\n",
        b"Range: bytes=0-9,500-509\r\n",
        b"If-None-Match: *\r\n",
        b"Content-Length: 0\r\n",
        b"Content-Length: 5\r\n",
        b"Transfer-Encoding: chunked\r\n",
        b"CMCD-Request: bl=1\r\n",
        b"X:\r\n",
        b" folded\r\n",
        b"X : y\r\n",
        b"X: y\n",
        b"Upgrade: h2c\r\n",
    ]
)
_TARGET = st.sampled_from(
    [PATH, PATH + b"?a=b", b"/%41", b"*", b"http://a/b?c", b"http://:80/", b"a", b"/%zz", b"/a#b"]
)
_METHOD = st.sampled_from([b"GET", b"HEAD", b"OPTIONS", b"POST", b"get"])
_VERSION = st.sampled_from([b"HTTP/1.1", b"HTTP/1.0", b"HTTP/1.9", b"HTTP/2.0", b""])


@st.composite
def _heads(draw: st.DrawFn) -> bytes:
    lines = draw(st.lists(_LINES, max_size=5))
    host = b"Host: b\r\n" if draw(st.booleans()) else b""
    first = b" ".join((draw(_METHOD), draw(_TARGET), draw(_VERSION)))
    return first + b"\r\n" + host + b"".join(lines) + b"\r\n"


@given(st.lists(_heads(), min_size=1, max_size=4), st.binary(max_size=20), st.lists(st.integers(0, 300), max_size=8))
@example([b"GET " + PATH + b" HTTP/1.1\r\nHost: a\r\n\r\n"], b"", [])
@example([b"GET " + PATH + b"?x HTTP/1.1\r\nHost: a\r\n\r\n"] * 2, b"GET", [1, 2, 3])
def test_reader_agrees_with_itself_and_with_h11(heads: list[bytes], tail: bytes, cuts: list[int]) -> None:
    stream = b"".join(heads) + tail
    check_stream(stream, cuts)
    check_stream(stream, range(len(stream)))


@given(st.binary(max_size=400), st.lists(st.integers(0, 400), max_size=8))
def test_reader_takes_any_bytes(stream: bytes, cuts: list[int]) -> None:
    check_stream(stream, cuts)


@given(st.one_of(st.binary(max_size=60), st.lists(_SPEC, max_size=20).map(b",".join)), st.integers(0, 70_000))
def test_ranges_are_those_asked_for(value: bytes, size: int) -> None:
    check_ranges(b"bytes=" + value, size)
    check_ranges(value, size)


_LISTS = st.one_of(st.none(), st.lists(_TAG, min_size=1, max_size=70).map(b", ".join), st.binary(max_size=40))
_DATES = st.one_of(st.none(), _DATE, st.binary(max_size=40))


@given(_LISTS, _LISTS, _DATES, _DATES)
def test_conditions_have_an_outcome(
    match: bytes | None, none: bytes | None, since: bytes | None, until: bytes | None
) -> None:
    check_conditions(
        Fields(plain=False, if_match=match, if_none_match=none, if_modified_since=since, if_unmodified_since=until)
    )


@given(
    st.one_of(
        _DATE, st.binary(max_size=40), st.from_regex(rb"[A-Z][a-z]{2}, \d\d [A-Z][a-z]{2} \d{4} \d\d:\d\d:\d\d GMT")
    )
)
def test_dates_are_instants(value: bytes) -> None:
    check_date(value)


@given(st.one_of(_TARGET, st.binary(max_size=80), st.from_regex(rb"(http://a)?/[a-z%0-9?/:#]{0,30}", fullmatch=True)))
def test_targets_are_paths(target: bytes) -> None:
    for method in ("GET", "HEAD", "OPTIONS"):
        check_target(target, method)
