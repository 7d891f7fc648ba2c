from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from oca.http1.ranges import (
    EMPTY_ELEMENTS_MAX,
    GAP_BYTES_MAX,
    PART_BYTES_MAX,
    RANGES_MAX,
    ByteRange,
    named_bytes,
    select_ranges,
)


def _one(first: int, length: int) -> tuple[ByteRange, ...]:
    return (ByteRange(first, length),)


@pytest.mark.parametrize(
    ("value", "selected"),
    [
        (b"bytes=0-0", _one(0, 1)),
        (b"bytes=0-", _one(0, 10)),
        (b"bytes=3-5", _one(3, 3)),
        (b"bytes=3-99", _one(3, 7)),
        (b"bytes=9-", _one(9, 1)),
        (b"bytes=-3", _one(7, 3)),
        (b"bytes=-99", _one(0, 10)),
        (b"BYTES=1-2", _one(1, 2)),
        (b"bytes=1-2 ", _one(1, 2)),
        (b"bytes =1-2", "whole"),
        (b" bytes=1-2", "whole"),
        (b"bytes=1-2,", _one(1, 2)),
        (b"bytes=, 1-2", _one(1, 2)),
        (b"bytes=00000000000000000000001-2", _one(1, 2)),
        (b"bytes=0-" + b"9" * 5000, _one(0, 10)),
        (b"bytes=-" + b"9" * 5000, _one(0, 10)),
        (b"bytes=10-", "unsatisfiable"),
        (b"bytes=10-12", "unsatisfiable"),
        (b"bytes=-0", "unsatisfiable"),
        (b"bytes=" + b"9" * 5000 + b"-", "unsatisfiable"),
        (b"bytes=5-4", "whole"),
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
def test_range_selects_bytes_of_ten(value: bytes, selected: tuple[ByteRange, ...] | str) -> None:
    assert select_ranges(value, 10) == selected


@pytest.mark.parametrize("value", [b"bytes=0-", b"bytes=0-0", b"bytes=-1", b"bytes=0-0,5-6"])
def test_range_of_empty_representation_is_ignored(value: bytes) -> None:
    assert select_ranges(value, 0) == "whole"


@pytest.mark.parametrize(
    ("value", "selected"),
    [
        (b"bytes=0-9,1000-1009", [(0, 10), (1000, 10)]),
        (b"bytes=1000-1009, 0-9", [(1000, 10), (0, 10)]),  # in the order asked for
        (b"bytes=-10,0-9,500-500", [(9990, 10), (0, 10), (500, 1)]),
        (b"bytes=0-9,5-19", [(0, 20)]),  # overlapping
        (b"bytes=0-9,10-19", [(0, 20)]),  # touching
        (b"bytes=10-19,0-9", [(0, 20)]),
        (b"bytes=0-9,%d-300" % (10 + GAP_BYTES_MAX), [(0, 301)]),  # a gap not worth a part's head
        (b"bytes=0-9,%d-300" % (11 + GAP_BYTES_MAX), [(0, 10), (11 + GAP_BYTES_MAX, 300 - 10 - GAP_BYTES_MAX)]),
        (b"bytes=5000-5009,0-9,4000-4009,5-5", [(5000, 10), (0, 10), (4000, 10)]),
        (b"bytes=20-29,5000-5009,0-19", [(0, 30), (5000, 10)]),  # where the first of those joined stood
        (b"bytes=0-9,20000-", [(0, 10)]),  # one that cannot be met is left out
        (b"bytes=0-9,-0", [(0, 10)]),
        (b"bytes=,0-9, ,1000-1009", [(0, 10), (1000, 10)]),
        (b"bytes=20000-,30000-", "unsatisfiable"),
        (b"bytes=0-9,9-5", "whole"),
        (b"bytes=0-9,x", "whole"),
        (b"bytes=0-9,-", "whole"),
        (b"bytes=0-,0-0", "whole"),  # more than there is
        (b"bytes=0-5000,-5000", "whole"),
        (b"bytes=" + b"0-,1-," * 5, "whole"),
    ],
)
def test_several_ranges_select_bytes_of_ten_thousand(value: bytes, selected: list[tuple[int, int]] | str) -> None:
    chosen = select_ranges(value, 10_000)
    assert (
        chosen == selected or [(each.first, each.length) for each in chosen if isinstance(each, ByteRange)] == selected
    )


def test_ranges_beyond_the_limit_get_the_whole() -> None:
    def spread(count: int) -> bytes:
        return b"bytes=" + b",".join(b"%d-%d" % (place * 1000, place * 1000) for place in range(count))

    assert len(select_ranges(spread(RANGES_MAX), 10**6)) == RANGES_MAX
    assert select_ranges(spread(RANGES_MAX + 1), 10**6) == "whole"
    assert select_ranges(spread(2), 10**6, ranges_max=1) == "whole"
    assert select_ranges(b"bytes=0-0," + b"," * EMPTY_ELEMENTS_MAX, 10) == _one(0, 1)
    assert select_ranges(b"bytes=0-0" + b"," * 10_000, 10) == "whole"


@given(st.integers(0, 2**63), st.integers(0, 2**63), st.integers(0, 2**63))
def test_range_stays_inside_representation(first: int, last: int, size: int) -> None:
    selected = select_ranges(b"bytes=%d-%d" % (first, last), size)
    if isinstance(selected, str):
        assert selected == ("whole" if last < first or size == 0 else "unsatisfiable")
    else:
        (only,) = selected
        assert 0 <= only.first == first < size
        assert only.length == min(last, size - 1) - first + 1 >= 1


_SPECS = st.lists(st.tuples(st.integers(0, 3000), st.integers(0, 400)), min_size=1, max_size=RANGES_MAX)


@given(_SPECS, st.integers(1, 3000))
def test_several_ranges_cover_what_was_asked_and_never_touch(specs: list[tuple[int, int]], size: int) -> None:
    value = b"bytes=" + b",".join(b"%d-%d" % (first, first + more) for first, more in specs)
    wanted = [range(first, min(first + more + 1, size)) for first, more in specs if first < size]
    selected = select_ranges(value, size)
    if isinstance(selected, str):
        asked = sum(len(each) for each in wanted)
        assert selected == "whole" if asked > size else (selected == "unsatisfiable" and not wanted)
        return
    sent = [range(each.first, each.first + each.length) for each in selected]
    assert all(any(set(want) <= set(part) for part in sent) for want in wanted)
    ordered = sorted((part.start, part.stop) for part in sent)
    assert all(before[1] + GAP_BYTES_MAX < after[0] for before, after in pairwise(ordered))
    assert ordered[-1][1] <= size


@given(st.binary(max_size=60), st.integers(0, 2**40))
def test_range_reads_anything_without_an_error(value: bytes, size: int) -> None:
    selected = select_ranges(b"bytes=" + value, size)
    if not isinstance(selected, str):
        assert all(0 <= each.first < each.first + each.length <= size for each in selected)


@pytest.mark.parametrize(
    ("value", "named"),
    [
        (b"bytes=0-99", 100),
        (b"bytes=5-9,1000-1004", 10),
        (b"bytes=-500", 500),
        (b"bytes=0-", None),
        (b"bytes=0-9,20-", None),
        (b"bytes=9-5", None),
        (b"lines=0-5", None),
        (b"bytes=0-%d" % (PART_BYTES_MAX - 1), PART_BYTES_MAX),
        (b"bytes=0-%d" % PART_BYTES_MAX, None),
        (b"bytes=0-" + b"9" * 60, None),
        (None, None),
    ],
)
def test_range_names_a_length_without_a_size(value: bytes | None, named: int | None) -> None:
    assert named_bytes(value) == named
