"""What is right and what is not after a soak. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from statistics import fmean
from typing import Any

GROWTH_RATIO_MAX = 0.05
WARM_UP, EARLY, LATE = 1 / 6, 1 / 3, 5 / 6
"""Parts of the whole time: until a sixth of it is over is warm-up; the next sixth is compared with the last."""


def growth(samples: Sequence[tuple[float, int]]) -> tuple[float, float]:
    """Means of the second and of the last sixth of the time that the samples span.

    Args:
        samples: Pairs of instant in seconds and value.
    """
    began_s, ended_s = samples[0][0], samples[-1][0]

    def between(first: float, last: float) -> float:
        span_s = ended_s - began_s
        return fmean(value for at_s, value in samples if first * span_s <= at_s - began_s <= last * span_s)

    return between(WARM_UP, EARLY), between(LATE, 1.0)


def is_flat(early: float, late: float, *, allowance: float) -> bool:
    """Whether a value has grown by a twentieth at most, or by ``allowance`` where that is more."""
    return late - early <= max(allowance, GROWTH_RATIO_MAX * early)


def unexcused(
    failures: Iterable[Mapping[str, Any]], outages: Sequence[tuple[float, float]], *, margin_s: float
) -> list[Mapping[str, Any]]:
    """Failed requests that no kill explains: wrong bytes and wrong statuses always, cut ones where nothing was killed.

    Args:
        failures: Each with ``began_s``, ``at_s`` and ``what``.
        outages: From each kill until what was killed served again, or until the same instant.
        margin_s: How long after an outage a client may still meet it.
    """
    return [
        failure
        for failure in failures
        if failure["what"].startswith("ValueError")
        or not any(began <= failure["at_s"] and failure["began_s"] <= ended + margin_s for began, ended in outages)
    ]
