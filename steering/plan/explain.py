"""Why a plan holds an asset at a site, or does not. Pure."""

from __future__ import annotations

import numpy as np
from msgspec import Struct

from steering.plan.interval import Intervals, classes_of, empty
from steering.plan.kept_plan import why
from steering.plan.shelf import Shelf, is_new
from steering.plan.site_plan import SitePlan

_BACK_TEST = Intervals(empty())


class Explained(Struct, frozen=True):
    """One asset at one site. ``worth`` and ``cut`` are expected bytes a day per stored byte.

    Four days in five, between ``low_bytes`` and ``high_bytes`` are watched: as nights here showed of what is held where
    ``interval_learned``, else as the back-test did. ``cut`` is the least of all that is held and watched; ``rank``
    counts from 1 among ``of`` assets that may be here.
    """

    site: str
    boxes: list[str]
    why: str
    expected_bytes: int
    low_bytes: int
    high_bytes: int
    interval_learned: bool
    bytes: int
    worth: float
    cut: float
    rank: int
    of: int


def explain_asset(shelf: Shelf, made: SitePlan, asset: str, intervals: Intervals, *, day: int) -> Explained:
    """Where it would lie, and what decided that.

    Args:
        shelf: The catalogue that the plan was made from; the asset is in it.
        made: The plan.
        asset: Its name.
        intervals: How far forecasts have been off here, of what was held.
        day: The day that is planned for, counted from 1970.
    """
    row = shelf.place[asset]
    expected = made.tomorrow.everywhere()
    density = expected * made.land.able / np.maximum(shelf.stored_bytes, 1.0)
    held, able = made.anywhere, made.land.able
    found = np.flatnonzero(made.places == row)
    boxes = [box.name for box, on in zip(made.boxes, made.on[:, found], strict=True) if on.any()]
    watched = density[held & ~shelf.manifests & (density > 0)]
    cut = float(watched.min()) if len(watched) else 0.0
    reasons = [reason for reason, barred in made.land.barred.items() if barred[row]]
    if held[row]:
        summary, title = shelf.assets[row], shelf.titles[int(shelf.families.title[row])]
        reason = why(summary, title, float(expected[row]), copies=len(boxes), boxes=len(made.boxes))
        if made.had[:, found].any() and density[row] < cut * (1 + 1e-9) and not shelf.manifests[row]:
            reason += "; it was here, and nothing would pay for driving it out"
    elif reasons:
        reason = ", ".join(reasons)
    elif density[row] == 0:
        reason = "nobody is expected to watch it, and newer assets took the room that is left"
    elif density[row] > cut:
        reason = "worth its space, but it does not fit, or the moves of the night are used up"
    else:
        reason = "others are worth more for their space"
    part = slice(row, row + 1)
    of = (expected[part], shelf.stored_bytes[part], is_new(shelf.released_at_ns[part], day))
    if not held[row]:
        intervals = _BACK_TEST
    low, high = intervals.of(*of)
    if not (held[row] or reasons) and density[row] < cut < high[0] / shelf.stored_bytes[row]:
        reason += "; but more may come than is expected, and then it would be worth its space"
    return Explained(
        site=made.site,
        boxes=boxes,
        why=reason,
        expected_bytes=int(expected[row]) if able[row] else 0,
        low_bytes=int(low[0]) if able[row] else 0,
        high_bytes=int(high[0]) if able[row] else 0,
        interval_learned=bool(intervals.learned[classes_of(*of)[0]]),
        bytes=shelf.assets[row].bytes,
        worth=float(density[row]),
        cut=cut,
        rank=int((density[able] > density[row]).sum()) + 1,
        of=int(able.sum()),
    )
