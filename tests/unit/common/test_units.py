import pytest
from hypothesis import given
from hypothesis import strategies as st

from oca.common.units import format_bytes, format_duration, format_instant, format_rate, parse_duration


@pytest.mark.parametrize(
    ("count", "text"),
    [
        (0, "0 B"), (1023, "1023 B"), (1024, "1.0 KiB"), (1536, "1.5 KiB"), (5 * 2**20, "5.0 MiB"),
        (2**30, "1.0 GiB"), (3 * 2**40, "3.0 TiB"), (2**50, "1.0 PiB"), (2**61, "2048.0 PiB"),
    ],
)  # fmt: skip
def test_bytes_read_in_binary_units(count: int, text: str) -> None:
    assert format_bytes(count) == text


@pytest.mark.parametrize(
    ("rate", "text"),
    [(0, "0.0 b/s"), (100, "800.0 b/s"), (1000, "8.0 kb/s"), (125_000, "1.0 Mb/s"), (125_000_000, "1.0 Gb/s")],
)
def test_rate_reads_in_bits(rate: float, text: str) -> None:
    assert format_rate(rate) == text


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0, "0 ms"), (0.25, "250 ms"), (1, "1.0 s"), (59.94, "59.9 s"), (60, "1 min 0 s"), (61, "1 min 1 s"),
        (3599, "59 min 59 s"), (5025, "1 h 23 min"), (86400, "1 d 0 h"), (90000, "1 d 1 h"),
    ],
)  # fmt: skip
def test_duration_reads_in_two_units(seconds: float, text: str) -> None:
    assert format_duration(seconds) == text


@given(st.floats(min_value=0, max_value=1e12))
def test_units_format_any_amount(amount: float) -> None:
    assert format_bytes(amount)
    assert format_rate(amount)
    assert format_duration(amount)


def test_instant_reads_in_utc() -> None:
    assert format_instant(1_795_411_032_999_999_999) == "2026-11-23 05:17:13Z"


@pytest.mark.parametrize(("text", "seconds"), [("90s", 90), ("15m", 900), ("1h", 3600), ("7d", 604800), ("0s", 0)])
def test_duration_is_read_from_text(text: str, seconds: float) -> None:
    assert parse_duration(text) == seconds


@pytest.mark.parametrize("text", ["", "s", "1", "1 h", "1w", "-1h", "1.5h", "²h", "1234567890s"])
def test_duration_of_another_form_is_none(text: str) -> None:
    assert parse_duration(text) is None
