"""Why a plan holds an asset at a site, or does not. Pure."""

from __future__ import annotations

import numpy as np
from msgspec import Struct

from steering.plan import SitePlan, why
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
    density = made.expected / np.maximum(shelf.stored_bytes, 1.0)
    held = made.anywhere
    watched = density[held & ~shelf.manifests & (density > 0)]
    cut = float(watched.min()) if len(watched) else 0.0
    reasons = [reason for reason, barred in made.barred.items() if barred[row]]
    if held[row]:
        reason = why(shelf, made, row)
        if made.before[:, row].any() and density[row] < cut * (1 + 1e-9) and not shelf.manifests[row]:
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
        boxes=[box.name for box, there in zip(made.boxes, made.held[:, row], strict=True) if there],
        why=reason,
        expected_bytes=int(made.expected[row]),
        bytes=shelf.assets[row].bytes,
        worth=float(density[row]),
        cut=cut,
        rank=int((density[made.able] > density[row]).sum()) + 1,
        of=int(made.able.sum()),
    )
