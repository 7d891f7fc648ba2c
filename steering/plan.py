"""Tonight's fill plans of one site: what it holds, on which boxes, and why. Pure; planner carries them out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime

import numpy as np
from msgspec.structs import replace

from oca.common.digest import digest_hex
from oca.common.messages import FillPlan, PlannedAsset
from oca.common.units import format_bytes
from steering.forecast import Bools, Floats, Ints
from steering.placement import Box, copies_wanted, place
from steering.selection import choose
from steering.shelf import Shelf

FILLED_AHEAD_NS = 24 * 3600 * 10**9
MANIFESTS_RATIO_MAX = 0.05
_UNWATCHED = 1e-9
"""Expected bytes per stored byte of the newest asset that nobody is expected to watch: room that is left takes it."""
_PINNED = 1e9
"""Of one that is pinned: before everything that is watched."""
MISSED_SHOWN = 5


@dataclass(frozen=True, slots=True)
class Terms:
    """What the operator asks of plans; see ``settings.PlanTable``."""

    payback_days: float = 2.0
    moves_max_bytes: float = np.inf
    hot_share: float = 0.2
    whole_ladders: bool = False
    pinned: Sequence[str] = ()
    banned: Sequence[str] = ()


@dataclass(slots=True)
class SitePlan:
    """What a site is to hold. ``held`` is (boxes, assets), ``expected`` by asset in bytes, tomorrow's."""

    site: str
    boxes: Sequence[Box]
    plans: dict[str, FillPlan]
    held: Bools
    before: Bools
    expected: Floats
    copies: Ints
    barred: dict[str, Bools] = field(default_factory=dict)
    """Why an asset may not be held here, by asset."""

    @property
    def able(self) -> Bools:
        """Whether an asset may be held here at all, by asset."""
        return ~_any(self.barred, len(self.expected))

    @property
    def anywhere(self) -> Bools:
        """Whether an asset lies on any box, by asset."""
        found: Bools = np.any(self.held, axis=0)
        return found

    @property
    def hit_ratio(self) -> float:
        """Part of tomorrow's expected bytes that the site holds; 0 where nothing is expected."""
        return float(self.expected[self.anywhere].sum()) / max(float(self.expected.sum()), 1e-12)

    def moved_bytes(self, shelf: Shelf) -> float:
        """What the boxes have to bring in."""
        return float(((self.held & ~self.before) * shelf.stored_bytes).sum())

    def just_missed(self, shelf: Shelf) -> list[int]:
        """The assets that would come next: those most worth their space of all that may be here and are not."""
        density = self.expected / np.maximum(shelf.stored_bytes, 1.0)
        out = np.flatnonzero(~self.anywhere & self.able & (density > 0))
        return [int(row) for row in out[np.argsort(-density[out], kind="stable")][:MISSED_SHOWN]]


def plan_site(
    site: str,
    boxes: Sequence[Box],
    shelf: Shelf,
    expected: Floats,
    *,
    region: str,
    held: Mapping[str, Sequence[str]],
    terms: Terms,
    capacities: Mapping[str, int],
    now_ns: int,
) -> SitePlan:
    """Choose what a site's boxes should hold.

    Manifests lie on every box: they are small, and every viewer's first request is for one. The rest is chosen by
    expected bytes per stored byte. What comes out within a day is filled ahead; what nobody is expected to watch takes
    room that is left, the newest first.

    Args:
        site: Its name.
        boxes: Its appliances whose capacity is known, with the space that plans may fill.
        shelf: The catalogue.
        expected: Tomorrow's bytes at this site, by asset.
        region: Where it is, for rights.
        held: Appliance → assets that the last plan gave it; what it does not name, it does not hold.
        terms: The operator's.
        capacities: Of the appliances, as reported; told in their plans.
        now_ns: When the plan is made.
    """
    barred = {
        "not out yet": shelf.released_at_ns > now_ns + FILLED_AHEAD_NS,
        "no rights here": ~shelf.may_lie_in(region, until_ns=2**62),
        "banned": shelf.named(terms.banned),
    }
    able = ~_any(barred, len(expected))
    before = np.array([_rows(shelf, held.get(box.name, ())) for box in boxes]).reshape(len(boxes), len(expected))
    on, left = _manifests(shelf, expected, able, boxes)
    worth = _worth(shelf, expected, able & ~shelf.manifests, terms)
    copies = copies_wanted(np.where(able & ~shelf.manifests, expected, 0.0), left, hot_share=terms.hot_share)
    kept = before.any(axis=0) & able & ~shelf.manifests
    chosen = choose(
        worth,
        shelf.stored_bytes * copies,
        capacity_bytes=sum(box.space_bytes for box in left),
        held=kept if kept.any() else None,
        payback_days=terms.payback_days,
        moves_max_bytes=terms.moves_max_bytes,
    )
    on |= place(chosen, worth, shelf.stored_bytes, copies=copies, hashes=shelf.hashes, boxes=left)
    made = SitePlan(site, boxes, {}, on, before, np.where(able, expected, 0.0), on.sum(axis=0), barred)
    for box, row in zip(boxes, on, strict=True):
        made.plans[box.name] = _fill_plan(
            box.name, capacities[box.name], shelf, made, _in_order(shelf, worth, row), now_ns=now_ns
        )
    return made


