"""Next week's lists, predicted from the weeks before: how many of a country's twenty titles are named rightly."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from benchmarks.forecast.charts import KINDS, LIST_LENGTH, Charts
from benchmarks.forecast.forecasters import Sums
from steering.plan.forecast import Families, Forecast, Smoothing, Taste, kindred_prior, kinship, world_prior

WEEKS_BEFORE = 4
WEEKLY = Smoothing(half_life_days=0.5, prior_strength=0.5, world_strength=0.5, asset_strength=0.0)
"""The nightly forecast's constants with a week for a day."""
POINTS_EXPONENT = 0.3
"""What a place on a list counts, as the place to the power of minus this."""


@dataclass(frozen=True, slots=True)
class Overlap:
    """Of all listed titles: named by the forecast, by last week's list, and listed somewhere in any week before."""

    forecast: float
    repeated: float
    known_before: float


def predict_lists(charts: Charts) -> Overlap:
    """Predict each week from those before it, by country and kind, and compare."""
    titles = len(charts.titles)
    families = Families(np.arange(titles), np.zeros(titles, np.int64), charts.kinds.astype(np.int64))
    sums = Sums(len(charts.countries), titles)
    debuts = charts.debuts()
    named = repeated = known = listed = 0
    for week in range(len(charts.weeks) - 1):
        ranks, following = charts.ranks[week], charts.ranks[week + 1] > 0
        points = np.where(ranks > 0, np.maximum(ranks, 1).astype(float) ** -POINTS_EXPONENT, 0.0)
        sums.add_day(points, debuts <= week, half_life_days=WEEKLY.half_life_days)
        if week + 1 < WEEKS_BEFORE:
            continue
        expected = _expected(sums, families, debuts <= week)
        for kind in range(len(KINDS)):
            of_kind = charts.kinds == kind
            best = np.argsort(-np.where(of_kind, expected, -1.0), axis=1, kind="stable")[:, :LIST_LENGTH]
            came = following & of_kind
            named += int(np.take_along_axis(came, best, axis=1).sum())
            listed += int(came.sum())
            repeated += int((came & (ranks > 0)).sum())
            known += int((came & (debuts <= week)).sum())
    return Overlap(named / max(listed, 1), repeated / max(listed, 1), known / max(listed, 1))


def _expected(sums: Sums, families: Families, released: NDArray[np.bool_]) -> NDArray[np.float64]:
    """Points that next week's lists are expected to give, (countries, titles)."""
    evidence = sums.evidence()
    taste = Taste(evidence, families)
    likeness = kinship(taste, power=WEEKLY.kinship_power)
    world = world_prior(taste, debut_share=np.zeros(families.titles))
    forecast = Forecast(evidence, families, world, released=released, smoothing=WEEKLY)
    countries = range(evidence.watched.clusters)
    if likeness is None:
        return np.array([forecast.of(country) for country in countries])
    priors = [kindred_prior(world, taste, likeness[country], strength=WEEKLY.world_strength) for country in countries]
    return np.array([forecast.of(country, priors[country]) for country in countries])
