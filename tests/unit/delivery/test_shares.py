import pytest
from hypothesis import given
from hypothesis import strategies as st

from oca.delivery.shares import OTHERS, Shares, share

WANTED = Shares(20_000, 4096)


@pytest.mark.parametrize(
    ("descriptors_max", "expected"),
    [
        (524_288, WANTED),
        (WANTED.descriptors, WANTED),
        (WANTED.descriptors - 96, Shares(19_904, 4096)),
        (10_000, Shares(7452, 2484)),
        (4096, Shares(3024, 1008)),
        (256, Shares(144, 48)),
        (0, Shares(6, 2)),
    ],
)
def test_share_bounds_connections_and_packs(descriptors_max: int, expected: Shares) -> None:
    assert share(descriptors_max, WANTED) == expected


@given(st.integers(OTHERS + 8, 2**31), st.integers(1, 10**6))
def test_share_gives_no_more_than_there_is(descriptors_max: int, connections_max: int) -> None:
    wanted = Shares(connections_max, 4096)
    shares = share(descriptors_max, wanted)
    assert 1 <= shares.connections_max <= connections_max
    assert 2 <= shares.packs_max <= 4096
    assert shares.descriptors <= descriptors_max
    assert (shares == wanted) == (wanted.descriptors <= descriptors_max)
