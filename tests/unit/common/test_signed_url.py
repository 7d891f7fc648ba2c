import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from oca.common.signed_url import Placed, TokenPlaces, place_in_path, place_in_query

PLACES = TokenPlaces()


@pytest.mark.parametrize(
    ("path", "query", "wanted"),
    [
        (b"/h/a.m4s", b"", Placed(b"", b"/h/a.m4s", b"")),
        (b"/h/a.m4s", b"CMCD=x", Placed(b"", b"/h/a.m4s", b"CMCD=x")),
        (b"/t/T.O.K/h/a.m4s", b"CMCD=x", Placed(b"T.O.K", b"/h/a.m4s", b"CMCD=x")),
        (b"/t/T/", b"", Placed(b"T", b"/", b"")),
        (b"/t//h", b"", Placed(b"", b"/h", b"")),
        (b"/t/T", b"", Placed(b"T", b"/", b"", "malformed")),
        (b"/tt/T/h", b"", Placed(b"", b"/tt/T/h", b"")),
        # RFC 9246 §2: the form style, and what is left of the URI without it (§2.1.15)
        (b"/media/path", b"come=1&URISigningPackage=T&other=2", Placed(b"T", b"/media/path", b"come=1&other=2")),
        (b"/media/path", b"URISigningPackage=T", Placed(b"T", b"/media/path", b"")),
        (b"/media/path", b"come=data&URISigningPackage=T", Placed(b"T", b"/media/path", b"come=data")),
        (b"/media/path", b"xURISigningPackage=T", Placed(b"", b"/media/path", b"xURISigningPackage=T")),
        # the path style
        (b"/media;URISigningPackage=T.O_K-/path", b"", Placed(b"T.O_K-", b"/media/path", b"")),
        (b"/media;a=1;URISigningPackage=T;b=2/path", b"", Placed(b"T", b"/media;a=1;b=2/path", b"")),
        (b"/media/path;URISigningPackage=T", b"", Placed(b"T", b"/media/path", b"")),
        # twice, in whatever places
        (b"/t/T/t/U/h", b"", Placed(b"", b"/h", b"", "repeated")),
        (b"/t/T/h;URISigningPackage=U", b"", Placed(b"", b"/h", b"", "repeated")),
        (b"/t/T/h", b"a=1&URISigningPackage=U", Placed(b"", b"/h", b"a=1", "repeated")),
        (b"/h", b"URISigningPackage=T&URISigningPackage=T", Placed(b"", b"/h", b"", "repeated")),
        (b"/t/T/t/U", b"", Placed(b"", b"/", b"", "repeated")),
        # one inside another
        (b"/h;URISigningPackage;URISigningPackage=T=U/x", b"", Placed(b"", b"/h", b"", "repeated")),
        (b"/t;URISigningPackage=T/U/h", b"", Placed(b"", b"/h", b"", "repeated")),
        # what stands beside it stays as it was
        (b"/h", b"a=1&&URISigningPackage=T", Placed(b"T", b"/h", b"a=1&")),
        (b"/h", b"URISigningPackage=T&a&", Placed(b"T", b"/h", b"a&")),
        (b"/h", b"URISigningPackage&a=URISigningPackage=U", Placed(b"", b"/h", b"a=URISigningPackage=U")),
    ],
)  # fmt: skip
def test_places_take_token_and_leave_rest(path: bytes, query: bytes, wanted: Placed) -> None:
    assert PLACES.take(path, query) == wanted


def test_places_follow_their_names() -> None:
    places = TokenPlaces("sig", "token")
    assert places.take(b"/sig/T/h", b"") == Placed(b"T", b"/h", b"")
    assert places.take(b"/t/T/h", b"token=U") == Placed(b"U", b"/t/T/h", b"")


@given(
    st.lists(st.sampled_from([b"/t", b"/", b"SECRET.x.y", b"h", b";", b"URISigningPackage", b"=", b"&"]), max_size=16)
)
def test_places_leave_no_token_behind(parts: list[bytes]) -> None:
    """What is left goes to the look-up and to logs."""
    path, _, query = b"".join(parts).partition(b"&")
    placed = PLACES.take(b"/" + path, query)
    assert not placed.path.startswith(b"/t/")
    assert b";URISigningPackage=" not in placed.path
    assert not any(part.startswith(b"URISigningPackage=") for part in placed.query.split(b"&"))


@pytest.mark.parametrize(
    ("path", "query"),
    [
        (b"/t/" * 10_000, b""),
        (b"/h" + b";URISigningPackage" * 1500 + b"=T" * 1500, b""),
        (b"/h", b"URISigningPackage=T" + b"&" * 30_000),
    ],
)
def test_places_read_longest_url_in_bounded_time(path: bytes, query: bytes) -> None:
    began = time.process_time()
    PLACES.take(path, query)
    assert time.process_time() - began < 0.01


@pytest.mark.parametrize(
    ("url", "in_path", "in_query"),
    [
        ("http://h:1/a/b", "http://h:1/t/T/a/b", "http://h:1/a/b?URISigningPackage=T"),
        ("http://h/a?x=1", "http://h/t/T/a?x=1", "http://h/a?x=1&URISigningPackage=T"),
        ("/a", "/t/T/a", "/a?URISigningPackage=T"),
        ("http://h", "http://h/t/T/", "http://h?URISigningPackage=T"),
    ],
)
def test_place_puts_token_where_it_is_found(url: str, in_path: str, in_query: str) -> None:
    assert place_in_path(url, "T") == in_path
    assert place_in_query(url, "T") == in_query
