"""Responses: from a request and what the store holds to a head and the bytes of the body to send.

Bodies are described, never read. A head ends before its Date line, which the sender appends: ``date_line`` changes
once a second, the rest never.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from msgspec import Struct

from oca.http1.conditional import evaluate, range_applies
from oca.http1.dates import format_date
from oca.http1.multipart import Piece, content_range, pieces
from oca.http1.ranges import RANGES_MAX, ByteRange, select_ranges
from oca.http1.request import Request, RequestError

ALLOW = b"GET, HEAD, OPTIONS"
PREFLIGHT_S = 86400
MANIFEST_FRESH_S = 60
SEGMENT_FRESH_S = 86400
_MANIFESTS = frozenset({"application/vnd.apple.mpegurl", "application/x-mpegurl", "application/dash+xml"})
_REASONS = {
    200: b"OK",
    204: b"No Content",
    206: b"Partial Content",
    302: b"Found",
    304: b"Not Modified",
    307: b"Temporary Redirect",
    400: b"Bad Request",
    403: b"Forbidden",
    404: b"Not Found",
    405: b"Method Not Allowed",
    408: b"Request Timeout",
    412: b"Precondition Failed",
    414: b"URI Too Long",
    416: b"Range Not Satisfiable",
    417: b"Expectation Failed",
    429: b"Too Many Requests",
    431: b"Request Header Fields Too Large",
    501: b"Not Implemented",
    505: b"HTTP Version Not Supported",
}
# Players on other origins must read every answer, errors above all: one they cannot read is a network error.
_CORS = (
    b"Access-Control-Allow-Origin: *\r\n"
    b"Access-Control-Expose-Headers: Content-Length, Content-Range, Date, ETag, Last-Modified, Age, Server-Timing, "
    b"CMSD-Static, CMSD-Dynamic, Retry-After, Cache-Status\r\n"
    b"Timing-Allow-Origin: *\r\n"
)
_DIGEST_TAG = re.compile(rb'"[0-9a-f]{32}"')
_PREFLIGHT = (
    b"Allow: %b\r\n"
    b"Access-Control-Allow-Methods: %b\r\n"
    b"Access-Control-Allow-Headers: Range, If-Range, If-Match, If-None-Match, If-Modified-Since, If-Unmodified-Since, "
    b"Cache-Control, CMCD-Request, CMCD-Object, CMCD-Status, CMCD-Session\r\n"
    b"Access-Control-Max-Age: %d\r\n" % (ALLOW, ALLOW, PREFLIGHT_S)
)


class Representation(Struct, frozen=True):
    """What HTTP says of one stored object.

    Attributes:
        size: Bytes.
        etag: Strong and quoted, made from the digest; empty while that is not known.
        modified_at_s: Last-Modified, seconds since 1970.
        media_type: Content-Type.
        said: Further field lines of every answer that shows the object, each with its CRLF.
        fresh_s: For how long others may keep it, 0: not at all; below 0: as its media type allows.
    """

    size: int
    etag: bytes
    modified_at_s: int
    media_type: str
    said: bytes = b""
    fresh_s: int = -1


class Reply(Struct, frozen=True, gc=False):
    """One response: ``head`` + date line, then ``text``, or the object's bytes ``[first, first + length)``, or
    ``pieces`` in turn. With pieces, ``length`` is how many bytes of the object are in them.
    """

    status: int
    head: bytes
    first: int = 0
    length: int = 0
    text: bytes = b""
    close: bool = False
    pieces: tuple[Piece, ...] = ()


def representation(
    digest: bytes, *, size: int, modified_at_s: int, media_type: str, said: bytes = b"", fresh_s: int = -1
) -> Representation:
    """Validators of an object from its digest (RFC 9110 §8.8.3)."""
    return Representation(size, b'"%b"' % digest.hex().encode(), modified_at_s, media_type, said, fresh_s)


def cache_status(appliance: str, outcome: str = "hit") -> bytes:
    """The field line that says who answered and how (RFC 9211 §2), the name as a token where it is one."""
    if not appliance:
        return b""
    name = appliance if appliance[0].isalpha() else f'"{appliance}"'
    return f"Cache-Status: {name};{outcome}\r\n".encode()


def date_line(at_s: int) -> bytes:
    """The Date field (RFC 9110 §6.6.1) and the empty line that ends a head."""
    return b"Date: %b\r\n\r\n" % format_date(at_s).encode()


def whole(about: Representation) -> Reply:
    """The answer to a GET without Range or preconditions on a connection that persists; it never changes."""
    head = _line(200) + b"Content-Length: %d\r\n" % about.size + _entity(about) + _CORS
    return Reply(200, head, 0, about.size)


def answer(request: Request, about: Representation | None, ranges_max: int = RANGES_MAX) -> Reply:
    """Answer ``request`` for what is stored under its path, or for nothing; with ``ranges_max`` parts at most."""
    tail = _connection(request)
    close = not request.persistent
    if request.method == "OPTIONS":  # RFC 9110 §9.3.7, and the Fetch standard's preflight
        return Reply(204, _line(204) + _PREFLIGHT + _CORS + tail, close=close)
    if about is None:
        return refusal(404, b"no such object here\n", to=request)
    outcome = "proceed" if request.fields.plain else _precondition(request, about)
    if outcome == "not-modified":  # RFC 9110 §15.4.5
        return Reply(304, _line(304) + _validators(about) + _CORS + tail, close=close)
    if outcome == "failed":  # RFC 9110 §15.5.13
        return refusal(412, b"precondition failed\n", to=request)
    # RFC 9110 §14.2: Range is defined for GET alone.
    if request.method == "GET" and request.fields.range is not None:
        return _ranged(request, about, request.fields.range, tail, ranges_max)
    reply = whole(about)
    return Reply(200, reply.head + tail, 0, about.size if request.method == "GET" else 0, close=close)


def refuse(refused: RequestError) -> Reply:
    """The answer to a request that could not be read: said plainly, then the connection closes."""
    extra = b"Allow: %b\r\n" % ALLOW if refused.status == 405 else b""  # RFC 9110 §15.5.6
    return refusal(refused.status, refused.reason.encode() + b"\n", extra, bodiless=refused.to_head)


def refusal(
    status: int,
    text: bytes,
    extra: bytes = b"",
    *,
    to: Request | None = None,
    close: bool = False,
    bodiless: bool = False,
) -> Reply:
    """A short answer in place of an object: an error or a redirect, readable by a player on any origin.

    Args:
        status: One of those with a reason phrase here.
        text: The body, a line of plain text; empty for none.
        extra: Further field lines, each with its CRLF, such as ``Location: …``.
        to: The request, which tells whether the connection persists and whether a body may follow (HEAD); none when
            it could not be read, and the connection ends.
        close: End the connection after it, whatever the request wants.
        bodiless: Say how long ``text`` is, and do not send it.
    """
    close = close or to is None or not to.persistent
    tail = b"Connection: close\r\n" if close or to is None else _connection(to)
    kind = b"Content-Type: text/plain\r\n" if text else b""
    head = b"%bContent-Length: %d\r\n%bCache-Control: no-store\r\n%b%b%b" % (
        _line(status),
        len(text),
        kind,
        _CORS,
        extra,
        tail,
    )
    bodiless = bodiless or (to is not None and to.method == "HEAD")  # RFC 9110 §9.3.2
    return Reply(status, head, text=b"" if bodiless else text, close=close)


def _precondition(request: Request, about: Representation) -> str:
    return evaluate(request.fields, etag=about.etag, modified_at_s=about.modified_at_s)


def _ranged(request: Request, about: Representation, value: bytes, tail: bytes, ranges_max: int) -> Reply:
    close = not request.persistent
    applies = range_applies(request.fields, etag=about.etag, modified_at_s=about.modified_at_s)
    # Several ranges are parted by the digest; what came from an origin a moment ago may have none, and comes whole.
    ranges_max = ranges_max if _DIGEST_TAG.fullmatch(about.etag) else 1
    selected = select_ranges(value, about.size, ranges_max=ranges_max) if applies else "whole"
    if selected == "whole":
        return Reply(200, whole(about).head + tail, 0, about.size, close=close)
    if selected == "unsatisfiable":  # RFC 9110 §15.5.17
        return refusal(416, b"", b"Content-Range: bytes */%d\r\n" % about.size, to=request)
    if len(selected) > 1:
        return _parts(about, selected, tail, close=close)
    (only,) = selected
    fields = b"Content-Length: %d\r\n%b" % (only.length, content_range(only, about.size))  # RFC 9110 §15.3.7.1
    return Reply(206, _line(206) + fields + _entity(about) + _CORS + tail, only.first, only.length, close=close)


def _parts(about: Representation, ranges: Sequence[ByteRange], tail: bytes, *, close: bool) -> Reply:
    # An object's own digest stands in no object but by a feat against the digest, so it parts the ranges safely.
    boundary = about.etag.strip(b'"')
    parts = pieces(ranges, size=about.size, media_type=about.media_type, boundary=boundary)
    length = sum(each.length for each in ranges)
    head = b"".join(
        (
            _line(206),
            b"Content-Length: %d\r\n" % (length + sum(len(piece.text) for piece in parts)),
            b"Content-Type: multipart/byteranges; boundary=%b\r\nAccept-Ranges: bytes\r\n" % boundary,
            _validators(about),
            _CORS,
            tail,
        )
    )
    return Reply(206, head, length=length, close=close, pieces=parts)


def _connection(request: Request) -> bytes:
    if not request.persistent:
        return b"Connection: close\r\n"  # RFC 9112 §9.6
    return b"" if request.minor else b"Connection: keep-alive\r\n"


def _line(status: int) -> bytes:
    return b"HTTP/1.1 %d %b\r\n" % (status, _REASONS[status])


def _entity(about: Representation) -> bytes:
    return b"Content-Type: %b\r\nAccept-Ranges: bytes\r\n" % about.media_type.encode() + _validators(about)


def _validators(about: Representation) -> bytes:
    fresh_s = about.fresh_s
    if fresh_s < 0:
        fresh_s = MANIFEST_FRESH_S if about.media_type in _MANIFESTS else SEGMENT_FRESH_S
    return b"%bLast-Modified: %b\r\nCache-Control: %b\r\n%b" % (
        b"ETag: %b\r\n" % about.etag if about.etag else b"",
        format_date(about.modified_at_s).encode(),
        b"max-age=%d" % fresh_s if fresh_s else b"no-store",
        about.said,
    )
