"""The one request that is answered without aiohttp, as far as it can be told at a glance. Pure.

``POST /v1/playback`` in its plain form, as services send it by the thousand: every field known here, and none that asks
for anything special. Whatever is not of that form, right or wrong, is for aiohttp to judge.
"""

from __future__ import annotations

import re
from typing import Literal, NamedTuple, final

from mypy_extensions import mypyc_attr

from steering.recent import Recent

TARGET = b"/v1/playback"
HEAD_BYTES_MAX = 4096
BODY_BYTES_MAX = 8192
HEADS_KEPT = 1024
_BEGINS = b"POST " + TARGET + b" "
_HEAD = re.compile(rb"POST /v1/playback HTTP/1\.1\r\n((?:[A-Za-z0-9-]{1,64}:[\t -~]*\r\n)+)\r\n")
_FIELD = re.compile(rb"([A-Za-z0-9-]+):[\t ]*([\t -~]*?)[\t ]*\r\n")
_LENGTH = re.compile(r"[0-9]{1,4}")
# fmt: off
_IGNORED = frozenset((
    "accept", "accept-encoding", "accept-language", "cache-control", "content-type", "date", "dnt", "forwarded",
    "origin", "pragma", "priority", "referer", "sec-ch-ua", "sec-ch-ua-mobile", "sec-ch-ua-platform", "sec-fetch-dest",
    "sec-fetch-mode", "sec-fetch-site", "tracestate", "user-agent", "via", "x-forwarded-host", "x-forwarded-port",
    "x-forwarded-proto", "x-real-ip", "x-request-id",
))
# fmt: on
"""Fields that change nothing about the answer, here or in aiohttp's way of it."""
_PROXIED = frozenset(("forwarded", "via", "x-forwarded-for", "x-real-ip"))


class PlainHead(NamedTuple):
    """What the answer depends on; and what traces do.

    ``forwarded``: the X-Forwarded-For fields, in order; ``traceparent``: empty where there is not just one, or a
    proxy has sent the request on.
    """

    host: str
    forwarded: tuple[str, ...]
    body_bytes: int
    traceparent: str = ""


@final
@mypyc_attr(acyclic=True)
class PlainRequest:
    """One request, and how many bytes of what came it took."""

    __slots__ = ("body", "head", "taken")

    def __init__(self, head: PlainHead, body: bytes, taken: int) -> None:
        self.head, self.body, self.taken = head, body, taken


class PlainRequests:
    """Reads them; the heads of one client are mostly the same, byte by byte, and are read once."""

    def __init__(self) -> None:
        self._heads: Recent[bytes, PlainHead] = Recent(HEADS_KEPT)

    def read(self, data: bytes) -> PlainRequest | Literal["incomplete", "other"]:
        """The request that ``data`` begins with; ``other``: it is none of that form."""
        ends = data.find(b"\r\n\r\n", 0, HEAD_BYTES_MAX) + 4
        if ends == 3:
            begun = len(data) < HEAD_BYTES_MAX and data.startswith(_BEGINS[: len(data)])
            return "incomplete" if begun else "other"
        raw = data[:ends]
        head = self._heads.get(raw)
        if head is None:
            head = read_head(raw)
            if head is None:
                return "other"
            self._heads.put(raw, head)
        taken = ends + head.body_bytes
        return PlainRequest(head, data[ends:taken], taken) if len(data) >= taken else "incomplete"


def read_head(raw: bytes) -> PlainHead | None:
    """A whole head, with the empty line that ends it; None where it is not plain (RFC 9112 §3, §5, §6)."""
    lines = _HEAD.fullmatch(raw)
    if lines is None:
        return None
    host: list[str] = []
    length: list[str] = []
    forwarded: list[str] = []
    connection: list[str] = []
    traced: list[str] = []
    is_proxied = False
    kept = {
        "host": host,
        "content-length": length,
        "x-forwarded-for": forwarded,
        "connection": connection,
        "traceparent": traced,
    }
    for name, value in _FIELD.findall(lines[1]):
        field = name.decode().lower()
        is_proxied = is_proxied or field in _PROXIED
        if field in kept:
            kept[field].append(value.decode())
        elif field not in _IGNORED:
            return None
    if len(host) != 1 or len(length) != 1 or not _LENGTH.fullmatch(length[0]):
        return None
    if any(said.lower() != "keep-alive" for said in connection) or int(length[0]) > BODY_BYTES_MAX:
        return None
    traceparent = traced[0] if len(traced) == 1 and not is_proxied else ""
    return PlainHead(host[0], tuple(forwarded), int(length[0]), traceparent)
