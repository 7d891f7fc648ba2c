import pytest

from oca.http1.cmcd_lines import take_cmcd


@pytest.mark.parametrize(
    ("block", "rest", "cmcd"),
    [
        (b"\r\nHost: a\r\n\r\n", b"\r\nHost: a\r\n\r\n", b""),
        (b"\r\nHost: a\r\nCMCD-Status: rtp=5\r\n\r\n", b"\r\nHost: a\r\n\r\n", b"rtp=5"),
        (
            b"\r\ncmcd-request:su \r\nHost: a\r\nCMCD-Object: \tbr=1\r\ncmcd-session: \r\n\r\n",
            b"\r\nHost: a\r\n\r\n",
            b"su,br=1,",
        ),
    ],
)
def test_cmcd_lines_leave_the_rest_of_block(block: bytes, rest: bytes, cmcd: bytes) -> None:
    assert take_cmcd(block) == (rest, cmcd)


@pytest.mark.parametrize(
    "line",
    [
        b"CMCD-Status : rtp=5",  # RFC 9112 §5.1: no white space before the colon
        b"CMCD-Status rtp=5",
        b"CMCD-Other: rtp=5",
        b"X-CMCD-Status: rtp=5",
        b"CMCD-Status: \x7f",
        b"CMCD-Status: \x00",
        b"Cookie: CMCD-Status: rtp=5",
        b"\r\n".join([b"CMCD-Status: rtp=5"] * 5),
    ],
)
def test_cmcd_lines_leave_alone_what_is_doubtful(line: bytes) -> None:
    block = b"\r\nHost: a\r\n%b\r\n\r\n" % line
    assert take_cmcd(block) == (block, b"")
