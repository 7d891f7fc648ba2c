"""Header fields of a request: from the name and value pairs that the parser saw to ``Fields``, or a refusal."""

from __future__ import annotations

import re
from collections.abc import Sequence

from oca.http1.request import FILL_AGENT, PROBE_AGENT, PULL_AGENT, Fields, RequestError
from oca.http1.target import HOST_PORT

_KEPT = {
    b"range": "range",
    b"if-range": "if_range",
    b"if-match": "if_match",
    b"if-none-match": "if_none_match",
    b"if-modified-since": "if_modified_since",
    b"if-unmodified-since": "if_unmodified_since",
    b"cdn-loop": "cdn_loop",
}
SHOWN_BYTES_MAX = 256
"""Most that logs show of a field's value."""
_ORIGIN = re.compile(rb"https?://[A-Za-z0-9.:\[\]-]{1,255}(?=[/?#]|$)", re.IGNORECASE)


def read_fields(pairs: Sequence[tuple[bytes, bytes]], *, minor: int, fields_max: int) -> Fields:
    """The fields that delivery acts on.

    Args:
        pairs: Name and value of each field line, in order, values stripped.
        minor: HTTP/1.minor; HTTP/1.0 needs no Host.
        fields_max: Most field lines.

    Raises:
        RequestError: With the reason.
    """
    if len(pairs) > fields_max:
        raise RequestError("too-many-fields", f"{len(pairs)} header fields, limit {fields_max}", status=431)
    values: dict[bytes, bytes] = {}
    hosts = 0
    for name, value in pairs:
        key = name.lower()
        hosts += key == b"host"
        values[key] = values[key] + b", " + value if key in values else value
    _check_host(hosts, values.get(b"host", b""), minor)
    _check_framing(values)
    connection = {option.strip().lower() for option in values.get(b"connection", b"").split(b",")}
    kept = {attribute: values[key] for key, attribute in _KEPT.items() if key in values}
    close = b"close" in connection
    return Fields(
        close=close,
        keep_alive=b"keep-alive" in connection,
        fill=values.get(b"user-agent", b"").startswith((FILL_AGENT, PULL_AGENT, PROBE_AGENT)),
        plain=not kept,
        usual=not (kept or close),
        host=values.get(b"host", b"").lower(),
        agent=values.get(b"user-agent", b"")[:SHOWN_BYTES_MAX].decode("latin-1"),
        referrer=_origin(values.get(b"referer", b"")),
        **kept,
    )


def _origin(url: bytes) -> str:
    """The origin of a URL, which is all that is kept of a Referer: its path and query may hold a viewer's token."""
    found = _ORIGIN.match(url)
    return found[0].decode().lower() if found is not None else ""


def _check_host(hosts: int, host: bytes, minor: int) -> None:
    # RFC 9112 §3.2: a server MUST answer 400 to an HTTP/1.1 request that lacks Host, repeats it, or has a bad one. An
    # empty one is what a client sends for a URI without authority.
    if hosts > 1:
        raise RequestError("host-repeated", f"{hosts} Host fields, limit 1")
    if hosts == 0 and minor >= 1:
        raise RequestError("host-missing", "an HTTP/1.1 request without Host")
    if HOST_PORT.fullmatch(host) is None:
        raise RequestError("host", f"Host {host[:80]!r} is no host and port")


def _check_framing(values: dict[bytes, bytes]) -> None:
    # RFC 9112 §6.1: both together smell of smuggling, and §6.3 lets a server refuse. Content has no meaning in
    # GET, HEAD or OPTIONS here (RFC 9110 §9.3.1 allows to reject it), so no body is ever read.
    if b"transfer-encoding" in values:
        if b"content-length" in values:
            raise RequestError("length-and-transfer-encoding", "Content-Length beside Transfer-Encoding")
        raise RequestError("content", "a request with content, which this server never takes")
    length = values.get(b"content-length")
    if length is not None:
        if not length.isdigit():
            raise RequestError("content-length", f"Content-Length {length[:40]!r} is no number")
        if length.strip(b"0"):
            raise RequestError("content", f"a request with {length[:20].decode()} bytes of content, limit 0")
    # RFC 9110 §10.1.1: without content nothing is to be continued; any other expectation cannot be met.
    expect = values.get(b"expect")
    if expect is not None and expect.lower() != b"100-continue":
        raise RequestError("expectation", f"Expect {expect[:40]!r} cannot be met", status=417)
