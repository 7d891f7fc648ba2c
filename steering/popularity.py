"""How much of an asset will be watched a day: recent days smoothed, the young ones counting more.

Open Connect's measure is popularity = expected bytes ÷ size; forecasting better than this comes later.
"""

from __future__ import annotations

from collections.abc import Mapping

_OBSERVED_DAYS_MIN = 1 / 24


def smoothed_bytes_per_day(
    daily: Mapping[int, int], *, first_day: int, today: int, elapsed_of_today: float, half_life_days: float
) -> float:
    """Exponentially weighted mean of bytes per day.

    Args:
        daily: Day (proleptic ordinal) → bytes; days without an entry had none.
        first_day: First day that could have seen demand, so that a new title is not held back by its past.
        today: The running day; it counts by as much of it as has passed.
        elapsed_of_today: 0 to 1.
        half_life_days: Age at which a day counts half.
    """
    weight_sum = elapsed_of_today if first_day <= today else 0.0
    total = float(daily.get(today, 0)) if first_day <= today else 0.0
    for day in range(first_day, today):
        weight = 0.5 ** ((today - day) / half_life_days)
        weight_sum += weight
        total += weight * daily.get(day, 0)
    return total / max(weight_sum, _OBSERVED_DAYS_MIN) if total else 0.0
