"""What requests are made of, for a fuzzer that would take long to come upon it.

As a dictionary, as seeds, and as a mode in which each byte of the input is a fragment.
"""

from __future__ import annotations

from tests.fuzz.properties import ABOUT, PATH

FRAGMENTS = (
    *(b"GET ", b"HEAD ", b"OPTIONS ", b"POST ", b"CONNECT ", b"get "),
    *(PATH, b"/", b"*", b"http://a", b"https://[::1]:80", b"?", b"%41", b"%2F", b"%00", b"%", b"#", b"//", b"..", b"@"),
    *(b" HTTP/1.1\r\n", b" HTTP/1.0\r\n", b" HTTP/2.0\r\n", b" HTTP/1.1", b" HTTP/0.9\r\n"),
    *(
        b"Host: a\r\n",
        b"Host:",
        b"Host: [::1]:8080\r\n",
        b"\r\n",
        b"\n",
        b"\r",
        b" ",
        b"\t",
        b":",
        b"\0",
        b"\xff",
        b",",
    ),
    *(
        b"Connection: close\r\n",
        b"Connection: keep-alive\r\n",
        b"Connection:",
        b"Upgrade: h2c\r\n",
        b"TE: trailers\r\n",
    ),
    *(b"Content-Length: 0\r\n", b"Content-Length: 5\r\n", b"Content-Length:", b"Transfer-Encoding: chunked\r\n"),
    *(b"Transfer-Encoding:", b"chunked", b"0\r\n\r\n", b"5\r\nabcde\r\n", b"identity", b"Expect: 100-continue\r\n"),
    *(b"Range: bytes=", b"Range: ", b"bytes=", b"0-", b"-1", b"0-9", b"500-509", b"999-", b"1000-", b"9", b"0", b"-"),
    *(b"If-Range: ", b"If-Match: ", b"If-None-Match: ", b"If-Modified-Since: ", b"If-Unmodified-Since: "),
    *(ABOUT.etag, b"W/", b'"', b'"x"', b"*\r\n", b"Sun, 06 Nov 1994 08:49:37 GMT", b"Sun Nov  6 08:49:37 1994"),
    *(b"Sunday, 06-Nov-94 08:49:37 GMT", b"CMCD-Request: bl=1\r\n", b"CMCD-Session:", b"User-Agent: oca-fill/1\r\n"),
    *(b"X-A: b\r\n", b"X", b"x" * 200, b"GET " + PATH + b" HTTP/1.1\r\nHost: a\r\n\r\n", b"\r\n\r\n"),
)
SEEDS = (
    b"s" + bytes(8) + b"GET " + PATH + b" HTTP/1.1\r\nHost: a\r\nRange: bytes=0-9,500-509\r\n\r\n",
    b"s" + bytes(8) + b"OPTIONS * HTTP/1.1\r\nHost: a\r\n\r\nHEAD http://a/%41?b HTTP/1.0\r\n\r\n",
    b"s" + bytes(8) + (b"GET " + PATH + b"?x HTTP/1.1\r\nHost: a\r\nCMCD-Request: bl=1\r\n\r\n") * 2,
    b"r\x03\xe80-9,500-509,-5",
    b"R\x03\xe8bytes=0-",
    b"dSun, 06 Nov 1994 08:49:37 GMT",
    b"dSunday, 06-Nov-94 08:49:37 GMT",
    b"dSun Nov  6 08:49:37 1994",
    b"c" + ABOUT.etag + b', "x"\nW/' + ABOUT.etag,
    b"c\n\nSun, 06 Nov 1994 08:49:37 GMT\nSun, 06 Nov 1994 08:49:36 GMT\n" + ABOUT.etag,
    b"t/a%20b?c",
    b"thttp://[::1]:80/a?b",
)


def assembled(places: bytes) -> bytes:
    """Each byte of ``places`` as a fragment; those beyond the last stand for themselves."""
    return b"".join(FRAGMENTS[place] if place < len(FRAGMENTS) else bytes((place,)) for place in places)


def dictionary() -> str:
    """The fragments as libFuzzer reads them."""
    return "".join('"{}"\n'.format("".join(f"\\x{byte:02x}" for byte in each)) for each in FRAGMENTS if len(each) < 64)


def seeds() -> list[bytes]:
    """Inputs to begin with, the assembled form of a whole request among them."""
    index = {each: place for place, each in enumerate(FRAGMENTS)}
    request = (
        b"GET ",
        PATH,
        b" HTTP/1.1\r\n",
        b"Host: a\r\n",
        b"If-Range: ",
        ABOUT.etag,
        b"\r\n",
        b"Range: bytes=",
        b"0-9",
    )
    return [*SEEDS, b"g" + bytes(8) + bytes(index[each] for each in (*request, b"\r\n", b"\r\n"))]
