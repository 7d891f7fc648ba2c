"""What the soak calls flat, and which failed requests a kill excuses."""

from __future__ import annotations

import pytest

from tests.soak.judge import growth, is_flat, unexcused


def test_growth_compares_second_sixth_with_last() -> None:
    samples = [(float(second), 1000 if second <= 600 else second) for second in range(3601)]
    early, late = growth(samples)
    assert (round(early), late) == (901, 3300)


@pytest.mark.parametrize(
    ("early", "late", "flat"), [(100, 105, True), (100, 106, False), (10, 13, True), (10, 14, False)]
)
def test_value_is_flat_within_twentieth_or_allowance(early: float, late: float, flat: bool) -> None:
    assert is_flat(early, late, allowance=3) is flat


@pytest.mark.parametrize(
    ("began_s", "at_s", "what", "excused"),
    [
        (9.0, 10.5, "ConnectionResetError: it was killed", True),
        (12.5, 12.6, "RemoteDisconnected: kept alive by one that was killed", True),
        (13.5, 13.6, "ConnectionRefusedError: long after", False),
        (8.0, 9.9, "IncompleteRead: before", False),
        (10.0, 11.0, "ValueError: status 200, 5 bytes", False),
    ],
)
def test_kill_excuses_what_was_cut_and_no_wrong_answer(began_s: float, at_s: float, what: str, excused: bool) -> None:
    failure = {"began_s": began_s, "at_s": at_s, "what": what}
    assert unexcused([failure], [(1.0, 2.0), (10.0, 12.0)], margin_s=1.0) == ([] if excused else [failure])
