"""Tomorrow's bytes per cluster and asset, from what was watched lately and, where that is little, what others watch.

Each estimate is a Gamma–Poisson posterior mean, ``(strength × prior + weighted sum) / (strength + weighted days)``: a
prior counts as so many days of watching, and fades as days come in. The priors stand on each other: the world for the
kindred of a cluster, those for the cluster, the title and its usual renditions for an asset; the first days of earlier
releases for a title that nobody could watch yet. docs/popularity.md has the back-test. Pure.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from steering.watched import Watched

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Bools = NDArray[np.bool_]
_TINY = 1e-12


@dataclass(frozen=True, slots=True)
class Smoothing:
    """Constants of the forecast. Strengths are in days of watching."""

    half_life_days: float = 2.0
    prior_strength: float = 0.5
    world_strength: float = 0.5
    asset_strength: float = 1.0
    kinship_power: float = 8.0


@dataclass(frozen=True, slots=True)
class Evidence:
    """Recency-weighted sums of what was watched.

    ``watched`` has bytes by cluster and asset. ``days`` (assets) is the weighted number of days on which an asset could
    be watched, ``volume_days`` the same for the clusters as a whole.
    """

    watched: Watched
    days: Floats
    volume_days: float = 0.0

    def bytes_per_day(self) -> Floats:
        """Of each cluster as a whole, its days weighted by their recency."""
        per_day: Floats = self.watched.by_cluster() / max(self.volume_days, _TINY)
        return per_day


@dataclass(frozen=True, slots=True)
class Families:
    """``title`` and ``rung`` (place in its title's ladder) of each asset; ``kind`` of each title."""

    title: Ints
    rung: Ints
    kind: Ints

    @property
    def titles(self) -> int:
        """How many titles there are."""
        return len(self.kind)


@dataclass(frozen=True, slots=True)
class Taste:
    """What was watched, as shares of a cluster's day, summed over weighted days: by cluster and title; those days."""

    shares: Watched
    days: Floats

    @classmethod
    def of(cls, evidence: Evidence, families: Families) -> Taste:
        """By title."""
        by_title = evidence.watched.grouped(families.title, families.titles)
        days = np.zeros(families.titles)
        np.maximum.at(days, families.title, evidence.days)
        return cls(by_title.scaled(1 / np.maximum(evidence.bytes_per_day(), _TINY)), days)


def world_prior(taste: Taste, *, debut_share: Floats) -> Floats:
    """Share of a cluster's day that a title has in the world: (titles).

    Args:
        taste: Of all clusters.
        debut_share: What is expected of a title that nobody could watch yet, (titles).
    """
    watching = int((taste.shares.by_cluster() > 0).sum())
    seen = taste.shares.by_column() / max(watching, 1) / np.maximum(taste.days, _TINY)
    return np.where(taste.days > 0, seen, debut_share)


def kindred_prior(world: Floats, taste: Taste, kinship: Floats, *, strength: float) -> Floats:
    """The same by the kindred of one cluster, as far as they say anything: (titles).

    Args:
        world: From ``world_prior``.
        taste: Of all clusters.
        kinship: (clusters), sums to 1: whose taste tells how much of that one's.
        strength: Of the world's against the kindred's, in days.
    """
    kindred = taste.shares.scaled(kinship).by_column()
    prior: Floats = (strength * world + kindred) / np.maximum(strength + taste.days, _TINY)
    return np.where(taste.days > 0, prior, world)


class Forecast:
    """Bytes expected tomorrow, cluster by cluster; what all of them share is reckoned once."""

    def __init__(
        self,
        evidence: Evidence,
        families: Families,
        prior: Floats,
        *,
        released: Bools,
        smoothing: Smoothing = Smoothing(),
    ) -> None:
        """Prepare.

        Args:
            evidence: What was watched, of all clusters.
            families: Which assets are renditions of one title.
            prior: Share of the day expected of each title before any own evidence, (titles).
            released: By asset, whether it can be watched tomorrow.
            smoothing: Constants.
        """
        self._watched, self._families, self._prior = evidence.watched, families, prior
        self._smoothing = smoothing
        self._taste = Taste.of(evidence, families)
        self._usual = rung_shares(evidence.watched, families)
        self._volumes = evidence.bytes_per_day()
        # Who has not watched anything yet watches as much as the others do.
        self._newcomer_bytes = float(self._volumes[self._volumes > 0].mean()) if self._volumes.any() else 0.0
        self._counted = released / np.maximum(smoothing.asset_strength + evidence.days, _TINY)
        self._inherited = smoothing.asset_strength * self._counted

    def of(self, cluster: int, prior: Floats | None = None) -> Floats:
        """Bytes expected of one cluster, (assets); by a ``prior`` of its own, if it has one."""
        strength, days = self._smoothing.prior_strength, self._taste.days
        titles, seen = self._taste.shares.of(cluster)
        shares = strength * (self._prior if prior is None else prior)
        shares[titles] += seen
        shares /= np.maximum(strength + days, _TINY)
        volume = float(self._volumes[cluster]) or self._newcomer_bytes
        expected: Floats = shares[self._families.title]
        expected *= (volume * self._usual[cluster])[self._families.rung]
        expected *= self._inherited
        assets, watched = self._watched.of(cluster)
        expected[assets] += watched * self._counted[assets]
        # Who watches the new watches less of the old: a cluster's day stays as large as its days were.
        expected *= volume / max(float(expected.sum()), _TINY)
        return expected


def rung_shares(watched: Watched, families: Families) -> Floats:
    """Share of each rung in what a cluster watches of a title: (clusters, rungs); where nothing was, all clusters'."""
    by_rung = watched.grouped(families.rung, int(families.rung.max(initial=0)) + 1).dense()
    everywhere = by_rung.sum(axis=0)
    everywhere /= max(float(everywhere.sum()), _TINY)
    blended = by_rung + (0.01 * by_rung.sum() / max(len(by_rung), 1) + _TINY) * everywhere
    shares: Floats = blended / np.maximum(blended.sum(axis=1, keepdims=True), _TINY)
    return shares


def kinship(taste: Taste, *, power: float) -> Floats | None:
    """How much each cluster's taste tells of another's, by likeness of what they watched; None: some have no like."""
    watched = np.sqrt(taste.shares.dense())
    watched /= np.linalg.norm(watched, axis=1, keepdims=True) + _TINY
    likeness: Floats = (watched @ watched.T) ** power
    np.fill_diagonal(likeness, 0.0)
    total = likeness.sum(axis=1, keepdims=True)
    if not (total > 0).all():
        return None
    likeness /= total
    return likeness
