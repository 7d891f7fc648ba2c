"""The object that a player says it asks for next: ``nor`` and ``nrr`` of CMCD (CTA-5004). Pure.

``nor`` is a path relative to that of the object asked for now, percent-encoded; ``nrr`` a range of it.
"""

from __future__ import annotations

import re
from urllib.parse import unquote_to_bytes

from oca.delivery.cmcd import DATA_BYTES_MAX

_PATH = re.compile(rb'(?:\A|,)[ \t]*nor=\(?"([^"]*)"').search
_RANGE = re.compile(rb'(?:\A|,)[ \t]*nrr=\(?"([0-9]{1,15})-([0-9]{0,15})"').search
_SCHEME = re.compile(rb"[A-Za-z][A-Za-z0-9+.-]*:").match


def named(data: bytes) -> tuple[bytes, int, int]:
    """What data that is no longer percent-encoded names: the path as the player wrote it, the first byte, the last.

    The path is empty where there is none; the last byte is -1 where the rest is meant.
    """
    path = _PATH(data) if len(data) <= DATA_BYTES_MAX else None
    if path is None:
        return b"", 0, -1
    span = _RANGE(data)
    return (path[1], int(span[1]), int(span[2] or -1)) if span is not None else (path[1], 0, -1)


def resolved(path: bytes, reference: bytes) -> bytes:
    """The path that a relative ``reference`` names from ``path`` (RFC 3986 §5.2); empty: none on this box."""
    target = unquote_to_bytes(reference).partition(b"?")[0].partition(b"#")[0]
    if not target or target.startswith(b"//") or _SCHEME(target) or b"\0" in target:
        return b""
    whole = target if target.startswith(b"/") else path[: path.rfind(b"/") + 1] + target
    kept: list[bytes] = []
    for segment in whole.split(b"/")[1:]:
        if segment == b"..":
            if not kept:
                return b""
            kept.pop()
        elif segment != b".":
            kept.append(segment)
    return b"/" + b"/".join(kept)
