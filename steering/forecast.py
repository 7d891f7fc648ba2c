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


@dataclass(slots=True)
class Evidence:
    """Recency-weighted sums of what was watched.

    ``bytes`` is (clusters, assets). ``days`` (assets) is the weighted number of days on which an asset could be
    watched, ``volume_days`` the same for the clusters as a whole.
    """

    bytes: Floats
    days: Floats
    volume_days: float = 0.0

    @classmethod
    def none(cls, clusters: int, assets: int) -> Evidence:
        """Of nothing."""
        return cls(np.zeros((clusters, assets)), np.zeros(assets))

    def add_day(self, watched: NDArray[np.floating], released: Bools, *, half_life_days: float) -> None:
        """Let what is there age by a day, then take in ``watched`` (clusters, assets), in bytes."""
        fade = 0.5 ** (1 / half_life_days)
        self.bytes *= fade
        self.bytes += watched
        self.days *= fade
        self.days += released
        self.volume_days = self.volume_days * fade + 1.0


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
    """What was watched as shares of a cluster's day, summed over weighted days, (clusters, titles); and those days."""

    shares: Floats
    days: Floats

    @classmethod
    def of(cls, evidence: Evidence, families: Families) -> Taste:
        """By title."""
        watched = _sum_by(evidence.bytes, families.title, families.titles)
        days = np.zeros(families.titles)
        np.maximum.at(days, families.title, evidence.days)
        return cls(watched / np.maximum(bytes_per_day(evidence), _TINY)[:, None], days)


def world_prior(shares: Floats, days: Floats, *, clusters: int, debut_share: Floats) -> Floats:
    """Share of a cluster's day that a title has in the world.

    Args:
        shares: ``Taste.shares`` summed over all clusters, (titles).
        days: ``Taste.days``.
        clusters: How many clusters watched anything.
        debut_share: What is expected of a title that nobody could watch yet, (titles).
    """
    return np.where(days > 0, shares / max(clusters, 1) / np.maximum(days, _TINY), debut_share)


def kindred_prior(world: Floats, taste: Taste, kinship: Floats, *, strength: float) -> Floats:
    """The same by kindred clusters, as far as they say anything: (some clusters, titles).

    Args:
        world: From ``world_prior``.
        taste: Of all clusters.
        kinship: (some clusters, clusters), rows sum to 1: whose taste tells how much of each one's.
        strength: Of the world's against the kindred's, in days.
    """
    prior: Floats = (strength * world + kinship @ taste.shares) / np.maximum(strength + taste.days, _TINY)
    return np.where(taste.days > 0, prior, world)


def forecast(
    evidence: Evidence,
    families: Families,
    prior: Floats,
    *,
    released: Bools,
    newcomer_bytes: float = 0.0,
    smoothing: Smoothing = Smoothing(),
) -> Floats:
    """Bytes expected tomorrow.

    Args:
        evidence: What was watched, of some clusters.
        families: Which assets are renditions of one title.
        prior: Share of the day expected of each title before any own evidence: (titles), or (clusters, titles).
        released: By asset, whether it can be watched tomorrow.
        newcomer_bytes: A day of a cluster that watched nothing yet.
        smoothing: Constants.

    Returns:
        (clusters, assets).
    """
    taste = Taste.of(evidence, families)
    strength = smoothing.prior_strength
    shares = (strength * prior + taste.shares) / np.maximum(strength + taste.days, _TINY)
    usual = rung_shares(evidence, families)
    per_day = bytes_per_day(evidence)
    volume = np.where(per_day > 0, per_day, newcomer_bytes)[:, None]
    expected: Floats = (shares * volume)[:, families.title] * usual[:, families.rung]
    expected *= smoothing.asset_strength
    expected += evidence.bytes
    expected /= np.maximum(smoothing.asset_strength + evidence.days, _TINY)
    expected *= released
    # Who watches the new watches less of the old: a cluster's day stays as large as its days were.
    expected *= volume / np.maximum(expected.sum(axis=1, keepdims=True), _TINY)
    return expected


def bytes_per_day(evidence: Evidence) -> Floats:
    """Of each cluster as a whole, its days weighted by their recency."""
    per_day: Floats = evidence.bytes.sum(axis=1) / max(evidence.volume_days, _TINY)
    return per_day


def rung_shares(evidence: Evidence, families: Families) -> Floats:
    """Share of each rung in what a cluster watches of a title: (clusters, rungs); where nothing was, all clusters'."""
    rungs = int(families.rung.max(initial=0)) + 1
    by_rung = _sum_by(evidence.bytes, families.rung, rungs)
    everywhere = by_rung.sum(axis=0)
    everywhere /= max(float(everywhere.sum()), _TINY)
    watched = by_rung.sum(axis=1, keepdims=True)
    blended = by_rung + (0.01 * watched.sum() / max(len(watched), 1) + _TINY) * everywhere
    shares: Floats = blended / np.maximum(blended.sum(axis=1, keepdims=True), _TINY)
    return shares


def kinship(evidence: Evidence, families: Families, *, power: float) -> Floats | None:
    """How much each cluster's taste tells of another's, by likeness of what they watched; None: some have no like."""
    watched = np.sqrt(_sum_by(evidence.bytes, families.title, families.titles))
    watched /= np.linalg.norm(watched, axis=1, keepdims=True) + _TINY
    likeness: Floats = (watched @ watched.T) ** power
    np.fill_diagonal(likeness, 0.0)
    total = likeness.sum(axis=1, keepdims=True)
    if not (total > 0).all():
        return None
    likeness /= total
    return likeness


def _sum_by(values: Floats, groups: Ints, count: int) -> Floats:
    """Columns of ``values`` summed by group: (rows, count)."""
    summed = np.zeros((len(values), count))
    for row, each in enumerate(values):
        summed[row] = np.bincount(groups, weights=each, minlength=count)
    return summed
