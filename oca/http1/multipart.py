"""The body of an answer with several ranges: multipart/byteranges (RFC 9110 §14.6, §15.3.7.2), described, not read."""

from __future__ import annotations

from collections.abc import Sequence

from msgspec import Struct

from oca.http1.ranges import ByteRange


class Piece(Struct, frozen=True, gc=False):
    """A stretch of the body: ``text``, then the object's bytes ``[first, first + length)``, if any."""

    text: bytes
    first: int = 0
    length: int = 0


def pieces(ranges: Sequence[ByteRange], *, size: int, media_type: str, boundary: bytes) -> tuple[Piece, ...]:
    """The body in the order it is sent, the closing line last; its length is that of all texts and ranges.

    Args:
        ranges: What of the object, in the order asked for.
        size: Bytes of the whole object.
        media_type: The object's; each part says it again.
        boundary: A line that stands in none of the parts.
    """
    kind = b"Content-Type: %b\r\n" % media_type.encode()
    parts = [
        Piece(
            b"%b--%b\r\n%b%b\r\n" % (b"\r\n" if place else b"", boundary, kind, content_range(each, size)),
            each.first,
            each.length,
        )
        for place, each in enumerate(ranges)
    ]
    return (*parts, Piece(b"\r\n--%b--\r\n" % boundary))


def content_range(each: ByteRange, size: int) -> bytes:
    """The field line that says which bytes these are (RFC 9110 §14.4)."""
    return b"Content-Range: bytes %d-%d/%d\r\n" % (each.first, each.first + each.length - 1, size)
