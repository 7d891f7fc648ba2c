import pytest
from msgspec.structs import astuple

from oca.common.quality import Quality, by_prefix, prefix_of


def test_quality_adds_every_sum() -> None:
    one = Quality("a", "p", 1, 2, 3, 4, 5, 6, 7, 8)
    one.add(Quality("b", "q", 10, 20, 30, 40, 50, 60, 70, 80))
    assert astuple(one) == ("a", "p", 11, 22, 33, 44, 55, 66, 77, 88)


@pytest.mark.parametrize(
    ("address", "prefix"),
    [
        ("192.0.2.77", "192.0.2.0/24"),
        ("2001:db8:1:2::3", "2001:db8:1::/48"),
        ("fe80::1%eth0", "fe80::/48"),
        ("::1", "::/48"),
    ],
)
def test_prefix_stands_for_many_neighbours(address: str, prefix: str) -> None:
    assert prefix_of(address) == prefix


def test_quality_is_summed_by_prefix_those_that_told_most_first() -> None:
    rows = [
        Quality("film/a", "192.0.2.0/24", requests=2, starved=1),
        Quality("film/b", "192.0.2.0/24", requests=3),
        Quality("film/a", "198.51.100.0/24", requests=9),
        Quality("", "", requests=99),
    ]
    assert [(row.asset, row.prefix, row.requests, row.starved) for row in by_prefix(rows)] == [
        ("", "198.51.100.0/24", 9, 0),
        ("", "192.0.2.0/24", 5, 1),
    ]
