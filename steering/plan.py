"""Tonight's fill plan for one appliance: greedy by popularity within its capacity. Pure; planner carries it out."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime

from msgspec.structs import replace

from oca.common.digest import digest_hex
from oca.common.messages import FillPlan, PlannedAsset
from oca.common.units import format_bytes
from steering.catalogue import AssetKind

FILLED_AHEAD_NS = 24 * 3600 * 10**9
MANIFESTS_RATIO_MAX = 0.05
_PACK_BYTES = 4096 + 64
_OBJECT_BYTES = 160


@dataclass(frozen=True, slots=True)
class Offer:
    """An asset that could be held, with the demand expected for it, in bytes per day."""

    asset: str
    kind: AssetKind
    revision: str
    bytes: int
    objects: int
    released_at_ns: int
    regions: tuple[str, ...]
    site_bytes_per_day: float
    fleet_bytes_per_day: float

    @property
    def popularity(self) -> float:
        """Expected bytes a day ÷ size."""
        return (self.site_bytes_per_day + self.fleet_bytes_per_day) / max(1, self.bytes)

    @property
    def stored_bytes(self) -> int:
        """What it takes in a store: the bytes, the pack's own pages and a row of its table per object."""
        return self.bytes + _PACK_BYTES + _OBJECT_BYTES * self.objects


def plan_appliance(
    appliance: str, offers: Iterable[Offer], *, capacity_bytes: int, fill_ratio: float, region: str, now_ns: int
) -> FillPlan:
    """Choose what an appliance should hold, best first.

    Manifests come first: they are small, and every viewer's first request is for one. Then what is watched, by
    popularity; then what nobody watched yet, the newest releases first. What does not fit is passed over, and
    smaller ones after it may still fit. Titles releasing within a day are filled ahead; rights hold.
    """
    eligible = [
        offer
        for offer in offers
        if offer.released_at_ns <= now_ns + FILLED_AHEAD_NS and (not offer.regions or region in offer.regions)
    ]
    room = int(capacity_bytes * fill_ratio)
    manifests_room = int(capacity_bytes * MANIFESTS_RATIO_MAX)
    chosen = []
    for offer in sorted(eligible, key=_order):
        if offer.stored_bytes > room or (offer.kind == "manifests" and offer.stored_bytes > manifests_room):
            continue
        room -= offer.stored_bytes
        manifests_room -= offer.stored_bytes if offer.kind == "manifests" else 0
        chosen.append(
            PlannedAsset(
                asset=offer.asset,
                revision=offer.revision,
                bytes=offer.bytes,
                popularity=offer.popularity,
                why=_why(offer),
                release_at_ns=offer.released_at_ns if offer.released_at_ns > now_ns else 0,
            )
        )
    return FillPlan(
        plan=plan_digest(appliance, capacity_bytes, chosen),
        appliance=appliance,
        made_at_ns=now_ns,
        capacity_bytes=capacity_bytes,
        assets=chosen,
    )


def mark_urgent(plan: FillPlan, *, now_ns: int, ahead_s: float) -> FillPlan:
    """The plan as it is at ``now_ns``: urgent is what is released within ``ahead_s``, or was since it was made."""
    from_ns = now_ns + int(ahead_s * 1e9)
    assets = [replace(item, urgent=0 < item.release_at_ns <= from_ns) for item in plan.assets]
    return replace(plan, assets=assets)


def plan_digest(appliance: str, capacity_bytes: int, assets: list[PlannedAsset]) -> str:
    """Names a plan by what it asks for: the same wishes have the same digest, whenever they were made."""
    listed = "".join(f"{item.asset}\0{item.revision}\n" for item in assets)
    return digest_hex(f"{appliance}\0{capacity_bytes}\n{listed}".encode())


def _order(offer: Offer) -> tuple[int, float, int, int, str]:
    popularity = offer.popularity
    group = 0 if offer.kind == "manifests" else 1 if popularity > 0 else 2
    return (group, -popularity, -offer.released_at_ns, offer.bytes, offer.asset)


def _why(offer: Offer) -> str:
    if offer.popularity > 0:
        here, fleet = format_bytes(offer.site_bytes_per_day), format_bytes(offer.fleet_bytes_per_day)
        reason = f"{here} a day expected here, {fleet} by the fleet's taste, over {format_bytes(offer.bytes)}"
    else:
        released = datetime.fromtimestamp(offer.released_at_ns / 1e9, tz=UTC)
        reason = f"not watched yet; released {released:%Y-%m-%d}"
    return f"manifests first: {reason}" if offer.kind == "manifests" else reason
