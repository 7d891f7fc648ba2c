"""Finds what a site of a large fleet can come to hold without looking at every asset. Pure.

What a site did not watch itself is expected by a product of three: its title's share in the world, the site's bytes by
rung, and what the asset inherits of its title. Within a rung the order of such assets is one and the same at all sites,
so it is made once, with the room that each takes added up. A site then has a look at so many of each rung's best as can
fill its space, and at the titles that it watched, which are worth more than that to it.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from steering.plan.best_first import best_first
from steering.plan.forecast import Bools, Floats, Forecast, Ints
from steering.plan.ground import UNWATCHED, Ground
from steering.plan.shelf import Shelf, is_of_manifests

_LEAST = 4 * UNWATCHED
"""Expected bytes per stored byte, below which the order by release may come before the order by demand."""
_LEVEL_BITS = 49
"""Of a float those that its level leaves out: eight levels in each power of two."""
_LOWEST = int(np.float64(_LEAST).view(np.int64) >> _LEVEL_BITS) + 1
_LEVELS = (np.arange(_LOWEST, _LOWEST + 8 * 80) << _LEVEL_BITS).view(np.float64)
_MARGIN = 1 - 2.0**-5
"""More than a choice's steps and rounding come to."""
_TINY = 1e-12


class Part:
    """A part of the catalogue: what its assets inherit, added up by title and rung, and what is usual by rung."""

    def __init__(self, forecast: Forecast, among: Bools) -> None:
        families = forecast.families
        rungs = int(families.rung.max(initial=0)) + 1
        cell, count = families.title * rungs + families.rung, families.titles * rungs
        sums: Floats = np.bincount(cell, forecast.inherited * among, count).astype(np.float64)
        by_cell = sums.reshape(-1, rungs)
        self.among = among
        self.rungs: Ints = np.flatnonzero(by_cell.any(axis=0))
        self.inherited = np.ascontiguousarray(by_cell[:, self.rungs])
        self.usual = _product(forecast.usual_shares, self.inherited)


class Rankings:
    """Of one region: each rung's media, those that the world watches most for their room first."""

    def __init__(self, forecast: Forecast, shelf: Shelf, land: Ground) -> None:
        self.forecast, self.land, self.count = forecast, land, shelf.count
        families = forecast.families
        # Half as much to go through for a site, which looks at a tenth of the catalogue here and there.
        self.title, self.rung = families.title.astype(np.int32), families.rung.astype(np.int16)
        self.stored_bytes = shelf.stored_bytes
        self.able = Part(forecast, land.able)
        # What is expected of nobody else's and of no title that may not be held is most often nothing.
        is_all = not (forecast.inherited[~land.able] > 0).any()
        self.whole = self.able if is_all else Part(forecast, np.ones(self.count, np.bool_))
        self.is_media: Bools = ~is_of_manifests(self.able.rungs)
        found = np.flatnonzero(land.media & (forecast.inherited > 0))
        title, rung = families.title[found], families.rung[found]
        each = forecast.inherited[found] / shelf.stored_bytes[found]
        usual = forecast.usual_shares[title] * each
        self.rungs: Ints = np.unique(rung)
        self.ranked: list[tuple[Ints, Floats, Floats]] = []
        for number in self.rungs.tolist():
            rows = np.flatnonzero((rung == number) & (usual > 0))
            rows = rows[best_first(usual[rows])]
            sums = np.concatenate([[0.0], np.cumsum(shelf.stored_bytes[found[rows]])])
            self.ranked.append((found[rows], -usual[rows], sums))
        # Of each title and rung, the most that an asset inherits for its room, which it takes; and all its assets.
        cell = title * len(self.rungs) + np.searchsorted(self.rungs, rung)
        best = np.zeros(families.titles * len(self.rungs))
        np.maximum.at(best, cell, each)
        self.best = best.reshape(families.titles, -1)
        self.sizes = np.zeros(len(best))
        is_best = each == best[cell]
        self.sizes[cell[is_best]] = shelf.stored_bytes[found[is_best]]
        self.most = self.best.max(axis=1, initial=0.0)
        order = np.argsort(cell, kind="stable")
        self._by_cell = found[order].astype(np.int32)
        self._starts = np.searchsorted(cell[order], np.arange(len(best) + 1)).astype(np.int32)

    def of_cells(self, cells: Ints) -> NDArray[np.int32]:
        """Places of the media of these titles and rungs; a cell is a title's number times the rungs, and the rung's."""
        starts = self._starts[cells]
        counts = self._starts[cells + 1] - starts
        if (counts == 1).all():  # as where no ladder has more of a kind than there are rungs
            return self._by_cell[starts]
        before = np.cumsum(counts) - counts
        places: NDArray[np.int32] = self._by_cell[np.arange(int(counts.sum())) + np.repeat(starts - before, counts)]
        return places


