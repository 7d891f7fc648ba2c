import pytest
from hypothesis import given
from hypothesis import strategies as st

from oca.delivery.next_object import named, resolved


@pytest.mark.parametrize(
    ("data", "wanted"),
    [
        (b'bl=21300,nor="2.m4s",nrr="0-99"', (b"2.m4s", 0, 99)),
        (b'nor="..%2F3.m4s"', (b"..%2F3.m4s", 0, -1)),
        (b'br=1, nor="a"', (b"a", 0, -1)),
        (b'nor=("a" "b"),nrr="7-"', (b"a", 7, -1)),
        (b'nrr="0-9"', (b"", 0, -1)),
        (b'nor="a",nrr="x-9"', (b"a", 0, -1)),
        (b'minor="a"', (b"", 0, -1)),
        (b'nor="a', (b"", 0, -1)),
        (b"", (b"", 0, -1)),
        (b'nor="' + b"a" * 2048 + b'"', (b"", 0, -1)),
    ],
)
def test_data_names_next_object_and_its_range(data: bytes, wanted: tuple[bytes, int, int]) -> None:
    assert named(data) == wanted


@pytest.mark.parametrize(
    ("reference", "wanted"),
    [
        (b"2.m4s", b"/film/v/2.m4s"),
        (b"..%2Fa%2F2.m4s", b"/film/a/2.m4s"),
        (b"../a/./2.m4s?x=1#y", b"/film/a/2.m4s"),
        (b"%2Fother%2F1", b"/other/1"),
        (b"../../1", b"/1"),
        (b"../../../1", b""),
        (b"https://evil.example/1", b""),
        (b"//evil.example/1", b""),
        (b"a%00b", b""),
        (b"?x", b""),
        (b"", b""),
    ],
)
def test_reference_is_resolved_against_path_of_now(reference: bytes, wanted: bytes) -> None:
    assert resolved(b"/film/v/1.m4s", reference) == wanted


@given(st.binary(max_size=300))
def test_whatever_comes_names_a_path_or_none(data: bytes) -> None:
    path, first, last = named(b'nor="%b"' % data)
    assert first >= 0
    assert last >= -1
    found = resolved(b"/a/b", path)
    assert not found or (found.startswith(b"/") and b".." not in found.split(b"/"))
