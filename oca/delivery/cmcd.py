"""What a player tells with its request: Common Media Client Data, CTA-5004 (v1) and CTA-5004-A (v2). Pure.

It comes as the query parameter ``CMCD``, percent-encoded, or in four header fields. Only the keys that something here
acts on are read, by one search over the text as it came: a full parse costs ten times as much. What cannot be read
counts as not told: a player's report never changes whether it is served.
"""

from __future__ import annotations

import re
from urllib.parse import unquote_to_bytes

from msgspec import Struct

DATA_BYTES_MAX = 2048
"""Longest data looked into; players send 200 to 400 bytes."""

# One item after its comma. v2 puts numbers into inner lists, "br=(3200;v 128;a)": the first is read. A comma inside a
# quoted string counts as one between items; what follows it there would have to look like one of these keys.
_KEYS = rb"(b[lrs]|mtp|rtp|su)"
_ENCODED = re.compile(rb"%2C" + _KEYS + rb"(?:%3D(?:\(|%28)?([0-9]{1,9}))?(?=%2C|%3B|%20|\)|%29|;|\Z)").findall
_PLAIN = re.compile(rb",[ \t]*" + _KEYS + rb"(?:=\(?([0-9]{1,9}))?(?=[,; \t)]|\Z)").findall
# Possessive: a bare value takes the blanks behind it for good, so that no data has two readings to be tried in turn.
_WELL_FORMED = re.compile(rb'(?:[ \t]*+[a-z][a-z0-9_.*-]*+(?:=(?:"[^"]*+"|\([^)]*+\)|[^,"()]++))?[ \t]*+(?:,|\Z))++')


class Told(Struct, frozen=True, gc=False):
    """What one request told; 0 where it did not. Rates in kbit/s, as the standard has them.

    Attributes:
        wanted: Most throughput that serves the player (``rtp``).
        bitrate: Of the object asked for (``br``).
        throughput: As the player measured it (``mtp``).
        buffer_ms: Play time that is buffered (``bl``).
        starved: The buffer ran empty since the request before (``bs``).
        urgent: Needed at once: start, seek, or recovery from a starved buffer (``su``).
    """

    wanted: int = 0
    bitrate: int = 0
    throughput: int = 0
    buffer_ms: int = 0
    starved: bool = False
    urgent: bool = False


def data_of(query: bytes) -> bytes:
    """The value of the parameter ``CMCD`` in ``query``, still percent-encoded; empty where there is none."""
    at = query.find(b"CMCD=")
    if at > 0 and query[at - 1] != 0x26:  # another parameter whose name or value ends so
        at = query.find(b"&CMCD=") + 1 or -1
    if at < 0:
        return b""
    end = query.find(b"&", at)
    return query[at + 5 :] if end < 0 else query[at + 5 : end]


def told_encoded(data: bytes) -> Told | None:
    """What ``data_of`` a query tells; None where it is malformed."""
    if len(data) > DATA_BYTES_MAX:
        return None
    found = dict(_ENCODED(b"%2C" + data))
    # Nothing is found either where it is not as encodeURIComponent writes it: bare, or in lower case.
    return _told(found) if found else told_plain(unquote_to_bytes(data))


def told_plain(data: bytes) -> Told | None:
    """What the values of the header fields ``CMCD-*``, joined by commas, tell; None where they are malformed."""
    if len(data) > DATA_BYTES_MAX:
        return None
    found = dict(_PLAIN(b"," + data))
    if found:
        return _told(found)
    # None of our keys is there: another player's few keys, or no such data at all.
    return Told() if _WELL_FORMED.fullmatch(data) else None


def _told(found: dict[bytes, bytes]) -> Told:
    get = found.get
    return Told(
        int(get(b"rtp") or 0),
        int(get(b"br") or 0),
        int(get(b"mtp") or 0),
        int(get(b"bl") or 0),
        get(b"bs") == b"",
        get(b"su") == b"",
    )