def _any(masks: Mapping[str, Bools], count: int) -> Bools:
    found: Bools = np.any([*masks.values(), np.zeros(count, np.bool_)], axis=0)
    return found


def _rows(shelf: Shelf, assets: Sequence[str]) -> Bools:
    rows = np.zeros(len(shelf.assets), np.bool_)
    rows[[shelf.place[asset] for asset in assets if asset in shelf.place]] = True
    return rows


def _manifests(shelf: Shelf, expected: Floats, able: Bools, boxes: Sequence[Box]) -> tuple[Bools, list[Box]]:
    """Manifests on each box, a small part of its space at most; and the boxes with what is left of theirs."""
    on = np.zeros((len(boxes), len(expected)), np.bool_)
    left = []
    worth = np.where(able & shelf.manifests, np.maximum(expected, _newest(shelf) * shelf.stored_bytes), 0.0)
    for row, box in enumerate(boxes):
        on[row] = choose(worth, shelf.stored_bytes, capacity_bytes=MANIFESTS_RATIO_MAX * box.space_bytes)
        space = box.space_bytes - float(shelf.stored_bytes[on[row]].sum())
        left.append(Box(box.name, box.hash, space, box.rate_bytes_per_s))
    return on, left


def _newest(shelf: Shelf) -> Floats:
    """Little, and more for what came out later: 0 to ``_UNWATCHED``."""
    order = np.unique(shelf.released_at_ns, return_inverse=True)[1]
    return _UNWATCHED * (order + 1.0) / max(len(order), 1)


def _worth(shelf: Shelf, expected: Floats, able: Bools, terms: Terms) -> Floats:
    """What choosing goes by: expected bytes, of whole ladders if so wished; pins before, the unwatched behind."""
    worth = expected
    if terms.whole_ladders:
        titles, size = shelf.families.title, shelf.stored_bytes
        counted = np.where(able, size, 0.0)
        by_title = np.bincount(titles, weights=np.where(able, expected, 0.0), minlength=shelf.families.titles)
        sizes = np.bincount(titles, weights=counted, minlength=shelf.families.titles)
        worth = (by_title / np.maximum(sizes, 1.0))[titles] * size
    worth = np.maximum(worth, _newest(shelf) * shelf.stored_bytes)
    worth = np.where(shelf.named(terms.pinned), worth + _PINNED * shelf.stored_bytes, worth)
    return np.where(able, worth, 0.0)


def _in_order(shelf: Shelf, worth: Floats, held: Bools) -> Ints:
    """What is held, manifests first, then by worth per stored byte."""
    rows = np.flatnonzero(held)
    density = np.where(shelf.manifests, np.inf, worth / np.maximum(shelf.stored_bytes, 1.0))[rows]
    ordered: Ints = rows[np.argsort(-density, kind="stable")]
    return ordered


def _fill_plan(
    appliance: str, capacity_bytes: int, shelf: Shelf, made: SitePlan, rows: Ints, *, now_ns: int
) -> FillPlan:
    listed = [
        PlannedAsset(
            asset=shelf.assets[row].asset,
            revision=shelf.assets[row].revision,
            bytes=shelf.assets[row].bytes,
            popularity=float(made.expected[row]) / max(1, shelf.assets[row].bytes),
            why=why(shelf, made, row),
            release_at_ns=released if (released := int(shelf.released_at_ns[row])) > now_ns else 0,
        )
        for row in rows.tolist()
    ]
    return FillPlan(
        plan=plan_digest(appliance, capacity_bytes, listed),
        appliance=appliance,
        made_at_ns=now_ns,
        capacity_bytes=capacity_bytes,
        assets=listed,
    )


def why(shelf: Shelf, made: SitePlan, row: int) -> str:
    """Why an asset is held: what is expected of it over its size, and on how many boxes."""
    asset, expected = shelf.assets[row], float(made.expected[row])
    if expected >= 1:
        reason = f"{format_bytes(expected)} a day expected here, over {format_bytes(asset.bytes)}"
    else:
        released = datetime.fromtimestamp(int(shelf.released_at_ns[row]) / 1e9, tz=UTC)
        reason = f"not watched yet; released {released:%Y-%m-%d}"
    if len(made.boxes) > 1:
        reason += f"; on {int(made.copies[row])} of {len(made.boxes)} boxes"
    return f"manifests first: {reason}" if shelf.manifests[row] else reason


def mark_urgent(plan: FillPlan, *, now_ns: int, ahead_s: float) -> FillPlan:
    """The plan as it is at ``now_ns``: urgent is what is released within ``ahead_s``, or was since it was made."""
    from_ns = now_ns + int(ahead_s * 1e9)
    assets = [replace(item, urgent=0 < item.release_at_ns <= from_ns) for item in plan.assets]
    return replace(plan, assets=assets)


def plan_digest(appliance: str, capacity_bytes: int, assets: list[PlannedAsset]) -> str:
    """Names a plan by what it asks for: the same wishes have the same digest, whenever they were made."""
    listed = "".join(f"{item.asset}\0{item.revision}\n" for item in assets)
    return digest_hex(f"{appliance}\0{capacity_bytes}\n{listed}".encode())
