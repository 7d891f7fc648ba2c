"""Bytes of a connection → requests, by llhttp, strictly.

A head is read only when all of it is here: its request line by a strict pattern, its header block by a fresh llhttp
parser. Nothing is carried from one request to the next, so nothing can be smuggled. Requests with content are
refused, so a message ends with its head.

Players repeat the same header block with every segment. A block that llhttp has passed once is known by its bytes
from then on (``KnownBlocks``), which saves the 4.5 µs of parsing it again; the request line is read each time. Field
lines that differ with each segment by design (``CMCD-*``) are taken out first.
"""

from __future__ import annotations

import re

import httptools

from oca.http1.cmcd_lines import take_cmcd
from oca.http1.fields import read_fields
from oca.http1.request import Fields, Limits, Method, Request, RequestError
from oca.http1.target import TARGET_BYTES, decoded, split_target

KNOWN_BLOCKS_MAX = 1024
KNOWN_BLOCK_BYTES_MAX = 2048
USUAL_BYTES_MAX = 2 * KNOWN_BLOCK_BYTES_MAX
"""Longer heads take the full way at once: their block is not known, and to look costs a third of reading it."""
EMPTY_LINES_MAX = 8
"""Empty lines before a request; old clients send one or two, more are a way to burn time."""
_END = b"\r\n\r\n"
_ANY_LINE = b"GET / HTTP/1.1"
_LINE = re.compile(rb"([!#$%&'*+.^_`|~0-9A-Za-z-]{1,24}) ([^ \r\n]+) HTTP/([0-9])\.([0-9])")
_SERVED: dict[bytes, Method] = {b"GET": "GET", b"HEAD": "HEAD", b"OPTIONS": "OPTIONS"}
# RFC 9110 §9.1: a method we know but never allow is 405, one we do not know is 501.
_NOT_ALLOWED = frozenset({b"POST", b"PUT", b"DELETE", b"PATCH", b"CONNECT", b"TRACE"})


class KnownBlocks:
    """Header blocks that passed, by their bytes; bounded, and forgotten whole when full. Shared by a worker."""

    def __init__(self) -> None:
        self.fields: dict[bytes, Fields] = {}

    def learn(self, block: bytes, fields: Fields) -> None:
        """Remember an HTTP/1.1 block that llhttp passed."""
        if len(block) > KNOWN_BLOCK_BYTES_MAX:
            return
        if len(self.fields) >= KNOWN_BLOCKS_MAX:
            self.fields.clear()
        self.fields[block] = fields


