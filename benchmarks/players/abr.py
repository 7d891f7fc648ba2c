"""Which rung comes next: throughput as hls.js estimates it, and its margins for going up or staying. Pure."""

from __future__ import annotations

from collections.abc import Sequence

FAST_HALF_LIFE_S = 3.0
SLOW_HALF_LIFE_S = 9.0
STAY_SHARE = 0.95
UP_SHARE = 0.7


class Throughput:
    """Two moving averages of measured throughput, weighted by how long each download took; the lower one counts."""

    def __init__(self) -> None:
        self._averages = [_Average(FAST_HALF_LIFE_S), _Average(SLOW_HALF_LIFE_S)]

    def add(self, size_bytes: int, took_s: float) -> None:
        """Take one download in; one that took no measurable time says nothing."""
        if took_s > 0:
            for average in self._averages:
                average.add(size_bytes * 8 / took_s, took_s)

    @property
    def bits_per_s(self) -> float:
        """The estimate; 0 before the first download."""
        return min(average.value for average in self._averages)


class _Average:
    """Exponentially weighted, freed of its bias towards zero at the start."""

    def __init__(self, half_life_s: float) -> None:
        self._half_life_s = half_life_s
        self._estimate = 0.0
        self._weight_s = 0.0

    def add(self, value: float, weight_s: float) -> None:
        kept = 0.5 ** (weight_s / self._half_life_s)
        self._estimate = value * (1 - kept) + self._estimate * kept
        self._weight_s += weight_s

    @property
    def value(self) -> float:
        if not self._weight_s:
            return 0.0
        known: float = 1 - 0.5 ** (self._weight_s / self._half_life_s)
        return self._estimate / known


def choose_rung(ladder: Sequence[int], current: int | None, throughput_bits_per_s: float) -> int:
    """The highest rung that the throughput carries.

    Args:
        ladder: Bits per second of each rung, lowest first.
        current: The rung of the last segment; None at the start.
        throughput_bits_per_s: The estimate; 0: nothing is known, so begin low.
    """
    staying = -1 if current is None else current
    carried = 0
    for rung, bits_per_s in enumerate(ladder):
        if bits_per_s <= throughput_bits_per_s * (UP_SHARE if rung > staying else STAY_SHARE):
            carried = rung
    return carried
