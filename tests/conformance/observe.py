"""What a server did with a request: its answer, reduced to what HTTP promises, and whether the connection lived on."""

from __future__ import annotations

import email
from dataclasses import dataclass, field

from tests.conformance.cases import MOUNT, OBJECTS, Case
from tests.conformance.wire import Address, FramingError, Response, exchange, responses

PROBE = b"GET /film/2.m4s?probe HTTP/1.1\r\nHost: probe\r\nRange: bytes=7-9\r\nConnection: close\r\n\r\n"
"""Follows every request: answered as it should be, it shows that the server saw the request end where it does."""
_COMPARED = ("content-type", "content-range", "last-modified", "allow")


@dataclass(frozen=True)
class Seen:
    """The answer to one case."""

    status: int
    """0: no response at all."""
    body: bytes = b""
    fields: dict[str, str] = field(default_factory=dict)
    has_tag: bool = False
    lives: bool = False
    """The next request on the connection was answered, and rightly."""
    interim: tuple[int, ...] = ()
    broken: str = ""
    """What was wrong with the bytes that came back."""


def tags(address: Address) -> dict[str, str]:
    """The server's entity tag of each object."""
    found = {}
    for name in OBJECTS:
        data = f"HEAD {MOUNT}{name} HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n".encode()
        (response,) = responses(exchange(address, data), methods=["HEAD"])
        assert response.status == 200, response
        found[name] = response.fields["etag"]
    return found


def observe(address: Address, case: Case, etag: str, content: dict[str, bytes]) -> Seen:
    """Ask for ``case``, with the probe behind it."""
    received = exchange(address, case.data(etag) + PROBE)
    try:
        answers = responses(received, methods=[case.method, "GET"])
    except FramingError as error:
        return Seen(0, received, broken=str(error))
    if not answers:
        return Seen(0)
    first = answers[0]
    repeated = {name for name in first.names if first.names.count(name) > 1}
    return Seen(
        first.status,
        first.body if first.status in (200, 206) else b"",
        {name: first.fields[name] for name in _COMPARED if name in first.fields and _compares(name, first)},
        first.fields.get("etag") == etag,
        len(answers) == 2 and answers[1].status == 206 and answers[1].body == content["2.m4s"][7:10],
        first.interim,
        f"fields twice: {sorted(repeated)}" if repeated else "",
    )


def _compares(name: str, response: Response) -> bool:
    """An error's own type is the server's affair; a multipart's boundary too."""
    if name == "content-type":
        return response.status in (200, 206) and not response.fields[name].startswith("multipart/")
    return name != "last-modified" or response.status in (200, 206, 304)


def parts(seen: Seen, size: int) -> list[tuple[int, bytes]] | None:
    """Offset and bytes of each range in a 206, one or several; None when it is none or does not hold together."""
    if seen.status != 206:
        return None
    if "content-range" in seen.fields:
        return [(_first(seen.fields["content-range"], size, len(seen.body)), seen.body)]
    boundary = seen.body.removeprefix(b"\r\n").partition(b"\r\n")[0].removeprefix(b"--")
    head = b"Content-Type: multipart/byteranges; boundary=" + boundary + b"\r\n\r\n"
    message = email.message_from_bytes(head + seen.body)
    if message.defects or not message.is_multipart():
        return None
    found = []
    for part in message.walk():
        if not part.is_multipart():
            data = part.get_payload(decode=True)
            assert isinstance(data, bytes)
            found.append((_first(part["Content-Range"], size, len(data)), data))
    return found


def _first(content_range: str, size: int, length: int) -> int:
    unit, _, rest = content_range.partition(" ")
    span, _, total = rest.partition("/")
    first, _, last = span.partition("-")
    assert (unit, int(total), int(last) - int(first) + 1) == ("bytes", size, length), content_range
    return int(first)
