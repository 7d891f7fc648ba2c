"""Why a plan holds an asset at a site, or does not. Pure."""

from __future__ import annotations

import numpy as np
from msgspec import Struct

from steering.kept_plan import why
from steering.plan import SitePlan
from steering.shelf import Shelf


class Explained(Struct, frozen=True):
    """One asset at one site. ``worth`` and ``cut`` are expected bytes a day per stored byte.

    ``cut`` is the least of all that is held and watched; ``rank`` counts from 1 among ``of`` assets that may be here.
    """

    site: str
    boxes: list[str]
    why: str
    expected_bytes: int
    bytes: int
    worth: float
    cut: float
    rank: int
    of: int


def explain_asset(shelf: Shelf, made: SitePlan, asset: str) -> Explained:
    """Where it would lie, and what decided that.

    Args:
        shelf: The catalogue that the plan was made from; the asset is in it.
        made: The plan.
        asset: Its name.
    """
    row = shelf.place[asset]
    density = made.expected * made.land.able / np.maximum(shelf.stored_bytes, 1.0)
    held, able = made.anywhere, made.land.able
    found = np.flatnonzero(made.places == row)
    boxes = [box.name for box, on in zip(made.boxes, made.on[:, found], strict=True) if on.any()]
    watched = density[held & ~shelf.manifests & (density > 0)]
    cut = float(watched.min()) if len(watched) else 0.0
    reasons = [reason for reason, barred in made.land.barred.items() if barred[row]]
    if held[row]:
        summary, title = shelf.assets[row], shelf.titles[int(shelf.families.title[row])]
        reason = why(summary, title, float(made.expected[row]), copies=len(boxes), boxes=len(made.boxes))
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
    return Explained(
        site=made.site,
        boxes=boxes,
        why=reason,
        expected_bytes=int(made.expected[row]) if able[row] else 0,
        bytes=shelf.assets[row].bytes,
        worth=float(density[row]),
        cut=cut,
        rank=int((density[able] > density[row]).sum()) + 1,
        of=int(able.sum()),
    )
