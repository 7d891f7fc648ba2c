"""What holds of every asset for all sites of a region on one night: what may be held there, and what it is worth when
nobody watches it. Reckoned once, so that a site costs only what is its own. Pure.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from steering.forecast import Bools, Floats, Ints
from steering.shelf import Shelf

FILLED_AHEAD_NS = 24 * 3600 * 10**9
UNWATCHED = 1e-9
"""Expected bytes per stored byte of the newest asset that nobody is expected to watch: room that is left takes it."""
PINNED = 1e9
"""Of one that is pinned: before everything that is watched."""


@dataclass(frozen=True, slots=True)
class Terms:
    """What the operator asks of plans; see ``settings.PlanTable``."""

    payback_days: float = 2.0
    moves_max_bytes: float = np.inf
    hot_share: float = 0.2
    whole_ladders: bool = False
    pinned: Sequence[str] = ()
    banned: Sequence[str] = ()


@dataclass(frozen=True, slots=True)
class Ground:
    """Columns by asset. ``barred`` says why an asset may not be held, ``media`` which of those that may are no
    manifests, also as a factor of 1 or 0; ``floor_bytes`` what one counts for at least.

    ``manifests`` are the places of those that may be held; ``alone`` tells which of these have no media beside them.
    """

    barred: Mapping[str, Bools]
    able: Bools
    media: Bools
    media_weight: Floats
    floor_bytes: Floats
    pinned: Ints
    manifests: Ints
    alone: Bools
    manifests_bytes: float


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
    alone = ~has_media[shelf.families.title[manifests]]
    floor = np.where(able, newest * shelf.stored_bytes, 0.0)
    return Ground(
        barred=barred,
        able=able,
        media=media,
        media_weight=media.astype(np.float64),
        floor_bytes=floor,
        pinned=np.flatnonzero(shelf.named(terms.pinned) & media),
        manifests=manifests,
        alone=alone,
        manifests_bytes=float(shelf.stored_bytes[manifests].sum()),
    )


def worth(shelf: Shelf, expected: Floats, land: Ground, *, whole_ladders: bool) -> Floats:
    """What choosing goes by: expected bytes, of whole ladders if so wished; pins before, the unwatched behind.

    Nothing for manifests and for what may not be held.
    """
    counted = expected * land.media_weight
    if whole_ladders:
        titles, size = shelf.families.title, shelf.stored_bytes
        by_title = np.bincount(titles, weights=counted, minlength=shelf.families.titles)
        sizes = np.bincount(titles, weights=size * land.media_weight, minlength=shelf.families.titles)
        counted = (by_title / np.maximum(sizes, 1.0))[titles] * size * land.media_weight
    found: Floats = np.maximum(counted, land.floor_bytes)
    found[land.manifests] = 0.0
    found[land.pinned] += PINNED * shelf.stored_bytes[land.pinned]
    return found
