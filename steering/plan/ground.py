"""What holds of every asset for all sites of a region on one night: what may be held there, and what it is worth when
nobody watches it. Reckoned once, so that a site costs only what is its own. Pure.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from steering.plan.forecast import Bools, Floats, Ints
from steering.plan.shelf import Shelf

FILLED_AHEAD_NS = 24 * 3600 * 10**9
UNWATCHED = 1e-9
"""Expected bytes per stored byte of the newest asset that nobody is expected to watch: room that is left takes it."""
PINNED = 1e9
"""Of one that is pinned: before everything that is watched."""


@dataclass(frozen=True, slots=True)
class Terms:
    """What the operator asks of plans; see ``settings.PlanTable``. ``shifts_max_bytes`` bounds what goes from box to
    box of a site that could stay.
    """

    payback_days: float = 2.0
    moves_max_bytes: float = np.inf
    shifts_max_bytes: float = np.inf
    hot_share: float = 0.2
    whole_ladders: bool = False
    pinned: Sequence[str] = ()
    banned: Sequence[str] = ()


@dataclass(frozen=True, slots=True)
class Ground:
    """Columns by asset. ``barred`` says why an asset may not be held, ``media`` which of those that may are no
    manifests; ``floor_bytes`` what one counts for at least.

    ``manifests`` are the places of those that may be held, ``manifests_title`` the title of each; ``alone`` tells which
    of these have no media beside them.
    """

    barred: Mapping[str, Bools]
    able: Bools
    media: Bools
    floor_bytes: Floats
    pinned: Ints
    manifests: Ints
    manifests_title: Ints
    alone: Bools
    manifests_bytes: float
    whole_ladders: bool


def ground(shelf: Shelf, region: str, terms: Terms, *, now_ns: int) -> Ground:
    """Of one region."""
    barred = {
        "not out yet": shelf.released_at_ns > now_ns + FILLED_AHEAD_NS,
        "no rights here": ~shelf.may_lie_in(region, until_ns=2**62),
        "banned": shelf.named(terms.banned),
    }
    able = ~np.any([*barred.values()], axis=0)
    media = able & ~shelf.manifests
    order = np.unique(shelf.released_at_ns, return_inverse=True)[1]
    newest = UNWATCHED * (order + 1.0) / max(len(order), 1)
    manifests = np.flatnonzero(able & shelf.manifests)
    has_media = np.bincount(shelf.families.title, weights=media, minlength=shelf.families.titles) > 0
    manifests_title = shelf.families.title[manifests]
    alone = ~has_media[manifests_title]
    floor = np.where(able, newest * shelf.stored_bytes, 0.0)
    return Ground(
        barred=barred,
        able=able,
        media=media,
        floor_bytes=floor,
        pinned=np.flatnonzero(shelf.named(terms.pinned) & media),
        manifests=manifests,
        manifests_title=manifests_title,
        alone=alone,
        manifests_bytes=float(shelf.stored_bytes[manifests].sum()),
        whole_ladders=terms.whole_ladders,
    )


def worth(places: Ints, expected: Floats, size_bytes: Floats, land: Ground) -> Floats:
    """What choosing goes by: expected bytes; pins before, the unwatched behind.

    Args:
        places: Media that may be held, in rising order.
        expected: Bytes expected of each.
        size_bytes: Room that each takes.
        land: What holds in the region.
    """
    found = expected.copy()
    low = np.flatnonzero(expected < 2 * UNWATCHED * size_bytes)  # only there can the floor be higher
    found[low] = np.maximum(found[low], land.floor_bytes[places[low]])
    if len(land.pinned):
        pinned = np.isin(places, land.pinned)
        found[pinned] += PINNED * size_bytes[pinned]
    return found


def ladders(shelf: Shelf, places: Ints, expected: Floats) -> Floats:
    """Expected bytes of whole ladders, over their media by size; ``places`` have all of a title's media, or none."""
    titles, count, size = shelf.families.title[places], shelf.families.titles, shelf.stored_bytes[places]
    by_title = np.bincount(titles, weights=expected, minlength=count)
    sizes = np.bincount(titles, weights=size, minlength=count)
    spread: Floats = (by_title / np.maximum(sizes, 1.0))[titles] * size
    return spread