class RequestReader:
    """The requests of one connection, in order. ``feed`` bytes as they come, then ``next`` until it gives None."""

    __slots__ = (
        "_at", "_fields_max", "_head_bytes_max", "_known", "_pending", "_target_bytes_max", "_usual_bytes_max",
    )  # fmt: skip

    def __init__(self, limits: Limits, known: KnownBlocks) -> None:
        self._head_bytes_max = limits.head_bytes_max
        self._usual_bytes_max = min(limits.head_bytes_max, USUAL_BYTES_MAX)
        self._target_bytes_max = limits.target_bytes_max
        self._fields_max = limits.fields_max
        self._known = known
        self._pending = b""
        self._at = 0
        """How much of ``_pending`` is read already: what waits behind a request is not copied for it."""

    @property
    def pending_bytes(self) -> int:
        """Bytes fed and not yet part of a request; the caller stops feeding when they grow beyond its bound."""
        return len(self._pending) - self._at

    def has_pending(self, heads: int) -> bool:
        """Whether there are as many whole heads among those bytes: requests that wait. Counts no further."""
        end = self._at
        for _ in range(heads):
            end = self._pending.find(_END, end) + len(_END)
            if end < len(_END):
                return False
        return True

    def feed(self, data: bytes) -> None:
        """Take what arrived."""
        if self._pending:
            self._pending = self._pending[self._at :] + data
            self._at = 0
        else:
            self._pending = data

    def next(self) -> Request | None:
        """The next whole request, or None until more arrives.

        Raises:
            RequestError: What is there can never become an acceptable request. Answer and close.
        """
        data = self._pending
        if not data:
            return None
        if not self._at and len(data) <= self._usual_bytes_max:
            line_end = data.find(b"\r\n")
            block, cmcd = data[line_end:], b""
            fields = self._known.fields.get(block)
            if fields is None and data.find(_END) + len(_END) == len(data):
                block, cmcd = take_cmcd(block)
                fields = self._known.fields.get(block) if cmcd else None
            if fields is not None:
                # The common case: one request, and its block known. A known block ends at its first empty line, so
                # this is one whole head, and the request line alone is left to read. Anything unusual takes the full
                # way.
                parts = data[:line_end].split(b" ")
                if len(parts) == 3 and parts[0] == b"GET" and parts[2] == b"HTTP/1.1":
                    target = parts[1]
                    short = len(target) <= self._target_bytes_max
                    if short and target[:1] == b"/" and not target.translate(None, TARGET_BYTES):
                        self._pending = b""
                        path, _, query = target.partition(b"?")
                        if b"%" in path:
                            path = decoded(path)
                        return Request("GET", path, fields, not fields.close, 1, query, cmcd)
        begin = self._at
        # RFC 9112 §2.2: ignore empty lines before the request line. They stay pending until it follows, so that the
        # head's time-out runs.
        while data.startswith(b"\r\n", begin):
            if begin - self._at >= 2 * EMPTY_LINES_MAX:
                raise RequestError("request-line", f"more than {EMPTY_LINES_MAX} empty lines before a request")
            begin += 2
        try:
            return self._next(data, begin)
        except RequestError as refused:
            refused.to_head = data.startswith(b"HEAD ", begin)
            raise

    def _next(self, data: bytes, begin: int) -> Request | None:
        end = data.find(_END, begin) + len(_END)
        if end < len(_END) or end - begin > self._head_bytes_max:
            if begin < len(data):
                self._refuse_hopeless(data[begin:])
            return None
        if end == len(data):
            self._pending, self._at = b"", 0
        else:
            self._at = end
        return self._read(data[begin:end])

    def _refuse_hopeless(self, data: bytes) -> None:
        """Refuse at once what no further byte can mend, rather than wait for the head's time-out."""
        limit = self._head_bytes_max
        if len(data) > limit:
            if data.find(b"\r\n", 0, limit) < 0:
                raise RequestError("target-too-long", f"no end of the request line in {limit} bytes", status=414)
            raise RequestError("head-too-large", f"no end of the request head in {limit} bytes", status=431)
        if not (data[:1].isalpha() or data == b"\r"):
            raise RequestError("request-line", f"{data[:20]!r} begins no request")
        line_end = data.find(b"\r\n")
        if line_end >= 0 and _LINE.fullmatch(data, 0, line_end) is None:  # HTTP/0.9 waits for its answer here
            raise RequestError("request-line", f"the request line {data[: min(line_end, 80)]!r} is malformed")
        if b"\0" in data:
            raise RequestError("nul", "the request head holds a NUL")
        if data.count(b"\n") != data.count(b"\r\n"):
            raise RequestError("line-ending", "a line of the request head ends with a bare LF")

    def _read(self, head: bytes) -> Request:
        _check_lines(head)
        line_end = head.find(b"\r\n")
        block = head[line_end:]
        line = _LINE.fullmatch(head, 0, line_end)
        if line is None:
            raise RequestError("request-line", f"the request line {head[: min(line_end, 80)]!r} is malformed")
        name, target, major, minor = line[1], line[2], int(line[3]), int(line[4])
        if major != 1:
            raise RequestError("version", f"HTTP/{major}.{minor}, spoken here: HTTP/1.1", status=505)
        limit = self._target_bytes_max
        if len(target) > limit:
            raise RequestError("target-too-long", f"a target of {len(target)} bytes, limit {limit}", status=414)
        method = _SERVED.get(name)
        if method is None:
            shown = name.decode()
            if name in _NOT_ALLOWED:
                raise RequestError("method-not-allowed", f"{shown} is not allowed here", status=405)
            raise RequestError("method-unknown", f"{shown} is no method known here", status=501)
        # RFC 9110 §2.5: a higher minor version is read as the highest we know.
        minor = min(minor, 1)
        path, query = split_target(target, method=method)
        steady, cmcd = take_cmcd(block)
        fields = self._known.fields.get(steady) if minor == 1 else None
        if fields is None:
            fields = read_fields(_field_lines(block), minor=minor, fields_max=self._fields_max)
            if minor == 1:
                self._known.learn(steady, fields)
        persistent = not fields.close and (minor == 1 or fields.keep_alive)  # RFC 9112 §9.3
        return Request(method, path, fields, persistent, minor, query, cmcd)


def _check_lines(head: bytes) -> None:
    if b"\0" in head:
        raise RequestError("nul", "the request head holds a NUL")
    lines = head.split(b"\n")
    lines.pop()  # empty: the head ends with a line
    if head.count(b"\r") != len(lines) or {line[-1:] for line in lines} != {b"\r"}:  # RFC 9112 §2.2
        raise RequestError("line-ending", "the request head holds a bare CR or LF")
    if {line[:1] for line in lines[1:]} & {b" ", b"\t"}:  # RFC 9112 §5.2: obs-fold is answered with 400
        raise RequestError("folded-field", "a header field is folded over lines")


class _FieldLines:
    """Collects what llhttp calls back with."""

    def __init__(self) -> None:
        self.pairs: list[tuple[bytes, bytes]] = []

    def on_header(self, name: bytes, value: bytes) -> None:
        self.pairs.append((name, value.strip(b" \t")))


def _field_lines(block: bytes) -> list[tuple[bytes, bytes]]:
    """The field lines of a header block, as llhttp reads them behind a request line that is beyond doubt."""
    seen = _FieldLines()
    try:
        httptools.HttpRequestParser(seen).feed_data(_ANY_LINE + block)
    except httptools.HttpParserUpgrade:
        # RFC 9110 §7.8: a server may ignore Upgrade; the whole head was seen.
        return seen.pairs
    except httptools.HttpParserError as error:
        raise _named(str(error)) from None
    return seen.pairs


def _named(llhttp: str) -> RequestError:
    """Our reason for what llhttp says."""
    if "Transfer-Encoding can't be present" in llhttp or "Content-Length can't be present" in llhttp:
        return RequestError("length-and-transfer-encoding", "Content-Length beside Transfer-Encoding")
    if "Content-Length" in llhttp:
        return RequestError("content-length", llhttp)
    if "Transfer-Encoding" in llhttp:
        return RequestError("content", llhttp)
    return RequestError("field", llhttp)