class Ranked:
    """What is expected at one site; see ``expected.Expected``."""

    def __init__(self, rankings: Rankings, cluster: int) -> None:
        forecast = rankings.forecast
        self._rankings, self._basis = rankings, forecast.basis(cluster)
        self._shares = forecast.usual_shares.copy()
        self._shares[self._basis.titles] += self._basis.seen
        self._own = np.zeros(rankings.count)
        self._own[self._basis.assets] = self._basis.own
        able = self._by_rung(rankings.able)
        whole = able if rankings.whole is rankings.able else self._by_rung(rankings.whole)
        of_able, of_media = rankings.land.able[self._basis.assets], rankings.land.media[self._basis.assets]
        own = self._basis.own
        # Who watches the new watches less of the old: a cluster's day stays as large as its days were.
        self._scale = self._basis.volume / max(float(whole.sum() + own.sum()), _TINY)
        self.able_bytes = self._scale * float(able.sum() + own[of_able].sum())
        self.media_bytes = self._scale * float(able[rankings.is_media].sum() + own[of_media].sum())

    def at(self, places: Ints) -> Floats:
        """See ``Expected``."""
        expected = self._by_title(places)
        expected += self._own.take(places)
        expected *= self._scale
        return expected

    def everywhere(self) -> Floats:
        """See ``Expected``."""
        return self.at(np.arange(self._rankings.count))

    def near(self, capacity_bytes: float) -> Bools:
        """See ``Expected``: what is unwatched here is found by rank; what is watched is worth more than its rank."""
        of, basis = self._rankings, self._basis
        factors = basis.by_rung[of.rungs] * self._scale
        is_media = of.land.media.take(basis.assets)
        own = basis.assets[is_media].astype(np.int64)
        by_title, sizes = self._by_title(own), of.stored_bytes.take(own)
        per_byte = self._scale / sizes
        density = (by_title + basis.own[is_media]) * per_byte
        room = _more_room(density, by_title * per_byte, sizes)
        with np.errstate(divide="ignore"):
            for (_, falling, sums), factor in zip(of.ranked, factors, strict=True):
                room += sums[np.searchsorted(falling, -_LEVELS / factor)]
        level = _level(room, capacity_bytes)
        cells, watched, by_rank = self._watched_cells(factors, level)
        level = _level(room + _more_room(watched, by_rank, of.sizes.take(cells)), capacity_bytes)
        if not level:
            return of.land.media.copy()
        marked = np.zeros(of.count, np.bool_)
        for (places, falling, _), factor in zip(of.ranked, factors, strict=True):
            if factor:
                marked[places[: np.searchsorted(falling, -level / factor)]] = True
        marked[of.of_cells(cells[watched >= level])] = True
        marked[own[density >= level]] = True
        return marked

    def _by_title(self, places: Ints) -> Floats:
        """Bytes of some assets but for what was watched of them themselves, before they are scaled."""
        of = self._rankings
        found: Floats = self._shares.take(of.title.take(places))
        found *= self._basis.by_rung.take(of.rung.take(places))
        found *= of.forecast.inherited.take(places)
        return found

    def _watched_cells(self, factors: Floats, level: float) -> tuple[Ints, Floats, Floats]:
        """Of the titles that were watched here, the cells that have anything above a level; the expected bytes per
        stored byte of the best of each, and what that has by rank.
        """
        of, titles = self._rankings, self._basis.titles
        titles = titles[self._shares[titles] * of.most[titles] * factors.max(initial=0.0) >= level]
        usual = of.best.take(titles, axis=0)
        usual *= factors
        watched = usual * self._shares[titles, None]
        found = np.flatnonzero(watched >= level)
        row, rung = np.divmod(found, max(len(of.rungs), 1))
        by_rank = usual.take(found) * of.forecast.usual_shares[titles[row]]
        return titles[row] * len(of.rungs) + rung, watched.take(found), by_rank

    def _by_rung(self, part: Part) -> Floats:
        """Bytes of a part that are expected for what is watched elsewhere, before they are scaled."""
        basis = self._basis
        watched = _product(basis.seen, part.inherited.take(basis.titles, axis=0))
        sums: Floats = (part.usual + watched) * basis.by_rung[part.rungs]
        return sums


def _more_room(high: Floats, low: Floats, sizes: Floats) -> Floats:
    """By level, what those take that are as high, but would be lower; one that is not higher takes nothing."""
    room = np.zeros(len(_LEVELS))
    for values, sign in ((high, 1.0), (np.minimum(low, high), -1.0)):
        levels = np.clip((values.view(np.int64) >> _LEVEL_BITS) - _LOWEST, -1, len(_LEVELS) - 1)
        by_level = np.bincount(levels + 1, weights=sizes, minlength=len(_LEVELS) + 1)
        room += sign * by_level[:0:-1].cumsum()[::-1]
    return room


def _level(room: Floats, capacity_bytes: float) -> float:
    """A little below the highest level that has more than fits; 0: all fits."""
    fills = np.flatnonzero(room > capacity_bytes)
    return float(_LEVELS[fills[-1]]) * _MARGIN if len(fills) else 0.0


def _product(shares: Floats, by_title: Floats) -> Floats:
    """Shares times what there is by title and rung, added up by rung: alike on every machine, unlike BLAS."""
    product: Floats = np.einsum("i,ij->j", shares, by_title)
    return product
