from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from steering.decision.address import parse_address
from steering.trust.rates import Buckets, client_key


def test_bucket_gives_a_burst_and_then_its_rate() -> None:
    buckets = Buckets(rate_per_s=2, burst=3, keys_max=10)
    assert [buckets.take("a", now_s=100) for _ in range(4)] == [0, 0, 0, 0.5]
    assert buckets.take("a", now_s=100.4) == pytest.approx(0.1)
    assert buckets.take("a", now_s=100.5) == 0
    assert buckets.take("b", now_s=100.5) == 0


def test_bucket_refills_no_higher_than_its_burst() -> None:
    buckets = Buckets(rate_per_s=1, burst=2, keys_max=10)
    buckets.take("a", now_s=0)
    assert [buckets.take("a", now_s=1000) for _ in range(3)] == [0, 0, 1]


def test_buckets_forget_the_quiet_beyond_their_number() -> None:
    buckets = Buckets(rate_per_s=0.1, burst=1, keys_max=2)
    for key in ("a", "b", "a", "c"):
        buckets.take(key, now_s=10)
    assert buckets.take("c", now_s=10) > 0
    assert buckets.take("a", now_s=10) == 0
    assert len(buckets._due) == 2


@given(
    st.lists(st.floats(0, 3), min_size=1, max_size=80),
    st.floats(0.2, 20),
    st.integers(1, 10),
)
def test_bucket_never_gives_more_than_burst_and_rate(waits: list[float], rate: float, burst: int) -> None:
    buckets, now_s, given_at = Buckets(rate_per_s=rate, burst=burst, keys_max=5), 0.0, list[float]()
    for wait_s in waits:
        now_s += wait_s
        told_s = buckets.take("a", now_s=now_s)
        if told_s:
            assert buckets.take("a", now_s=now_s + told_s * 0.99 - 1e-6) > 0
        else:
            given_at.append(now_s)
    for first in range(len(given_at)):
        for last in range(first, len(given_at)):
            assert last - first + 1 <= burst + (given_at[last] - given_at[first]) * rate + 1e-6


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        ("192.0.2.1", "192.0.2.1", True),
        ("192.0.2.1", "192.0.2.2", False),
        ("::ffff:192.0.2.1", "192.0.2.1", True),
        ("2001:db8:0:1::1", "2001:db8:0:1:ffff::2", True),
        ("2001:db8:0:1::1", "2001:db8:0:2::1", False),
        ("::c000:201", "192.0.2.1", False),
    ],
)
def test_client_is_an_address_or_a_household(one: str, other: str, same: bool) -> None:
    first, second = parse_address(one), parse_address(other)
    assert first is not None
    assert second is not None
    assert (client_key(first.version, first.number) == client_key(second.version, second.number)) is same
