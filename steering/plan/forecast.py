"""Tomorrow's bytes per cluster and asset, from what was watched lately and, where that is little, what others watch.

Each estimate is a Gamma–Poisson posterior mean, ``(strength × prior + weighted sum) / (strength + weighted days)``: a
prior counts as so many days of watching, and fades as days come in. The priors stand on each other: the world for the
kindred of a cluster, those for the cluster, the title and its usual renditions for an asset; the first days of earlier
releases for a title that nobody could watch yet. docs/popularity.md has the back-test. Pure.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from steering.plan.watched import Watched

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Bools = NDArray[np.bool_]
_TINY = 1e-12
_RAREST = 1e-3
"""Views a day at a site: of what is watched less, too, twenty views' worth of days is more than a history has."""


@dataclass(frozen=True, slots=True)
class Smoothing:
    """Constants of the forecast. Strengths are in days of watching, but ``asset_views``: whole views, counted beside
    ``asset_strength``, since a day in which a view may come or not tells little.
    """

    half_life_days: float = 2.0
    prior_strength: float = 0.5
    world_strength: float = 0.5
    asset_strength: float = 1.0
    asset_views: float = 20.0
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


class Taste:
    """What was watched, as shares of a cluster's day, summed over weighted days; ``days`` (titles) are those days.

    Of a cluster it is reckoned as it is asked for: of a large fleet, all of it would take as much memory again as what
    was watched.
    """

    def __init__(self, evidence: Evidence, families: Families) -> None:
        self._watched, self._families = evidence.watched, families
        self._is_in_order = bool((np.diff(families.title) >= 0).all())
        self.bytes_per_day = evidence.bytes_per_day()
        self.days: Floats = np.zeros(families.titles)
        np.maximum.at(self.days, families.title, evidence.days)

    def of(self, cluster: int) -> tuple[Ints, Floats]:
        """Titles that a cluster watched, in rising order, and the share of each."""
        assets, watched = self._watched.of(cluster)
        titles, by_title = self._by_title(self._families.title[assets], watched)
        shares: Floats = by_title * (1 / max(float(self.bytes_per_day[cluster]), _TINY))
        return titles, shares

    def _by_title(self, title: Ints, watched: Floats) -> tuple[Ints, Floats]:
        """Titles in rising order, and the sum of each, of which none is 0."""
        if self._is_in_order and len(title):  # in a fifth of the time, and the same, since bytes are whole
            first = np.flatnonzero(np.diff(title, prepend=-1))
            sums: Floats = np.add.reduceat(watched, first)
            return (title[first], sums) if sums.all() else (title[first][sums > 0], sums[sums > 0])
        by_title = np.bincount(title, watched, self._families.titles).astype(np.float64)
        titles: Ints = np.flatnonzero(by_title)
        return titles, by_title[titles]

    def by_title(self) -> Floats:
        """Sums over the clusters: (titles)."""
        sums = np.zeros(self._families.titles)
        for cluster in range(self._watched.clusters):
            titles, shares = self.of(cluster)
            sums[titles] += shares
        return sums

    def watching(self) -> int:
        """How many clusters watched anything."""
        return int((self.bytes_per_day > 0).sum())

    @cached_property
    def shares(self) -> Watched:
        """By cluster and title."""
        by_title = self._watched.grouped(self._families.title, self._families.titles)
        return by_title.scaled(1 / np.maximum(self.bytes_per_day, _TINY))


def world_prior(taste: Taste, *, debut_share: Floats) -> Floats:
    """Share of a cluster's day that a title has in the world: (titles).

    Args:
        taste: Of all clusters.
        debut_share: What is expected of a title that nobody could watch yet, (titles).
    """
    seen = taste.by_title() / max(taste.watching(), 1) / np.maximum(taste.days, _TINY)
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


@dataclass(frozen=True, slots=True)
class Basis:
    """What is expected of one cluster, in parts: bytes of its day; ``titles`` that it watched, and what that adds to
    the share of each; bytes of its day by rung; ``assets`` that it watched, and what that adds to the bytes of each.
    """

    volume: float
    titles: Ints
    seen: Floats
    by_rung: Floats
    assets: NDArray[np.int32]
    own: Floats


class Forecast:
    """Bytes expected tomorrow, cluster by cluster; what all of them share is reckoned once.

    ``usual_shares`` of titles, times the bytes of a cluster's day by rung, times what an asset has ``inherited``, is
    what is expected where a cluster watched nothing itself.
    """

    def __init__(
        self,
        evidence: Evidence,
        families: Families,
        prior: Floats,
        *,
        released: Bools,
        smoothing: Smoothing = Smoothing(),
        stored_bytes: Floats | None = None,
        taste: Taste | None = None,
        usual: Floats | None = None,
    ) -> None:
        """Prepare.

        Args:
            evidence: What was watched, of all clusters.
            families: Which assets are renditions of one title.
            prior: Share of the day expected of each title before any own evidence, (titles).
            released: By asset, whether it can be watched tomorrow.
            smoothing: Constants.
            stored_bytes: Of each asset, by which views are reckoned; None: strengths are in days alone.
            taste: That of the evidence and the families, where it is at hand.
            usual: Their ``rung_shares``, likewise.
        """
        self._watched, self.families = evidence.watched, families
        self._strength = smoothing.prior_strength
        self._taste = taste or Taste(evidence, families)
        self._usual = rung_shares(evidence.watched, families) if usual is None else usual
        self._volumes = self._taste.bytes_per_day
        # Who has not watched anything yet watches as much as the others do.
        self._newcomer_bytes = float(self._volumes[self._volumes > 0].mean()) if self._volumes.any() else 0.0
        strength: Floats | float = smoothing.asset_strength
        if stored_bytes is not None and smoothing.asset_views:
            rungs = self._usual.sum(axis=0) / max(len(self._usual), 1)  # nobody may have watched anything yet
            usual = self._newcomer_bytes * prior[families.title] * rungs[families.rung]
            strength = smoothing.asset_strength + smoothing.asset_views / np.maximum(usual / stored_bytes, _RAREST)
        self._counted = released / np.maximum(strength + evidence.days, _TINY)
        self._title_days = np.maximum(self._strength + self._taste.days, _TINY)
        self.inherited = strength * self._counted
        self.usual_shares = self._strength * prior / self._title_days

    def of(self, cluster: int, prior: Floats | None = None) -> Floats:
        """Bytes expected of one cluster, (assets); by a ``prior`` of its own, if it has one."""
        basis = self.basis(cluster)
        shares = self.usual_shares.copy() if prior is None else self._strength * prior / self._title_days
        shares[basis.titles] += basis.seen
        expected: Floats = shares[self.families.title]
        expected *= basis.by_rung[self.families.rung]
        expected *= self.inherited
        expected[basis.assets] += basis.own
        # Who watches the new watches less of the old: a cluster's day stays as large as its days were.
        expected *= basis.volume / max(float(expected.sum()), _TINY)
        return expected

    def basis(self, cluster: int) -> Basis:
        """What the forecast for a cluster is made of."""
        titles, seen = self._taste.of(cluster)
        volume = float(self._volumes[cluster]) or self._newcomer_bytes
        assets, watched = self._watched.of(cluster)
        own = watched * self._counted[assets]
        return Basis(volume, titles, seen / self._title_days[titles], volume * self._usual[cluster], assets, own)


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
