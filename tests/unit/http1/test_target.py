import pytest
from hypothesis import given
from hypothesis import strategies as st

from oca.http1.request import RequestError
from oca.http1.target import decoded, split_target


@pytest.mark.parametrize(
    ("target", "path", "query"),
    [
        (b"/", b"/", b""),
        (b"/harbour/v/1.m4s", b"/harbour/v/1.m4s", b""),
        (b"/a?CMCD=bl%3D1,ot%3Dv", b"/a", b"CMCD=bl%3D1,ot%3Dv"),
        (b"/a?b?c", b"/a", b"b?c"),
        (b"/a%20b", b"/a b", b""),
        (b"/%2541", b"/%41", b""),
        (b"/a/../b", b"/a/../b", b""),
        (b"//a", b"//a", b""),
        (b"http://fra1-a.example:8080/a%41?x", b"/aA", b"x"),
        (b"HTTPS://a/b", b"/b", b""),
        (b"http://a", b"/", b""),
        (b"http://a?x", b"/", b"x"),
        (b"/a|b{c}", b"/a|b{c}", b""),
    ],
)
def test_target_names_path_and_query(target: bytes, path: bytes, query: bytes) -> None:
    assert split_target(target, method="GET") == (path, query)


def test_target_takes_asterisk_with_options_alone() -> None:
    assert split_target(b"*", method="OPTIONS") == (b"*", b"")
    with pytest.raises(RequestError) as caught:
        split_target(b"*", method="GET")
    assert caught.value.reason == "target"


@pytest.mark.parametrize(
    "target",
    [
        b"a",
        b"a:80",
        b"ftp://a/b",
        b"http:///b",
        b"http://u@h/b",
        b"http://:80/b",
        b"http://a:b/c",
        b"http://a b/",
        b"/a#b",
        b"/a b",
        b"/\xff",
        b"/\x01",
        b"/%4",
    ],
)
def test_target_refuses_other_forms(target: bytes) -> None:
    with pytest.raises(RequestError) as caught:
        split_target(target, method="GET")
    assert (caught.value.reason, caught.value.status) == ("target", 400)


def test_target_refuses_encoded_nul() -> None:
    with pytest.raises(RequestError) as caught:
        decoded(b"/a%00b")
    assert caught.value.reason == "nul"


@given(st.binary(min_size=1).filter(lambda raw: b"\0" not in raw))
def test_target_decodes_every_escaped_byte_once(raw: bytes) -> None:
    assert decoded(b"/" + b"".join(b"%%%02x" % byte for byte in raw)) == b"/" + raw
