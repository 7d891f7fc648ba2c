"""Distance on the globe."""

from __future__ import annotations

from math import asin, cos, pi, sin, sqrt

_EARTH_RADIUS_KM = 6371.0088
_RADIANS = pi / 180
"""In a degree."""


def distance_km(latitude_a: float, longitude_a: float, latitude_b: float, longitude_b: float) -> float:
    """Great-circle distance between two points in degrees (haversine formula on the mean earth radius)."""
    north_a, north_b = latitude_a * _RADIANS, latitude_b * _RADIANS
    half = sin((north_b - north_a) / 2) ** 2
    half += cos(north_a) * cos(north_b) * sin((longitude_b - longitude_a) * _RADIANS / 2) ** 2
    return 2 * _EARTH_RADIUS_KM * asin(sqrt(min(1.0, half)))
