"""The forecasts that are compared: the simple ones that everybody tries, and ours, whole and with a part left out."""

from __future__ import annotations

from collections import deque
from dataclasses import replace
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from benchmarks.forecast.demand import World
from steering.forecast import Evidence, Smoothing, Taste, forecast, kindred_prior, kinship, world_prior

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


class Exponential:
    """Simple exponential smoothing."""

    def __init__(self, half_life_days: float) -> None:
        self._keep = 0.5 ** (1 / half_life_days)
        self._level: Floats | float = 0.0

    def observe(self, day: int, watched: Floats) -> None:
        self._level = self._keep * self._level + (1 - self._keep) * watched

    def expect(self, day: int, rows: Rows) -> Floats:
        return np.asarray(self._level)[rows]


class Ours:
    """steering.forecast, or as much of it as ``parts`` names: "calendar", "world", "kinship", "ladder"."""

    def __init__(self, world: World, clusters: int, parts: frozenset[str]) -> None:
        assets = len(world.size_bytes)
        off = {"prior_strength": 0.0} if "world" not in parts else {}
        off |= {"asset_strength": 0.0} if "ladder" not in parts else {}
        self._smoothing = replace(Smoothing(), **off)
        self._parts = parts
        self._world = world
        self._evidence = Evidence.none(clusters, assets)
        self._kinship: Floats | None = None
        kinds = int(world.families.kind.max(initial=0)) + 1
        self._debut_share, self._debuts = np.zeros(kinds), np.zeros(kinds)

    def observe(self, day: int, watched: Floats) -> None:
        released = self._world.released(day)
        self._evidence.add_day(watched, released, half_life_days=self._smoothing.half_life_days)
        if "calendar" in self._parts:
            self._learn_debuts(day, watched)
        if "kinship" in self._parts and day % KINSHIP_EVERY_DAYS == 1:
            self._kinship = kinship(self._evidence, self._world.families, power=self._smoothing.kinship_power)

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

    def expect(self, day: int, rows: Rows) -> Floats:
        families, taste = self._world.families, Taste.of(self._evidence, self._world.families)
        debut_share = (self._debut_share / np.maximum(self._debuts, 1e-12))[families.kind]
        watching = int((taste.shares.sum(axis=1) > 0).sum())
        prior = world_prior(taste.shares.sum(axis=0), taste.days, clusters=watching, debut_share=debut_share)
        if self._kinship is not None:
            prior = kindred_prior(prior, taste, self._kinship[rows], strength=self._smoothing.world_strength)
        released = self._world.released(day)
        evidence = replace(self._evidence, bytes=self._evidence.bytes[rows])
        return forecast(evidence, families, prior, released=released, smoothing=self._smoothing)
