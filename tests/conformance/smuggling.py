"""Requests that two readers may take for two things, as published for request smuggling, and what must come back.

Each hides a request for ``hidden.m4s`` where a careless reader would find it, or tells of a length in a way on which
readers differ. ``statuses`` come back in order; behind a refusal the connection is closed.
"""

from __future__ import annotations

from dataclasses import dataclass

HOST = b"Host: a\r\n"
HIDDEN = b"GET /film/hidden.m4s HTTP/1.1\r\nHost: a\r\n\r\n"
CHUNKED = b"0\r\n\r\n" + HIDDEN
REFUSED = (400,)
GET = b"GET /film/1.m4s HTTP/1.1\r\n"
FINE = GET + HOST + b"\r\n"


@dataclass(frozen=True)
class Vector:
    name: str
    data: bytes
    statuses: tuple[int, ...] = REFUSED

    @property
    def methods(self) -> list[str]:
        return ["HEAD" if self.data.startswith(b"HEAD ") else "GET", *["GET"] * 20]


def _get(name: str, lines: bytes, body: bytes = b"", statuses: tuple[int, ...] = REFUSED) -> Vector:
    return Vector(name, GET + HOST + lines + b"\r\n" + body, statuses)


def _line(name: str, line: bytes, statuses: tuple[int, ...] = REFUSED) -> Vector:
    return Vector(name, line + b"\r\n" + HOST + b"\r\n" + HIDDEN, statuses)


CODINGS = (
    b"Transfer-Encoding: chunked\r\n",
    b"tRANSFER-eNCODING: chunked\r\n",
    b"Transfer-Encoding: CHUNKED\r\n",
    b"Transfer-Encoding: chunked \r\n",
    b"Transfer-Encoding:\tchunked\r\n",
    b"Transfer-Encoding:chunked\r\n",
    b"Transfer-Encoding : chunked\r\n",
    b"Transfer-Encoding\t: chunked\r\n",
    b" Transfer-Encoding: chunked\r\n",
    b"X: y\r\n Transfer-Encoding: chunked\r\n",
    b"Transfer-Encoding:\r\n chunked\r\n",
    b"Transfer-Encoding:\n chunked\r\n",
    b"X: y\nTransfer-Encoding: chunked\r\n",
    b"X: y\rTransfer-Encoding: chunked\r\n",
    b"Transfer-Encoding\n: chunked\r\n",
    b"Transfer-Encoding: xchunked\r\n",
    b"Transfer-Encoding: chunk\r\n",
    b"Transfer-Encoding: \x0bchunked\r\n",
    b"Transfer-Encoding: \x0cchunked\r\n",
    b"Transfer-Encoding: \0chunked\r\n",
    b"Transfer-Encoding: chunked\0\r\n",
    b"Transfer-Encoding: \x85chunked\r\n",
    b"Transfer-Encoding: chunked, identity\r\n",
    b"Transfer-Encoding: identity, chunked\r\n",
    b"Transfer-Encoding: identity\r\n",
    b"Transfer-Encoding: gzip, chunked\r\n",
    b"Transfer-Encoding: chunked, chunked\r\n",
    b"Transfer-Encoding: ,chunked\r\n",
    b"Transfer-Encoding: chunked;a=b\r\n",
    b'Transfer-Encoding: "chunked"\r\n',
    b"Transfer-Encoding: 'chunked'\r\n",
    b"Transfer-Encoding:\r\n",
    b"Transfer-Encoding: chunked\r\nTransfer-Encoding: identity\r\n",
    b"Transfer-Encoding: identity\r\nTransfer-Encoding: chunked\r\n",
    b"Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n",
    b"Connection: Transfer-Encoding\r\nTransfer-Encoding: chunked\r\n",
)
LENGTHS = (
    b"Content-Length: 5\r\n",
    b"Content-Length: 5, 5\r\n",
    b"Content-Length: 0, 5\r\n",
    b"Content-Length: 5\r\nContent-Length: 5\r\n",
    b"Content-Length: 0\r\nContent-Length: 5\r\n",
    b"Content-Length: 5\r\nContent-Length: 0\r\n",
    b"Content-Length: +5\r\n",
    b"Content-Length: -5\r\n",
    b"Content-Length: 0x5\r\n",
    b"Content-Length: 5 5\r\n",
    b"Content-Length: 5,\r\n",
    b"Content-Length: 05\r\n",
    b"Content-Length: 5abc\r\n",
    b"Content-Length: 5\0\r\n",
    b"Content-Length: \x0b5\r\n",
    b"Content-Length: 5.0\r\n",
    b"Content-Length: 1e1\r\n",
    b"Content-Length: 1_0\r\n",
    b"Content-Length: \xb2\r\n",
    b"Content-Length: \xef\xbc\x95\r\n",
    b"Content-Length: 18446744073709551621\r\n",
    b"Content-Length: " + b"9" * 400 + b"\r\n",
    b"Content-Length: \r\n",
    b"Content-Length : 5\r\n",
    b" Content-Length: 5\r\n",
    b"Content-Length:\r\n 5\r\n",
    b"Content-Length\0: 5\r\n",
    b"X: y\nContent-Length: 5\r\n",
    b"Connection: Content-Length\r\nContent-Length: 5\r\n",
)


