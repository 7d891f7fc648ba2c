"""What a site is to hold tonight and on which boxes. Pure; planner carries it out, kept_plan keeps it.

All assets are looked at once; what costs more is done with those alone that can come to be held.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from steering.best_first import best_first
from steering.forecast import Bools, Floats, Ints
from steering.ground import Ground, Terms, worth
from steering.placement import Box, copies_wanted, place
from steering.selection import candidates, choose
from steering.shelf import Shelf

MANIFESTS_RATIO_MAX = 0.05
CANDIDATES_RATIO = 1.05
"""Of the space, in bytes of assets that are looked at closely: some more than fit, to fill gaps with."""
"""Of the space, in bytes of assets: so many are looked at closely, so that gaps can be filled and misses be told."""
MISSED_SHOWN = 5


@dataclass(frozen=True, slots=True)
class SitePlan:
    """What a site is to hold.

    ``places`` are the assets that were looked at closely, in rising order; ``on`` and ``had`` (boxes, places) say which
    box is to hold and held each. ``expected`` is by asset in bytes, tomorrow's; ``land`` what holds in the region.
    """

    site: str
    boxes: Sequence[Box]
    places: Ints
    on: Bools
    had: Bools
    worth: Floats
    expected: Floats
    land: Ground

    @property
    def anywhere(self) -> Bools:
        """Whether an asset lies on any box, by asset."""
        found = np.zeros(len(self.expected), np.bool_)
        found[self.places[self.on.any(axis=0)]] = True
        return found

    @property
    def hit_ratio(self) -> float:
        """Part of tomorrow's expected bytes that the site holds; 0 where nothing is expected."""
        held = float(self.expected[self.places[self.on.any(axis=0)]].sum())
        return held / max(float(self.expected[self.land.able].sum()), 1e-12)

    def moved_bytes(self, shelf: Shelf) -> float:
        """What the boxes have to bring in."""
        return float((self.on & ~self.had).sum(axis=0) @ shelf.stored_bytes[self.places])

    def replaced_bytes(self, shelf: Shelf) -> float:
        """Of that, what goes to boxes that held anything."""
        there = self.had.any(axis=1)
        return float((self.on & ~self.had)[there].sum(axis=0) @ shelf.stored_bytes[self.places])

    def just_missed(self, shelf: Shelf) -> list[int]:
        """The assets that would come next: those most worth their space of all that may be here and are not."""
        density = self.expected / shelf.stored_bytes
        out = np.flatnonzero(~self.anywhere & self.land.able & (density > 0))
        return [int(place) for place in out[best_first(density[out])][:MISSED_SHOWN]]

    def in_order(self, shelf: Shelf) -> Ints:
        """Which of ``places`` are held anywhere: manifests first, then by worth per stored byte."""
        held = np.flatnonzero(self.on.any(axis=0))
        places = self.places[held]
        density = self.worth[held] / np.maximum(shelf.stored_bytes[places], 1.0)
        density[shelf.manifests[places]] = np.inf
        ordered: Ints = held[best_first(density)]
        return ordered


def plan_site(
    site: str,
    boxes: Sequence[Box],
    shelf: Shelf,
    expected: Floats,
    *,
    land: Ground,
    held: Mapping[str, Ints],
    terms: Terms,
) -> SitePlan:
    """Decide what a site holds tonight.

    Args:
        site: Its id.
        boxes: Those whose capacity is known; ``space_bytes`` is what plans may fill.
        shelf: The catalogue.
        expected: Tomorrow's bytes at this site, by asset.
        land: What holds in its region.
        held: Appliance → places of what the last plan gave it; what it does not name, it does not hold.
        terms: The operator's.
    """
    before = _marked(len(expected), *(held.get(box.name, _NONE) for box in boxes))
    reserved = [_manifests_room(land, box) for box in boxes]
    left = [
        Box(box.name, box.hash, box.space_bytes - room, box.rate_bytes_per_s)
        for box, room in zip(boxes, reserved, strict=True)
    ]
    space = sum(box.space_bytes for box in left)
    wanted = worth(shelf, expected, land, whole_ladders=terms.whole_ladders)
    density = wanted / shelf.stored_bytes
    kept = before & land.media
    places = candidates(density, shelf.stored_bytes, capacity_bytes=CANDIDATES_RATIO * space, held=kept)
    places = places[best_first(density[places])]
    near, size, there = wanted[places], shelf.stored_bytes[places], kept[places]
    copies = copies_wanted(
        expected[places],
        left,
        hot_share=terms.hot_share,
        total_bytes=float(expected @ land.media_weight),
        among=len(expected),
    )
    chosen = choose(
        near,
        size * copies,
        capacity_bytes=space,
        held=there if there.any() else None,
        payback_days=terms.payback_days,
        moves_max_bytes=terms.moves_max_bytes,
    )
    media = place(chosen, near, size, copies=copies, hashes=shelf.hashes[places], boxes=left)
    manifests = _manifests(shelf, expected, land, places[media.any(axis=0)])
    close = np.flatnonzero(_marked(len(expected), places, manifests) | before)
    row_of = np.zeros(len(expected), np.int32)
    row_of[close] = np.arange(len(close), dtype=np.int32)
    on = np.zeros((len(boxes), len(close)), np.bool_)
    on[:, row_of[places]] = media
    ends = np.cumsum(shelf.stored_bytes[manifests])
    for row, room in enumerate(reserved):
        on[row, row_of[manifests[ends <= room]]] = True
    had = np.array([_marked(len(expected), held.get(box.name, _NONE))[close] for box in boxes]).reshape(on.shape)
    return SitePlan(site, boxes, close, on, had, wanted[close], expected, land)


_NONE = np.zeros(0, np.int64)


def _marked(count: int, *places: Ints) -> Bools:
    """By asset, whether it is among any of the places."""
    marked = np.zeros(count, np.bool_)
    for some in places:
        marked[some] = True
    return marked


def _manifests_room(land: Ground, box: Box) -> float:
    """What manifests may take of a box."""
    return min(land.manifests_bytes, MANIFESTS_RATIO_MAX * box.space_bytes)


def _manifests(shelf: Shelf, expected: Floats, land: Ground, media: Ints) -> Ints:
    """Those of titles of which anything is held, and that have nothing else: the best for their room first."""
    held = np.zeros(shelf.families.titles, np.bool_)
    held[shelf.families.title[media]] = True
    some = land.manifests[held[shelf.families.title[land.manifests]] | land.alone]
    density = np.maximum(expected[some], land.floor_bytes[some]) / shelf.stored_bytes[some]
    ordered: Ints = some[best_first(density)]
    return ordered
