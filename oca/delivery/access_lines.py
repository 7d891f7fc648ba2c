"""Lines of the access log: what one tells, and its two forms. Pure.

Nothing in a line can end it or pass for another field, and no query is in it: tokens ride there.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import lru_cache
from urllib.parse import quote

import msgspec

PATH_CHARACTERS_MAX = 2048
_SAFE = "!$&'()*+,-./:;=@_~"
_PLAIN = bytes(byte for byte in range(0x21, 0x7F) if chr(byte).isalnum() or chr(byte) in _SAFE)
_SESSION_ENCODED = re.compile(rb"sid%3[Dd]%22([A-Za-z0-9._~-]{1,64})%22")
_BEFORE_SESSION = (b"%2C", b"%2c", b"CD=")
_SESSION_PLAIN = re.compile(rb'(?:^|[, ])sid="([A-Za-z0-9._~-]{1,64})"')
_TOKEN = re.compile(r"eyJ[A-Za-z0-9_-]+(?:\.[A-Za-z0-9_-]*)*")
"""A JWT begins with an encoded ``{"``. One may stand where no gate takes it out: misplaced, or signing is off."""
_ESCAPED = re.compile(r'["\\\x00-\x1f\x7f-\xff]')
_encode_lines = msgspec.json.Encoder().encode_lines


class Line(msgspec.Struct, gc=False, omit_defaults=True):
    """One request, in the order of the JSON form, which leaves out what is empty.

    Attributes:
        time: When its last byte went to the kernel, or it was cut; RFC 3339.
        path: As looked up, percent-encoded.
        bytes: Of the body, handed to the kernel.
        first_byte_us: Microseconds from taking up the request to its first byte, 0 if it had none.
        duration_us: To its last.
        cache: ``hit`` or ``miss``.
        cut: Why it ended before its last byte, if it did.
        referrer: The origin that the player's page is from.
        session: The player's CMCD session.
    """

    time: str
    client: str
    method: str
    path: str
    status: int
    bytes: int
    first_byte_us: int
    duration_us: int
    cache: str = ""
    cut: str = ""
    referrer: str = ""
    agent: str = ""
    session: str = ""


def json_lines(lines: Sequence[Line]) -> bytes:
    """A JSON object a line."""
    return _encode_lines(lines)


def combined_lines(lines: Sequence[Line]) -> bytes:
    """The combined format: ``client - - [time] "request" status bytes "referrer" "agent"``."""
    return "".join(map(_combined, lines)).encode()


def shown_path(path: bytes) -> str:
    """A decoded path as URLs write it, in one way only, and without what may be a token."""
    text = path.decode() if not path.translate(None, _PLAIN) else quote(path, safe=_SAFE)
    if "eyJ" in text:
        text = _TOKEN.sub("TOKEN", text)
    return text if len(text) <= PATH_CHARACTERS_MAX else text[:PATH_CHARACTERS_MAX] + "..."


def session_of(query: bytes, cmcd: bytes) -> str:
    """The CMCD session id (CTA-5004) in a query or in header values; empty without a plain one."""
    if cmcd:
        found = _SESSION_PLAIN.search(cmcd)
    else:
        at = query.find(b"sid%3")
        found = _SESSION_ENCODED.match(query, at) if at >= 0 and query[at - 3 : at] in _BEFORE_SESSION else None
    return found[1].decode() if found is not None else ""


@lru_cache(maxsize=4)
def clock_time(rfc3339: str) -> str:
    """``2026-11-25T21:51:36.025Z`` as the combined format has it: ``25/Nov/2026:21:51:36 +0000``."""
    month = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")[int(rfc3339[5:7]) - 1]
    return f"{rfc3339[8:10]}/{month}/{rfc3339[:4]}:{rfc3339[11:19]} +0000"


def _combined(line: Line) -> str:
    asked = f"{line.method} {line.path} HTTP/1.1" if line.method else "-"
    return (
        f'{line.client or "-"} - - [{clock_time(line.time)}] "{asked}" {line.status} {line.bytes} '
        f'"{_quoted(line.referrer)}" "{_quoted(line.agent)}"\n'
    )


@lru_cache(maxsize=1024)
def _quoted(text: str) -> str:
    return _ESCAPED.sub(lambda found: f"\\x{ord(found[0]):02x}", text) if text else "-"
