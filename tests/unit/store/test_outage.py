import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from oca.store.outage import (
    CAUSES,
    ERRORS_KEPT_MAX,
    Cause,
    DeviceError,
    Failures,
    Outage,
    bring_back,
    decode,
    encode,
    newest,
    remedy_of,
    sentence,
    take_out,
)

AT_NS = 1_700_000_000_000_000_000


def test_outage_tells_since_when_why_and_what_to_do() -> None:
    outage = take_out(None, "/srv/nvme1", "io-error", "cannot read: Input/output error", now_ns=AT_NS)
    assert sentence(outage) == (
        "taken out 2023-11-14 22:13:20Z, it answers with errors: cannot read: Input/output error"
    )
    assert remedy_of(outage).startswith("see the kernel log")
    assert "oca store bring-back /srv/nvme1" in remedy_of(outage)
    assert remedy_of(take_out(outage, "/d", "operator", "x", now_ns=1)) == "'oca store bring-back /d' uses it again"
    assert (outage.out, outage.times) == (True, 1)
    assert [error.said for error in outage.errors] == ["cannot read: Input/output error"]


@pytest.mark.parametrize("cause", list(CAUSES))
def test_outage_leaves_only_read_only_device_readable(cause: Cause) -> None:
    assert take_out(None, "/d", cause, "why", now_ns=1).readable == (cause == "read-only")


def test_outage_keeps_last_errors_and_counts_times() -> None:
    outage = take_out(None, "/d", "hang", "first", now_ns=1)
    for number in range(30):
        outage = bring_back(outage, "well again", now_ns=number)
        assert not outage.out
        outage = take_out(outage, "/d", "hang", f"e{number}" + "x" * 1000, now_ns=number)
    assert (outage.times, len(outage.errors)) == (31, ERRORS_KEPT_MAX)
    assert outage.errors[-1].said.startswith("e29")
    assert decode(encode(outage)) == outage


@given(st.lists(st.tuples(st.booleans(), st.integers(0, 10**18)), min_size=1, max_size=8))
def test_outage_of_last_change_holds_whatever_the_clock_does(changes: list[tuple[bool, int]]) -> None:
    records: list[Outage] = []
    outage: Outage | None = None
    for out, now_ns in changes:
        if outage is None or out:
            outage = take_out(outage, "/d", "hang", "x", now_ns=now_ns)
        else:
            outage = bring_back(outage, "y", now_ns=now_ns)
        records.append(outage)
    assert newest(reversed(records)) == {"/d": outage} == newest(records)


def test_outage_refuses_record_that_is_none() -> None:
    for raw in (b"", b"{}", b'{"device":"/d","out":true,"cause":"fire","said":"x","at_ns":1}'):
        with pytest.raises(msgspec.DecodeError):
            decode(raw)


def test_failures_take_device_out_after_enough_places_within_window() -> None:
    failures = Failures(errors_max=3, window_s=60)
    note = [("a", 0), ("a", 1), ("b", 2), ("a", 3), ("c", 61), ("d", 61.5)]
    told = [failures.note(where, f"{where} failed", now_s=at_s, now_ns=int(at_s)) for where, at_s in note]
    assert [len(errors) for errors in told] == [0, 0, 0, 0, 0, 3]
    assert told[-1][-1] == DeviceError(61, "d failed")
    failures.forget()
    assert failures.note("e", "e failed", now_s=62, now_ns=1) == ()


def test_failures_count_those_within_the_window() -> None:
    failures = Failures(errors_max=3, window_s=60)
    failures.note("a", "EIO", now_s=0, now_ns=1)
    failures.note("b", "EIO", now_s=30, now_ns=2)
    assert (failures.count(59), failures.count(60), failures.count(90)) == (2, 1, 0)
