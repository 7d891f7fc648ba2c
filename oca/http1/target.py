"""The request target: its four forms (RFC 9112 §3.2) and percent-decoding, once."""

from __future__ import annotations

import re
from urllib.parse import unquote_to_bytes

from oca.http1.request import RequestError

TARGET_BYTES = bytes(byte for byte in range(0x21, 0x7F) if byte not in b'#"<>')
"""Every byte that may stand in a target: RFC 3986 §2, and those that browsers leave bare in a query."""
HOST_PORT = re.compile(rb"(\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9._~!$&'()*+,;=%-]*)(:[0-9]{0,5})?")
"""uri-host [":" port] (RFC 9110 §4.2.1), the host maybe empty."""
_ABSOLUTE = re.compile(rb"https?://([^/?]+)(/[^?]*)?(?:\?(.*))?", re.IGNORECASE | re.DOTALL)
_BAD_ESCAPE = re.compile(rb"%(?![0-9A-Fa-f]{2})")


def split_target(target: bytes, *, method: str) -> tuple[bytes, bytes]:
    """The decoded path that ``target`` names, and its query as sent.

    Raises:
        RequestError: The target has none of the forms that ``method`` allows, or a byte no target holds.
    """
    if target.translate(None, TARGET_BYTES):
        raise RequestError("target", f"the target {target[:80]!r} holds a byte that no target may")
    if target == b"*":
        if method == "OPTIONS":  # RFC 9112 §3.2.4
            return target, b""
        raise RequestError("target", f"the asterisk form with {method}")
    if target.startswith(b"/"):  # RFC 9112 §3.2.1
        path, _, query = target.partition(b"?")
        return decoded(path), query
    absolute = _ABSOLUTE.fullmatch(target)
    if absolute is None:  # RFC 9112 §3.2.3: the authority form is for CONNECT alone
        raise RequestError("target", f"the target {target[:80]!r} is no path")
    authority = HOST_PORT.fullmatch(absolute[1])
    if authority is None or not authority[1]:  # RFC 9110 §4.2.1: an empty host is refused; §4.2.4: so is userinfo
        raise RequestError("target", f"the target {target[:80]!r} names no host")
    # RFC 9112 §3.2.2: servers MUST accept the absolute form. Its host counts, not Host's; this one serves all the same.
    return decoded(absolute[2] or b"/"), absolute[3] or b""


def decoded(path: bytes) -> bytes:
    """``path`` percent-decoded once (RFC 3986 §2.4); ``%2541`` becomes ``%41`` and no more.

    Raises:
        RequestError: For a cut-off escape or an encoded NUL.
    """
    if b"%" not in path:
        return path
    if _BAD_ESCAPE.search(path):
        raise RequestError("target", f"the target {path[:80]!r} holds a % that is no escape")
    plain = unquote_to_bytes(path)
    if b"\0" in plain:
        raise RequestError("nul", "the target holds an encoded NUL")
    return plain