def _shown(line: bytes) -> str:
    return line.decode("latin-1").encode("unicode_escape").decode()[:60]


VECTORS = (
    *(_get(f"coding alone: {_shown(line)}", line, CHUNKED) for line in CODINGS),
    *(_get(f"coding behind length: {_shown(line)}", b"Content-Length: 5\r\n" + line, CHUNKED) for line in CODINGS),
    *(_get(f"coding before length: {_shown(line)}", line + b"Content-Length: 5\r\n", CHUNKED) for line in CODINGS),
    *(_get(f"length: {_shown(line)}", line, b"abcde" + HIDDEN) for line in LENGTHS),
    _get("length of nothing, then a request", b"Content-Length: 0\r\n", FINE, (200, 200)),
    _get("length of many noughts", b"Content-Length: 000\r\n", FINE, (200, 200)),
    _get("underscore in a length's name", b"Content_Length: 5\r\n", b"abcde" + HIDDEN, (200, 501)),
    _get("underscore in a coding's name", b"Transfer_Encoding: chunked\r\n", b"0\r\n\r\n", (200, 400)),
    _get("trailers announced", b"Trailer: Host\r\nTransfer-Encoding: chunked\r\n", CHUNKED),
    _get("chunk with an extension", b"Transfer-Encoding: chunked\r\n", b"1;a=b\r\nx\r\n" + CHUNKED),
    _get("chunks ended by LF", b"Transfer-Encoding: chunked\r\n", b"1\nx\n0\n\n" + HIDDEN),
    _get("chunk longer than told", b"Transfer-Encoding: chunked\r\n", b"1\r\nxyz\r\n" + CHUNKED),
    _get("chunk of a huge size", b"Transfer-Encoding: chunked\r\n", b"ffffffffffffffff1\r\nx\r\n" + CHUNKED),
    _get("expectation with content", b"Expect: 100-continue\r\nContent-Length: 5\r\n", b"abcde" + HIDDEN),
    _get("h2c with content", b"Connection: Upgrade\r\nUpgrade: h2c\r\nContent-Length: 5\r\n", b"abcde" + HIDDEN),
    _get(
        "h2c, then a request",
        b"Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABkAARAAAAA\r\n",
        FINE,
        (200, 200),
    ),
    _get("websocket, then a request", b"Connection: Upgrade\r\nUpgrade: websocket\r\n", FINE, (200, 200)),
    _get("the end, then a request", b"Connection: close\r\n", HIDDEN, (200,)),
    _get("another method by a field", b"X-HTTP-Method-Override: POST\r\n", FINE, (200, 200)),
    _get("two hosts", b"Host: b\r\n", HIDDEN),
    _get("two hosts, one folded away", b"X: y\r\n Host: b\r\n", HIDDEN),
    _get("no colon", b"nothing\r\n", HIDDEN),
    _get("no name", b": x\r\n", HIDDEN),
    _get("space in a name", b"X Y: z\r\n", HIDDEN),
    _get("bracket in a name", b"X(: z\r\n", HIDDEN),
    _get("NUL in a name", b"X\0: z\r\n", HIDDEN),
    _get("latin-1 in a name", b"X\xe9: z\r\n", HIDDEN),
    _get("NUL in a value", b"X: y\0z\r\n", HIDDEN),
    _get("bare CR at a line's end", b"X: y\r\r\n", HIDDEN),
    _get("bare LF at the head's end", b"X: y\r\n\n", HIDDEN),
    _get("bare CR at the head's end", b"X: y\r\n\r", HIDDEN),
    _get("control character in a value", b"X: y\x08z\r\n", HIDDEN),
    _get("too many fields", b"X: y\r\n" * 200, HIDDEN, (431,)),
    _get("a field too long", b"X: " + b"y" * 20_000 + b"\r\n", HIDDEN, (431,)),
    Vector("no host", GET + b"\r\n" + HIDDEN),
    Vector("host with a comma", GET + b"Host: a, b\r\n\r\n" + HIDDEN),
    Vector("host with a path", GET + b"Host: a/b\r\n\r\n" + HIDDEN),
    Vector("host with a user", GET + b"Host: u@a\r\n\r\n" + HIDDEN),
    Vector("host with a space", GET + b"Host: a b\r\n\r\n" + HIDDEN),
    Vector("host with a NUL", GET + b"Host: a\0\r\n\r\n" + HIDDEN),
    Vector("host with a word for a port", GET + b"Host: a:b\r\n\r\n" + HIDDEN),
    Vector("host folded", GET + b"Host:\r\n a\r\n\r\n" + HIDDEN),
    Vector("space before the host's colon", GET + b"Host : a\r\n\r\n" + HIDDEN),
    Vector("all lines ended by LF", b"GET /film/1.m4s HTTP/1.1\nHost: a\n\n" + HIDDEN),
    Vector("first field folded", GET + b" X: y\r\n" + HOST + b"\r\n" + HIDDEN),
    _line("another host in an absolute target", b"GET http://b/film/1.m4s HTTP/1.1", (200, 200)),
    _line("a user in an absolute target", b"GET http://u@a/film/1.m4s HTTP/1.1"),
    _line("no host in an absolute target", b"GET http:///film/1.m4s HTTP/1.1"),
    _line("another scheme", b"GET ftp://a/film/1.m4s HTTP/1.1"),
    _line("NUL in a target", b"GET /film/1.m4s\0 HTTP/1.1"),
    _line("bare CR in a target", b"GET /film/1.m4s\r HTTP/1.1"),
    _line("space in a target", b"GET /film/1.m4s x HTTP/1.1"),
    _line("tab for a space", b"GET\t/film/1.m4s\tHTTP/1.1"),
    _line("two spaces", b"GET  /film/1.m4s HTTP/1.1"),
    _line("space at the line's end", b"GET /film/1.m4s HTTP/1.1 "),
    _line("space at the line's beginning", b" GET /film/1.m4s HTTP/1.1"),
    _line("a request in the target", b"GET /film/1.m4s HTTP/1.1\nX: GET /film/hidden.m4s HTTP/1.1"),
    _line("escaped line ends", b"GET /film/1.m4s%20HTTP/1.1%0d%0aHost:%20a%0d%0a%0d%0a HTTP/1.1", (404, 200)),
    _line("HTTP/0.9", b"GET /film/1.m4s"),
    _line("HTTP/0.9 by name", b"GET /film/1.m4s HTTP/0.9", (505,)),
    _line("HTTP/1.10", b"GET /film/1.m4s HTTP/1.10"),
    _line("HTTP/01.1", b"GET /film/1.m4s HTTP/01.1"),
    _line("HTTP/2.0", b"GET /film/1.m4s HTTP/2.0", (505,)),
    _line("http in small letters", b"GET /film/1.m4s http/1.1"),
    _line("a method in small letters", b"get /film/1.m4s HTTP/1.1", (501,)),
    _line("a target too long", b"GET /" + b"a" * 9000 + b" HTTP/1.1", (414,)),
    _line("a tunnel", b"CONNECT a:80 HTTP/1.1", (405,)),
    _line("TRACE", b"TRACE /film/1.m4s HTTP/1.1", (405,)),
    Vector(
        "POST with a hidden request",
        b"POST /film/1.m4s HTTP/1.1\r\n" + HOST + b"Content-Length: 44\r\n\r\n" + HIDDEN,
        (405,),
    ),
    Vector("OPTIONS with content", b"OPTIONS * HTTP/1.1\r\n" + HOST + b"Content-Length: 44\r\n\r\n" + HIDDEN),
    Vector("HEAD with content", b"HEAD /film/1.m4s HTTP/1.1\r\n" + HOST + b"Content-Length: 44\r\n\r\n" + HIDDEN),
    Vector(
        "HTTP/1.0 with a coding",
        b"GET /film/1.m4s HTTP/1.0\r\nConnection: keep-alive\r\nTransfer-Encoding: chunked\r\n\r\n" + CHUNKED,
    ),
    Vector("HTTP/1.0, then a request", b"GET /film/1.m4s HTTP/1.0\r\n\r\n" + HIDDEN, (200,)),
    Vector("HTTP/2 by its preface", b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + HIDDEN, (505,)),
    Vector("TLS", b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + bytes(40)),
    Vector("a request, then rubbish", FINE + b"\x00\x01\x02\r\n\r\n", (200, 400)),
    Vector("a request, then a chunk", FINE + b"0\r\n\r\n", (200, 400)),
    Vector("a request, then one without host", FINE + GET + b"\r\n" + HIDDEN, (200, 400)),
    Vector("empty lines without end", b"\r\n" * 2000 + HIDDEN),
    Vector("three requests", FINE * 3, (200, 200, 200)),
)
