"""The forecasts that are compared: the simple ones that everybody tries, and ours, whole and with a part left out."""

from __future__ import annotations

from collections import deque
from dataclasses import replace
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from benchmarks.forecast.demand import Demand, World
from steering.plan.forecast import Evidence, Forecast, Smoothing, Taste, kindred_prior, kinship, world_prior
from steering.plan.watched import Watched

Floats = NDArray[np.float64]
Rows = NDArray[np.int64]
DEBUT_DAYS = 3
KINSHIP_EVERY_DAYS = 7
_FORGET = 0.98


class Forecaster(Protocol):
    """Sees one day after the other; never the one it is asked for."""

    def observe(self, day: int, watched: Floats) -> None:
        """Take in what was watched on ``day``: bytes, (clusters, assets)."""

    def expect(self, day: int, rows: Rows) -> Floats:
        """Bytes expected by the clusters ``rows`` on ``day``, the one behind the last seen."""


class Mean:
    """Mean of the last ``days`` days; with 1, yesterday."""

    def __init__(self, days: int) -> None:
        self._days: deque[Floats] = deque(maxlen=days)

    def observe(self, day: int, watched: Floats) -> None:
        self._days.append(watched)

    def expect(self, day: int, rows: Rows) -> Floats:
        mean: Floats = np.mean([watched[rows] for watched in self._days], axis=0)
        return mean


class MeansKnown:
    """Knows what views are drawn around, as nobody can, but not the draw: what it misses is missed by chance alone."""

    def __init__(self, demand: Demand) -> None:
        self._demand = demand

    def observe(self, day: int, watched: Floats) -> None:
        pass

    def expect(self, day: int, rows: Rows) -> Floats:
        expected: Floats = self._demand.mean_views(day)[rows] * self._demand.world.size_bytes
        return expected


class Exponential:
    """Simple exponential smoothing."""

    def __init__(self, half_life_days: float) -> None:
        self._keep = 0.5 ** (1 / half_life_days)
        self._level: Floats | float = 0.0

    def observe(self, day: int, watched: Floats) -> None:
        self._level = self._keep * self._level + (1 - self._keep) * watched

    def expect(self, day: int, rows: Rows) -> Floats:
        return np.asarray(self._level)[rows]


class Sums:
    """Recency-weighted sums of what was watched, day after day."""

    def __init__(self, clusters: int, assets: int) -> None:
        self._bytes = np.zeros((clusters, assets))
        self._days = np.zeros(assets)
        self._volume_days = 0.0

    def add_day(self, watched: NDArray[np.floating], released: NDArray[np.bool_], *, half_life_days: float) -> None:
        """Let what is there age by a day, then take in ``watched`` (clusters, assets), in bytes."""
        fade = 0.5 ** (1 / half_life_days)
        self._bytes *= fade
        self._bytes += watched
        self._days *= fade
        self._days += released
        self._volume_days = self._volume_days * fade + 1.0

    def evidence(self) -> Evidence:
        """As the forecast takes it."""
        return Evidence(Watched.of_dense(self._bytes), self._days.copy(), self._volume_days)


class Seen:
    """What all of ``Ours`` know, reckoned once a day however many they are."""

    def __init__(self, world: World, clusters: int) -> None:
        self._world = world
        self._day = -1
        self._sums = Sums(clusters, len(world.size_bytes))
        kinds = int(world.families.kind.max(initial=0)) + 1
        self._debut_share, self._debuts = np.zeros(kinds), np.zeros(kinds)
        self.kinship: Floats | None = None
        self.evidence = self._sums.evidence()
        self.taste = Taste(self.evidence, world.families)

    def observe(self, day: int, watched: Floats) -> None:
        """Take in a day, unless it is known."""
        if day == self._day:
            return
        self._day = day
        self._sums.add_day(watched, self._world.released(day), half_life_days=Smoothing().half_life_days)
        self._learn_debuts(day, watched)
        self.evidence = self._sums.evidence()
        self.taste = Taste(self.evidence, self._world.families)
        if day % KINSHIP_EVERY_DAYS == 1:
            self.kinship = kinship(self.taste, power=Smoothing().kinship_power)

    def debut_share(self) -> Floats:
        """Of each title's kind."""
        share: Floats = (self._debut_share / np.maximum(self._debuts, 1e-12))[self._world.families.kind]
        return share

    def _learn_debuts(self, day: int, watched: Floats) -> None:
        """What share of a cluster's day titles have in the days after they come out; not those there from the first."""
        families = self._world.families
        age = day - self._world.debut_day
        fresh = (age >= 0) & (age < DEBUT_DAYS) & (self._world.debut_day > 0)
        if not fresh.any():
            return
        kind = families.kind[families.title]
        total = watched.sum(axis=1, keepdims=True)
        share = (watched[:, fresh] / np.maximum(total, 1e-12)).mean(axis=0)
        titles = np.bincount(families.kind[np.unique(families.title[fresh])], minlength=len(self._debuts))
        self._debut_share = self._debut_share * _FORGET + np.bincount(kind[fresh], share, len(self._debuts))
        self._debuts = self._debuts * _FORGET + titles


class Ours:
    """steering.forecast, or as much of it as ``parts`` names: "calendar", "world", "kinship", "ladder", "views"."""

    def __init__(self, seen: Seen, world: World, parts: frozenset[str]) -> None:
        off = {"prior_strength": 0.0} if "world" not in parts else {}
        off |= {"asset_strength": 0.0, "asset_views": 0.0} if "ladder" not in parts else {}
        self._smoothing = replace(Smoothing(), **off)
        self._parts = parts
        self._world = world
        self._seen = seen

    def observe(self, day: int, watched: Floats) -> None:
        self._seen.observe(day, watched)

    def expect(self, day: int, rows: Rows) -> Floats:
        families, evidence, taste = self._world.families, self._seen.evidence, self._seen.taste
        debut_share = self._seen.debut_share() if "calendar" in self._parts else np.zeros(families.titles)
        world = world_prior(taste, debut_share=debut_share)
        released = self._world.released(day)
        sizes = self._world.size_bytes if "views" in self._parts else None
        expected = Forecast(evidence, families, world, released=released, smoothing=self._smoothing, stored_bytes=sizes)
        return np.array([expected.of(row, self._prior(world, taste, row)) for row in rows.tolist()])

    def _prior(self, world: Floats, taste: Taste, row: int) -> Floats | None:
        if self._seen.kinship is None or "kinship" not in self._parts:
            return None
        return kindred_prior(world, taste, self._seen.kinship[row], strength=self._smoothing.world_strength)
