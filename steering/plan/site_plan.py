"""What a site is to hold tonight and on which boxes. Pure; planner carries it out, kept_plan keeps it.

Looked at are the assets that can come to be held; what costs more is done with those alone that are near the cut.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from steering.plan.best_first import best_first
from steering.plan.expected import Expected
from steering.plan.forecast import Bools, Floats, Ints
from steering.plan.ground import Ground, Terms, ladders, worth
from steering.plan.placement import Box, copies_wanted, place, room_beside
from steering.plan.placing import added
from steering.plan.selection import candidates, choose
from steering.plan.shelf import Shelf

MANIFESTS_RATIO_MAX = 0.05
CANDIDATES_RATIO = 1.05
"""Of the space, in bytes of assets that are looked at closely: some more than fit, to fill gaps with."""
MISSED_SHOWN = 5


@dataclass(frozen=True, slots=True)
class SitePlan:
    """What a site is to hold.

    ``places`` are the assets that were looked at closely, in rising order; ``on`` and ``had`` (boxes, places) say which
    box is to hold and held each; ``worth`` and ``expected`` are of these places, in bytes of tomorrow. ``land`` is what
    holds in the region, ``tomorrow`` what is expected of all.
    """

    site: str
    boxes: Sequence[Box]
    places: Ints
    on: Bools
    had: Bools
    worth: Floats
    expected: Floats
    land: Ground
    tomorrow: Expected

    @property
    def anywhere(self) -> Bools:
        """Whether an asset lies on any box, by asset."""
        return _marked(len(self.land.able), self.places[self.on.any(axis=0)])

    @property
    def held_bytes(self) -> float:
        """Of tomorrow's expected bytes, those that the site holds."""
        return float(self.expected[self.on.any(axis=0)].sum())

    @property
    def hit_ratio(self) -> float:
        """Part of tomorrow's expected bytes that the site holds; 0 where nothing is expected."""
        return self.held_bytes / max(self.tomorrow.able_bytes, 1e-12)

    def moved_bytes(self, shelf: Shelf) -> float:
        """What the boxes have to bring in."""
        return float(self._moved(shelf).sum())

    def replaced_bytes(self, shelf: Shelf) -> float:
        """Of that, what takes the place of others on boxes that held anything: the rest takes free space.

        What may not be here any more (rights, bans) leaves free space.
        """
        there = self.had.any(axis=1)
        gone = self.had & ~self.on & ~self.on[~there].any(axis=0) & self.land.able[self.places]
        left = added(gone, shelf.stored_bytes[self.places])
        return float(min(self._moved(shelf)[there].sum(), left.sum()))

    def _moved(self, shelf: Shelf) -> Floats:
        """By box; most often few assets."""
        sizes, moved = shelf.stored_bytes.take(self.places), self.on & ~self.had
        return np.array([sizes[row].sum() for row in moved])

    def just_missed(self, shelf: Shelf) -> list[int]:
        """The assets that would come next: those most worth their space of all that may be here and are not."""
        density = self.tomorrow.everywhere() / shelf.stored_bytes
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


@dataclass(frozen=True, slots=True)
class Held:
    """What the last plan gave a site: ``places``, each once, and by appliance which of them. What is not among them is
    not there.
    """

    places: Ints
    by_box: Mapping[str, Bools]

    def of(self, boxes: Sequence[Box]) -> Bools:
        """(boxes, places)."""
        none = np.zeros(len(self.places), np.bool_)
        return np.array([self.by_box.get(box.name, none) for box in boxes]).reshape(len(boxes), len(self.places))


