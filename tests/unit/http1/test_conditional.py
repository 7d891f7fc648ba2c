import timeit

import pytest
from hypothesis import given
from hypothesis import strategies as st

from oca.http1.conditional import evaluate, range_applies
from oca.http1.request import Fields

ETAG = b'"abc"'
MODIFIED_AT_S = 784111777
THEN = b"Sun, 06 Nov 1994 08:49:37 GMT"
BEFORE = b"Sun, 06 Nov 1994 08:49:36 GMT"
AFTER = b"Sun, 06 Nov 1994 08:49:38 GMT"


def outcome(**fields: bytes) -> str:
    return evaluate(Fields(**fields), etag=ETAG, modified_at_s=MODIFIED_AT_S)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (b'"abc"', "proceed"),
        (b"*", "proceed"),
        (b'"x", "abc"', "proceed"),
        (b'"x","abc"', "proceed"),
        (b'W/"abc"', "failed"),
        (b'"x"', "failed"),
        (b"", "failed"),
        (b'abc, "abc"', "failed"),
    ],
)
def test_if_match_compares_strongly(value: bytes, expected: str) -> None:
    assert outcome(if_match=value) == expected


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (b'"abc"', "not-modified"),
        (b'W/"abc"', "not-modified"),
        (b"*", "not-modified"),
        (b' "x" , W/"y","abc"', "not-modified"),
        (b'"ab,c"', "proceed"),
        (b"abc", "proceed"),
        (b'"abc', "proceed"),
    ],
)
def test_if_none_match_compares_weakly(value: bytes, expected: str) -> None:
    assert outcome(if_none_match=value) == expected


@pytest.mark.parametrize(("before", "expected"), [(63, "not-modified"), (64, "proceed")])
def test_if_none_match_reads_no_more_tags_than_the_limit(before: int, expected: str) -> None:
    assert outcome(if_none_match=b'"x", ' * before + b'"abc"') == expected


@pytest.mark.parametrize("value", [b"," * 15_800, b", " * 7_900 + b'"abc"', b'"",' * 5_000, b'"",' * 5_000 + b'"abc"'])
def test_if_none_match_costs_little_however_long_the_list(value: bytes) -> None:
    cost_s = min(timeit.repeat(lambda: outcome(if_none_match=value), number=1, repeat=5))
    assert cost_s < 0.001  # about 0.02 ms; 4.4 ms when each separator was a step


@pytest.mark.parametrize(
    ("value", "expected"), [(THEN, "proceed"), (AFTER, "proceed"), (BEFORE, "failed"), (b"soon", "proceed")]
)
def test_if_unmodified_since_compares_date(value: bytes, expected: str) -> None:
    assert outcome(if_unmodified_since=value) == expected


@pytest.mark.parametrize(
    ("value", "expected"), [(THEN, "not-modified"), (AFTER, "not-modified"), (BEFORE, "proceed"), (b"soon", "proceed")]
)
def test_if_modified_since_compares_date(value: bytes, expected: str) -> None:
    assert outcome(if_modified_since=value) == expected


def test_preconditions_keep_precedence_of_rfc_9110() -> None:
    assert outcome(if_match=ETAG, if_unmodified_since=BEFORE) == "proceed"
    assert outcome(if_match=b'"x"', if_none_match=ETAG) == "failed"
    assert outcome(if_match=ETAG, if_none_match=ETAG) == "not-modified"
    assert outcome(if_none_match=b'"x"', if_modified_since=AFTER) == "proceed"
    assert outcome(if_unmodified_since=BEFORE, if_modified_since=AFTER) == "failed"


def test_preconditions_proceed_when_there_are_none() -> None:
    assert outcome() == "proceed"


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (None, True),
        (ETAG, True),
        (b'W/"abc"', False),
        (b'"x"', False),
        (THEN, True),
        (BEFORE, False),
        (AFTER, False),
        (b"soon", False),
    ],
)
def test_if_range_lets_range_count(value: bytes | None, expected: bool) -> None:
    assert range_applies(Fields(if_range=value), etag=ETAG, modified_at_s=MODIFIED_AT_S) is expected


@given(st.binary(max_size=80))
def test_preconditions_read_anything_without_an_error(value: bytes) -> None:
    outcome(if_match=value)
    outcome(if_none_match=value)
