import calendar
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from oca.http1 import dates
from oca.http1.dates import format_date, parse_date

INSTANT_S = 784111777  # the example of RFC 9110 §5.6.7


@pytest.mark.parametrize(
    "text", [b"Sun, 06 Nov 1994 08:49:37 GMT", b"Sunday, 06-Nov-94 08:49:37 GMT", b"Sun Nov  6 08:49:37 1994"]
)
def test_dates_read_all_three_forms(text: bytes) -> None:
    assert parse_date(text) == INSTANT_S


def test_dates_read_two_digit_years_around_now() -> None:
    assert parse_date(b"Monday, 06-Nov-69 08:49:37 GMT") == calendar.timegm((2069, 11, 6, 8, 49, 37))


@pytest.mark.parametrize(
    "text",
    [
        b"",
        b"Sun, 06 Nov 1994 08:49:37",
        b"Sun, 6 Nov 1994 08:49:37 GMT",
        b"Sun, 06 Nox 1994 08:49:37 GMT",
        b"Sun, 31 Nov 1994 08:49:37 GMT",
        b"Sun, 00 Nov 1994 08:49:37 GMT",
        b"Sun, 06 Nov 0000 08:49:37 GMT",
        b"Sun, 06 Nov 1994 24:49:37 GMT",
        b"Sun, 06 Nov 1994 08:60:37 GMT",
        b"Sun, 06 Nov 1994 08:49:61 GMT",
        b"Sun, 06 Nov 1994 08:49:37 GMT, Sun, 06 Nov 1994 08:49:37 GMT",
        "Sun, 06 Nov 1994 08:49:3٧ GMT".encode(),
        b"\xff",
    ],
)
def test_dates_ignore_what_is_no_date(text: bytes) -> None:
    assert parse_date(text) is None


@given(st.integers(min_value=-62135596800, max_value=253402300799))
def test_dates_read_back_what_they_write(at_s: int) -> None:
    assert parse_date(format_date(at_s).encode()) == at_s


@given(st.integers(min_value=0, max_value=4102444800))
def test_dates_agree_with_the_c_library(at_s: int) -> None:
    assert format_date(at_s) == time.strftime("%a, %d %b %Y %H:%M:%S GMT", time.gmtime(at_s))


def test_dates_remember_nothing_that_is_too_long_for_one() -> None:
    before = dates._parse.cache_info().currsize
    assert parse_date(b"Sun, 06 Nov 1994 08:49:37 GMT" + b" " * 16000) is None
    assert dates._parse.cache_info().currsize == before


@given(st.binary(max_size=80))
def test_dates_read_anything_without_an_error(value: bytes) -> None:
    parse_date(value)