def plan_site(
    site: str,
    boxes: Sequence[Box],
    shelf: Shelf,
    tomorrow: Expected,
    *,
    land: Ground,
    held: Held,
    terms: Terms,
) -> SitePlan:
    """Decide what a site holds tonight.

    Args:
        site: Its id.
        boxes: Those whose capacity is known; ``space_bytes`` is what plans may fill.
        shelf: The catalogue.
        tomorrow: What is expected at this site.
        land: What holds in its region.
        held: What the last plan gave it.
        terms: The operator's.
    """
    count = shelf.count
    held_by = held.of(boxes)
    before = _marked(count, held.places[held_by.any(axis=0)])
    reserved = [_manifests_room(land, box) for box in boxes]
    left = [
        Box(box.name, box.hash, box.space_bytes - room, box.rate_bytes_per_s)
        for box, room in zip(boxes, reserved, strict=True)
    ]
    space = sum(box.space_bytes for box in left)
    before[held.places] &= land.media[held.places]
    near = _near(shelf, tomorrow, land, room=CANDIDATES_RATIO * space, before=before)
    row_of = np.empty(count, np.int32)
    had_near = _had(near, held.places, held_by, before, row_of)
    media = _media(near, left, had_near, shelf, terms, media_bytes=tomorrow.media_bytes)
    manifests = _manifests(shelf, tomorrow, land, near.places[media.any(axis=0)])
    close = np.flatnonzero(_marked(count, near.places, manifests, held.places))
    row_of[close] = np.arange(len(close), dtype=np.int32)
    on, had = np.zeros((2, len(boxes), len(close)), np.bool_)
    ends = np.cumsum(shelf.stored_bytes[manifests])
    rows, rows_held, rows_manifests = (row_of.take(of).astype(np.int64) for of in (near.places, held.places, manifests))
    for box, room in enumerate(reserved):
        on[box][rows] = media[box]
        on[box][rows_manifests[ends <= room]] = True
        had[box][rows_held] = held_by[box]
    foreseen, valued = np.full(len(close), np.nan), np.zeros(len(close))
    foreseen[rows], valued[rows] = near.expected, near.worth
    others = np.flatnonzero(np.isnan(foreseen))
    foreseen[others] = tomorrow.at(close[others])
    return SitePlan(site, boxes, close, on, had, valued, foreseen, land, tomorrow)


@dataclass(frozen=True, slots=True)
class _Near:
    """The media that can come to be held, best first, in columns."""

    places: Ints
    worth: Floats
    expected: Floats
    size: Floats
    held: Bools


def _near(shelf: Shelf, tomorrow: Expected, land: Ground, *, room: float, before: Bools) -> _Near:
    """Those of which so much room can be filled, and those of ``before``."""
    marked = tomorrow.near(room)
    marked[land.pinned] = True
    marked |= before
    some = np.flatnonzero(marked)
    expected, size, held = tomorrow.at(some), shelf.stored_bytes.take(some), before.take(some)
    wanted = worth(some, ladders(shelf, some, expected) if land.whole_ladders else expected, size, land)
    density = wanted / size
    close = candidates(density, size, capacity_bytes=room, held=held)
    close = close[best_first(density[close])]
    return _Near(some.take(close), wanted.take(close), expected.take(close), size.take(close), held.take(close))


def _media(near: _Near, boxes: Sequence[Box], had: Bools, shelf: Shelf, terms: Terms, *, media_bytes: float) -> Bools:
    """(boxes, near): where each lies."""
    is_first = not near.held.any()
    copies = copies_wanted(near.expected, boxes, hot_share=terms.hot_share, total_bytes=media_bytes)
    chosen = choose(
        near.worth,
        near.size * copies,
        capacity_bytes=sum(box.space_bytes for box in boxes),
        held=None if is_first else near.held,
        payback_days=terms.payback_days,
        moves_max_bytes=terms.moves_max_bytes,
        beside_bytes=room_beside(near.size, boxes) if is_first else None,
    )
    brought = float((near.size * copies)[chosen & ~near.held].sum())
    return place(
        chosen,
        near.worth,
        near.size,
        copies=copies,
        hashes=shelf.hashes[near.places],
        boxes=boxes,
        expected_bytes=near.expected,
        had=had,
        moves_max_bytes=terms.moves_max_bytes,
        shifts_max_bytes=min(terms.shifts_max_bytes, terms.moves_max_bytes - brought) / 2,  # others give way
    )


def _had(near: _Near, places: Ints, held_by: Bools, before: Bools, row_of: NDArray[np.int32]) -> Bools:
    """(boxes, near): what each box held of those; ``row_of`` is written over."""
    row_of[near.places] = np.arange(len(near.places), dtype=np.int32)
    media = before[places]
    rows = row_of[places[media]]
    had = np.zeros((len(held_by), len(near.places)), np.bool_)
    for box, held in zip(had, held_by, strict=True):
        box[rows] = held[media]
    return had


def _marked(count: int, *places: Ints) -> Bools:
    """By asset, whether it is among any of the places."""
    marked = np.zeros(count, np.bool_)
    for some in places:
        marked[some] = True
    return marked


def _manifests_room(land: Ground, box: Box) -> float:
    """What manifests may take of a box."""
    return min(land.manifests_bytes, MANIFESTS_RATIO_MAX * box.space_bytes)


def _manifests(shelf: Shelf, tomorrow: Expected, land: Ground, media: Ints) -> Ints:
    """Those of titles of which anything is held, and that have nothing else: the best for their room first."""
    held = np.zeros(shelf.families.titles, np.bool_)
    held[shelf.families.title[media]] = True
    some = land.manifests[held[land.manifests_title] | land.alone]
    density = np.maximum(tomorrow.at(some), land.floor_bytes[some]) / shelf.stored_bytes[some]
    ordered: Ints = some[best_first(density)]
    return ordered
