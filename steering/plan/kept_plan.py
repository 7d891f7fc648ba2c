"""A site's plan as it is kept: places in a list of names that a night's plans share, and a bit a box. Pure.

At the size of a large fleet a plan with names would be a hundred times the size, and take as long to write.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime

import msgspec
import numpy as np
from msgspec import Struct
from msgspec.structs import replace

from oca.common.digest import digest_hex
from oca.common.messages import FillPlan, PlannedAsset
from oca.common.units import format_bytes
from steering.plan.forecast import Bools, Ints
from steering.plan.shelf import Shelf
from steering.plan.site_plan import SitePlan
from steering.titles.catalogue import AssetSummary, Title


class KeptPlan(Struct, frozen=True, array_like=True):
    """``rows`` are 32-bit places among the names that ``names`` stands for, in the order of the plan; ``expected`` the
    bytes expected of each as 32-bit floats; ``on`` a bit for each box and row, boxes first.
    """

    made_at_ns: int
    names: str
    boxes: list[str]
    capacities: list[int]
    rows: bytes
    expected: bytes
    on: bytes

    def places(self) -> Ints:
        """Of what the site holds."""
        return np.frombuffer(self.rows, np.uint32).astype(np.int64)

    def held(self) -> Bools:
        """(boxes, places)."""
        count = len(self.rows) // 4
        bits = np.unpackbits(np.frombuffer(self.on, np.uint8), count=len(self.boxes) * count)
        return bits.reshape(len(self.boxes), count).astype(np.bool_)

    def of(self, appliance: str) -> Ints:
        """Places of what one box is to hold, in the order of the plan."""
        places: Ints = self.places()[self.held()[self.boxes.index(appliance)]]
        return places

    def boxes_with(self, place: int) -> list[str]:
        """The boxes that are to hold what has this place among the names; reads no more than their bits of it."""
        rows = np.flatnonzero(np.frombuffer(self.rows, np.uint32) == place).tolist()
        count = len(self.rows) // 4
        bits = [(box, number * count + row) for number, box in enumerate(self.boxes) for row in rows]
        return [box for box, bit in bits if self.on[bit // 8] >> (7 - bit % 8) & 1]


decode_plan = msgspec.msgpack.Decoder(KeptPlan).decode
encode_plan = msgspec.msgpack.Encoder().encode


def kept_plan(made: SitePlan, shelf: Shelf, capacities: Mapping[str, int], *, names: str, now_ns: int) -> KeptPlan:
    """A plan as it is to be kept; ``names`` stands for the shelf's."""
    order = made.in_order(shelf)
    places = made.places[order]
    return KeptPlan(
        now_ns,
        names,
        [box.name for box in made.boxes],
        [capacities[box.name] for box in made.boxes],
        places.astype(np.uint32).tobytes(),
        made.expected[order].astype(np.float32).tobytes(),
        np.packbits(made.on.take(order, axis=1)).tobytes(),
    )


def fill_plan(
    kept: KeptPlan,
    appliance: str,
    names: Sequence[str],
    published: Mapping[str, AssetSummary],
    titles: Mapping[str, Title],
) -> FillPlan:
    """One box's plan, as it is with what is published now: withdrawn assets left out, new revisions named."""
    held = kept.held()
    box = kept.boxes.index(appliance)
    copies, expected = held.sum(axis=0), np.frombuffer(kept.expected, np.float32).astype(np.float64)
    listed = []
    for row in np.flatnonzero(held[box]).tolist():
        place = int.from_bytes(kept.rows[4 * row : 4 * row + 4], "little")
        asset = published.get(names[place])
        title = titles.get(names[place].partition("/")[0])
        if asset is None or title is None:
            continue
        listed.append(
            PlannedAsset(
                asset=asset.asset,
                revision=asset.revision,
                bytes=asset.bytes,
                popularity=float(expected[row]) / max(1, asset.bytes),
                why=why(asset, title, float(expected[row]), copies=int(copies[row]), boxes=len(kept.boxes)),
                release_at_ns=title.released_at_ns if title.released_at_ns > kept.made_at_ns else 0,
            )
        )
    capacity = kept.capacities[box]
    return FillPlan(
        plan=plan_digest(appliance, capacity, listed),
        appliance=appliance,
        made_at_ns=kept.made_at_ns,
        capacity_bytes=capacity,
        assets=listed,
    )


def wanted_assets(
    kept: KeptPlan, appliance: str, names: Sequence[str], published: Mapping[str, AssetSummary]
) -> list[AssetSummary]:
    """What one box is to hold of what is published now, in the order of the names: a title's assets together."""
    places = np.sort(kept.of(appliance)).tolist()
    return [asset for place in places if (asset := published.get(names[place])) is not None]


def why(asset: AssetSummary, title: Title, expected_bytes: float, *, copies: int, boxes: int) -> str:
    """Why an asset is held: what is expected of it over its size, and on how many boxes."""
    if expected_bytes >= 1:
        reason = f"{format_bytes(expected_bytes)} a day expected here, over {format_bytes(asset.bytes)}"
    else:
        reason = f"not watched yet; released {datetime.fromtimestamp(title.released_at_ns / 1e9, tz=UTC):%Y-%m-%d}"
    if boxes > 1:
        reason += f"; on {copies} of {boxes} boxes"
    return f"manifests first: {reason}" if asset.kind == "manifests" else reason


def mark_urgent(plan: FillPlan, *, now_ns: int, ahead_s: float) -> FillPlan:
    """The plan as it is at ``now_ns``: urgent is what is released within ``ahead_s``, or was since it was made."""
    from_ns = now_ns + int(ahead_s * 1e9)
    assets = [replace(item, urgent=0 < item.release_at_ns <= from_ns) for item in plan.assets]
    return replace(plan, assets=assets)


def next_urgent_ns(plan: FillPlan, *, now_ns: int, ahead_s: float) -> int | None:
    """When ``mark_urgent`` will next mark more than at ``now_ns``; None: never."""
    ahead_ns = int(ahead_s * 1e9)
    later = [item.release_at_ns for item in plan.assets if item.release_at_ns > now_ns + ahead_ns]
    return min(later) - ahead_ns if later else None


def plan_digest(appliance: str, capacity_bytes: int, assets: list[PlannedAsset]) -> str:
    """Names a plan by what it asks for: the same wishes have the same digest, whenever they were made."""
    listed = "".join(f"{item.asset}\0{item.revision}\n" for item in assets)
    return digest_hex(f"{appliance}\0{capacity_bytes}\n{listed}".encode())
