import pytest

from oca.common.sampling import Evenly


@pytest.mark.parametrize(
    ("share", "first", "wanted"),
    [
        (0.25, False, [False, False, False, True, False, False, False, True]),
        (0.25, True, [True, False, False, False, True, False, False, False]),
        (1.0, False, [True] * 8),
        (0.0, False, [False] * 8),
        (0.0, True, [False] * 8),
    ],
)
def test_share_is_taken_evenly(share: float, first: bool, wanted: list[bool]) -> None:
    evenly = Evenly(share, first=first)
    assert [evenly.takes() for _ in wanted] == wanted
