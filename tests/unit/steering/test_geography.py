from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from steering.geography import distance_km

LATITUDES = st.floats(-90, 90)
LONGITUDES = st.floats(-180, 180)


@pytest.mark.parametrize(
    ("a", "b", "km"),
    [
        ((52.52, 13.405), (48.8566, 2.3522), 877.5),
        ((0, 0), (0, 180), 20015.1),
        ((0, 179.5), (0, -179.5), 111.2),
        ((90, 0), (-90, 77), 20015.1),
        ((10, 20), (10, 20), 0),
    ],
)
def test_distance_matches_known_places(a: tuple[float, float], b: tuple[float, float], km: float) -> None:
    assert distance_km(*a, *b) == pytest.approx(km, rel=1e-3, abs=0.1)


@given(LATITUDES, LONGITUDES, LATITUDES, LONGITUDES)
def test_distance_is_symmetric_and_bounded(a: float, b: float, c: float, d: float) -> None:
    there = distance_km(a, b, c, d)
    assert 0 <= there <= 20016
    assert there == pytest.approx(distance_km(c, d, a, b), abs=1e-6)
