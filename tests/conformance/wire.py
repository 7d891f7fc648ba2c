"""Raw bytes to a server and what came back, without an HTTP client that would mend either."""

from __future__ import annotations

import contextlib
import re
import socket
from dataclasses import dataclass, field

WAIT_S = 20.0
_STATUS = re.compile(rb"HTTP/1\.[01] ([1-5][0-9]{2}) [^\r\n]*")
_FIELD = re.compile(rb"([!#$%&'*+.^_`|~0-9A-Za-z-]+): ?([^\r\n]*)")

Address = tuple[str, int]


class FramingError(AssertionError):
    """What came back is no sequence of whole responses."""


@dataclass(frozen=True)
class Response:
    """One final response; ``interim`` holds the 1xx statuses before it."""

    status: int
    fields: dict[str, str]
    body: bytes
    interim: tuple[int, ...] = ()
    names: list[str] = field(default_factory=list)


def exchange(address: Address, data: bytes, *, ends: bool = False) -> bytes:
    """Send ``data`` on a connection of its own; all that comes back until the server ends it. A reset ends it too.

    With ``ends`` the client says that it sends no more, so that nobody waits for the rest of something cut.
    """
    with socket.create_connection(address, timeout=WAIT_S) as connection:
        with contextlib.suppress(OSError):
            connection.sendall(data)
            if ends:
                connection.shutdown(socket.SHUT_WR)
        received = bytearray()
        with contextlib.suppress(ConnectionError):
            while part := connection.recv(2**20):
                received += part
        return bytes(received)


def responses(data: bytes, *, methods: list[str]) -> list[Response]:
    """The responses in ``data`` to requests with ``methods``, in order; fewer than those when the server ended it.

    Raises:
        FramingError: Bytes that are no response, a body that is cut, or more responses than requests.
    """
    found: list[Response] = []
    interim: list[int] = []
    while data:
        head, parted, data = data.partition(b"\r\n\r\n")
        if not parted:
            raise FramingError(f"no end of head in {head[:80]!r}")
        first, *lines = head.split(b"\r\n")
        status = _status(first)
        pairs = [_pair(line) for line in lines]
        if 100 <= status < 200:
            interim.append(status)
            continue
        if len(found) == len(methods):
            raise FramingError(f"a response to nothing: {head[:80]!r}")
        fields = {name.lower(): value for name, value in pairs}
        length = 0 if methods[len(found)] == "HEAD" or status in (204, 304) else _length(fields)
        if len(data) < length:
            raise FramingError(f"{len(data)} bytes of a body of {length}")
        body, data = data[:length], data[length:]
        found.append(Response(status, fields, body, tuple(interim), [name.lower() for name, _ in pairs]))
        interim = []
    return found


def _status(line: bytes) -> int:
    match = _STATUS.fullmatch(line)
    if match is None:
        raise FramingError(f"no status line: {line[:80]!r}")
    return int(match[1])


def _pair(line: bytes) -> tuple[str, str]:
    match = _FIELD.fullmatch(line)
    if match is None:
        raise FramingError(f"no field line: {line[:80]!r}")
    return match[1].decode(), match[2].decode("latin-1")


def _length(fields: dict[str, str]) -> int:
    if "transfer-encoding" in fields:
        raise FramingError("a transfer coding on a body of known length")
    if not fields.get("content-length", "").isdigit():
        raise FramingError(f"no Content-Length in {fields}")
    return int(fields["content-length"])
