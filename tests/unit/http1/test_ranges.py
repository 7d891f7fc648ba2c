import pytest
from hypothesis import given
from hypothesis import strategies as st

from oca.http1.ranges import ByteRange, select_range


@pytest.mark.parametrize(
    ("value", "selected"),
    [
        (b"bytes=0-0", ByteRange(0, 1)),
        (b"bytes=0-", ByteRange(0, 10)),
        (b"bytes=3-5", ByteRange(3, 3)),
        (b"bytes=3-99", ByteRange(3, 7)),
        (b"bytes=9-", ByteRange(9, 1)),
        (b"bytes=-3", ByteRange(7, 3)),
        (b"bytes=-99", ByteRange(0, 10)),
        (b"BYTES = 1-2", ByteRange(1, 2)),
        (b"bytes=1-2,", ByteRange(1, 2)),
        (b"bytes=, 1-2", ByteRange(1, 2)),
        (b"bytes=00000000000000000000001-2", ByteRange(1, 2)),
        (b"bytes=0-" + b"9" * 5000, ByteRange(0, 10)),
        (b"bytes=-" + b"9" * 5000, ByteRange(0, 10)),
        (b"bytes=10-", "unsatisfiable"),
        (b"bytes=10-12", "unsatisfiable"),
        (b"bytes=-0", "unsatisfiable"),
        (b"bytes=" + b"9" * 5000 + b"-", "unsatisfiable"),
        (b"bytes=5-4", "whole"),
        (b"bytes=0-1,4-5", "whole"),
        (b"bytes=", "whole"),
        (b"bytes=-", "whole"),
        (b"bytes=a-b", "whole"),
        (b"bytes=1", "whole"),
        (b"bytes=1-2-3", "whole"),
        (b"bytes=-1-2", "whole"),
        (b"bytes=1 -2", "whole"),
        (b"items=0-9", "whole"),
        (b"bytes", "whole"),
        (b"", "whole"),
    ],
)
def test_range_selects_bytes_of_ten(value: bytes, selected: ByteRange | str) -> None:
    assert select_range(value, 10) == selected


@pytest.mark.parametrize("value", [b"bytes=0-", b"bytes=0-0", b"bytes=-1"])
def test_range_finds_nothing_in_empty_representation(value: bytes) -> None:
    assert select_range(value, 0) == "unsatisfiable"


@given(st.integers(0, 2**63), st.integers(0, 2**63), st.integers(0, 2**63))
def test_range_stays_inside_representation(first: int, last: int, size: int) -> None:
    selected = select_range(b"bytes=%d-%d" % (first, last), size)
    if isinstance(selected, ByteRange):
        assert 0 <= selected.first == first < size
        assert selected.length == min(last, size - 1) - first + 1 >= 1
    else:
        assert selected == ("whole" if last < first else "unsatisfiable")


@given(st.binary(max_size=60), st.integers(0, 2**40))
def test_range_reads_anything_without_an_error(value: bytes, size: int) -> None:
    select_range(b"bytes=" + value, size)
