from __future__ import annotations

from oca.network.prefix_rates import PrefixRate, prefix_rates

BEFORE = {("192.0.2.7", 1): 1000, ("192.0.2.8", 2): 5000, ("2001:db8::1", 3): 0}
NOW = {("192.0.2.7", 1): 3000, ("192.0.2.8", 2): 5000, ("2001:db8::1", 3): 9000, ("::ffff:198.51.100.1", 4): 700}


def test_prefix_rates_sum_what_rose_by_prefix() -> None:
    assert prefix_rates(BEFORE, NOW, 2.0, 10) == [
        PrefixRate("2001:db8::/48", 1, 4500.0),
        PrefixRate("192.0.2.0/24", 2, 1000.0),
        PrefixRate("198.51.100.0/24", 1, 350.0),
    ]
    assert [rate.prefix for rate in prefix_rates(BEFORE, NOW, 2.0, 1)] == ["2001:db8::/48"]


def test_prefix_rates_are_nothing_at_first_look() -> None:
    assert {rate.bytes_per_s for rate in prefix_rates({}, NOW, 0.0, 10)} == {0.0}


def test_prefix_rates_never_fall_below_nothing() -> None:
    """A port that a new connection uses again begins at nothing."""
    assert prefix_rates(BEFORE, {("192.0.2.7", 1): 5}, 1.0, 10) == [PrefixRate("192.0.2.0/24", 1, 0.0)]
