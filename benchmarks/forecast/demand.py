"""Demand composed of what was measured apart: who watches what from charts, when from a curve, sizes from a ladder.

No public data has place, time and size together. docs/popularity.md says what is taken from where, what is assumed.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from benchmarks.forecast.charts import KINDS, Charts
from steering.plan.forecast import Families

RANK_EXPONENT = 0.92
"""Hours viewed fall as rank to the power of minus this: fitted to the global lists, films 0.94, series 0.89."""
KIND_HOURS = (0.30, 0.70)
"""Films' and series' part of the hours of those lists."""
RUNTIMES_H = ((1.76, 0.18), (4.6, 0.5))
"""Median, and spread of the logarithm, of the run times in them."""
LADDER = ((0.3e6, 0.03), (0.75e6, 0.07), (1.75e6, 0.15), (3.0e6, 0.30), (5.5e6, 0.35), (15e6, 0.10))
"""Renditions: bit/s, and share of the hours. Assumed."""
MIX_SPREAD = 0.3
HOURS_PER_DAY = 30_000.0
"""Viewing of one cluster: some 13 Gbit/s in the peak hour."""
BINS_DROPPED = 4
BIN_S = 315
ROUND_CURVE_PEAK_TO_TROUGH = 6.0


@dataclass(frozen=True, slots=True)
class World:
    """What can be watched: sizes in bytes and families of assets, the day on which each can first be watched."""

    families: Families
    size_bytes: NDArray[np.float64]
    debut_day: NDArray[np.int64]
    days: int
    curve: NDArray[np.float64]
    """Share of a day's requests in each hour, beginning at the quietest."""

    def released(self, day: int) -> NDArray[np.bool_]:
        """Assets that can be watched on ``day``."""
        return self.debut_day <= day


class Demand:
    """Whole views per day, cluster and asset: Poisson around the charts' rank law, the same for the same seed.

    With ``tail`` the rank law goes on below the tenth place, over the titles that a country had in its list before and
    those that others had; without, only what is listed is watched.
    """

    def __init__(self, charts: Charts, curve: NDArray[np.float64], *, tail: bool = False, seed: int = 6) -> None:
        chance = np.random.default_rng(seed)
        titles, rungs = len(charts.titles), len(LADDER)
        medians, spreads = np.array(RUNTIMES_H).T
        runtime_h = medians[charts.kinds] * np.exp(chance.normal(0, 1, titles) * spreads[charts.kinds])
        bits, mix = np.array(LADDER).T
        title, rung = np.divmod(np.arange(titles * rungs), rungs)
        self.world = World(
            Families(title, rung, charts.kinds.astype(np.int64)),
            runtime_h[title] * 3600 * bits[rung] / 8,
            charts.debuts()[title] * 7,
            len(charts.weeks) * 7,
            curve,
        )
        self.clusters = len(charts.countries)
        self._charts = charts
        self._seed = seed
        self._tail = tail
        self._runtime_h = runtime_h
        mixes = mix * np.exp(chance.normal(0, MIX_SPREAD, (len(charts.countries), rungs)))
        self._mixes = mixes / mixes.sum(axis=1, keepdims=True)
        self._memory = np.zeros((len(charts.countries), titles))
        self._week, self._views = -1, np.zeros((0, 0))

    def views(self, day: int) -> NDArray[np.int64]:
        """Views on ``day``, (clusters, assets); days must be asked for in order."""
        mean = self.mean_views(day)
        drawn: NDArray[np.int64] = np.random.default_rng([self._seed, day]).poisson(mean)
        return drawn

    def mean_views(self, day: int) -> NDArray[np.float64]:
        """What views are drawn around, in the same order of days."""
        week = day // 7
        while self._week < week:
            self._week += 1
            self._views = self._mean_views(self._week)
        mean: NDArray[np.float64] = self._views[:, :, None] * self._mixes[:, None, :]
        return mean.reshape(len(mean), -1)

    def _mean_views(self, week: int) -> NDArray[np.float64]:
        """Views a day of each title in each country."""
        ranks = self._charts.ranks[week].astype(float)
        listed = ranks > 0
        weight = np.where(listed, np.maximum(ranks, 1) ** -RANK_EXPONENT, 0.0)
        self._memory = np.maximum(self._memory * 0.5**0.25, weight)
        hours = np.zeros(weight.shape)
        for kind in range(len(KINDS)):
            of_kind = np.flatnonzero((self._charts.kinds == kind) & (self._charts.debuts() <= week))
            law = self._go_on(ranks[:, of_kind], of_kind) if self._tail else weight[:, of_kind]
            hours[:, of_kind] = KIND_HOURS[kind] * law / np.maximum(law.sum(axis=1, keepdims=True), 1e-12)
        hours *= HOURS_PER_DAY * listed.any(axis=1, keepdims=True)
        views: NDArray[np.float64] = hours / self._runtime_h
        return views

    def _go_on(self, ranks: NDArray[np.float64], of_kind: NDArray[np.int64]) -> NDArray[np.float64]:
        memory = self._memory[:, of_kind] + 0.1 * self._memory[:, of_kind].mean(axis=0)
        order = np.argsort(np.where(ranks > 0, ranks, 1000 - memory), axis=1, kind="stable")
        places = np.empty(order.shape)
        np.put_along_axis(places, order, np.arange(1.0, order.shape[1] + 1)[None], axis=1)
        law: NDArray[np.float64] = np.where(ranks > 0, np.maximum(ranks, 1), places) ** -RANK_EXPONENT
        return law


def read_curve(path: Path) -> NDArray[np.float64]:
    """A day's curve from lines ``time, requests``, one every 315 s; the last four are dropped.

    Raises:
        SystemExit: Naming the file and what is wrong with it.
    """
    try:
        lines = [line.split(",") for line in path.read_text().splitlines() if line.strip()]
        at = np.array([float(line[0]) for line in lines])[:-BINS_DROPPED]
        count = np.array([float(line[1]) for line in lines])[:-BINS_DROPPED]
    except (OSError, ValueError, IndexError) as error:
        raise SystemExit(f"{path}: no curve of lines 'time, requests': {error}") from None
    if len(at) < 200 or not np.isfinite(count).all() or (count < 0).any() or count.sum() <= 0:
        raise SystemExit(f"{path}: {len(at)} usable bins; wanted a whole day of non-negative counts")
    bins = np.interp(np.arange(24 * 12) * 300.0, at - at[0], count)
    return _from_trough(bins.reshape(24, 12).sum(axis=1))


def round_curve() -> NDArray[np.float64]:
    """A sine with an evening peak, for where no measured curve is at hand."""
    ratio = ROUND_CURVE_PEAK_TO_TROUGH
    return _from_trough(1 + (ratio - 1) * (1 + np.sin(np.arange(24) / 24 * 2 * np.pi)) / 2)


def _from_trough(hours: NDArray[np.float64]) -> NDArray[np.float64]:
    rolled: NDArray[np.float64] = np.roll(hours.astype(np.float64), -int(hours.argmin()))
    rolled /= rolled.sum()
    return rolled
