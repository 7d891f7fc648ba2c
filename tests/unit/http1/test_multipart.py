from oca.http1.multipart import Piece, content_range, pieces
from oca.http1.ranges import ByteRange


def test_pieces_are_read_back_by_a_mail_parser() -> None:
    """Multipart is mail's (RFC 2046 §5.1): Python's own parser of it is the judge."""
    import email

    content = bytes(range(256)) * 8
    body = b""
    for piece in pieces((ByteRange(1000, 40), ByteRange(0, 3)), size=2048, media_type="video/mp4", boundary=b"abc"):
        body += piece.text + content[piece.first : piece.first + piece.length]
    read = email.message_from_bytes(b"Content-Type: multipart/byteranges; boundary=abc\r\n\r\n" + body)
    assert not read.defects
    assert read.preamble is None
    parts = read.get_payload()
    assert isinstance(parts, list)
    assert [part["Content-Range"] for part in parts] == ["bytes 1000-1039/2048", "bytes 0-2/2048"]  # type: ignore[index]
    assert {part["Content-Type"] for part in parts} == {"video/mp4"}  # type: ignore[index]
    assert [part.get_payload(decode=True) for part in parts] == [content[1000:1040], content[:3]]  # type: ignore[union-attr]


def test_pieces_end_with_the_closing_line() -> None:
    assert pieces((), size=0, media_type="a/b", boundary=b"x")[-1] == Piece(b"\r\n--x--\r\n")


def test_content_range_names_last_byte() -> None:
    assert content_range(ByteRange(3, 4), 10) == b"Content-Range: bytes 3-6/10\r\n"
