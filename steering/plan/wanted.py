"""What viewers asked boxes for and were not sent, as demand of the assets that have it, and how much of it is believed.

A request that is not served costs a stranger a hundred bytes and stands for megabytes. So a batch's requests count
together for no more than its box could have sent in the batch's span.
"""

from __future__ import annotations

from collections.abc import Mapping

from msgspec.structs import replace

from oca.common.messages import DemandBatch, WantedObject
from steering.plan.counted import NOTHING, Counted
from steering.plan.demand import ITEM_MAX, Wanted
from steering.state.store import StateReader
from steering.titles.catalogue import AssetSummary

REQUESTS_MAX = 2**30
"""Of one object in one batch."""
EGRESS_BITS_PER_S = 10**11
"""Of a box whose egress is not known."""
SPAN_NS_MIN = 10**9
_TOLD = ("missed_bytes", "redirected_bytes", "fetched_bytes", "turned_away_bytes")


def wanted_assets(
    state: StateReader, batch: DemandBatch, known: Mapping[str, AssetSummary], *, egress_bits_per_s: int
) -> Wanted:
    """Look up what a batch names.

    Args:
        state: Of one moment, as there are thousands to look up.
        batch: As it came.
        known: What is published.
        egress_bits_per_s: Of the box; 0: not known.
    """
    found: dict[str, Counted] = {}
    unknown = absurd = objects = 0
    for item in batch.wanted:
        named = state.get(f"object{item.path}")
        asset = named.decode() if named is not None else ""
        if asset not in known:
            unknown += 1
            continue
        counted = of_object(item, known[asset].bytes // max(known[asset].objects, 1))
        if counted is None:
            absurd += 1
            continue
        objects += 1
        found[asset] = found.get(asset, NOTHING).plus(counted)
    span_ns = max(batch.ended_at_ns - batch.started_at_ns, SPAN_NS_MIN)
    most = min((egress_bits_per_s or EGRESS_BITS_PER_S) * span_ns // (8 * 10**9), ITEM_MAX)
    told = sum(sum(getattr(each, name) for name in _TOLD) for each in found.values())
    if told <= most:
        return Wanted(found, unknown, absurd)
    return Wanted({asset: cut(each, most, told) for asset, each in found.items()}, unknown, absurd + objects)


def of_object(item: WantedObject, mean_bytes: int) -> Counted | None:
    """What one object's requests come to; None: the numbers cannot be.

    What was fetched is known. Of the others each counts as an object of the asset's mean size, and what asked for a
    part as no more than that part: an asset may be one file, of which a player takes a few seconds at a time.
    """
    not_held = item.missed + item.redirected
    fetched_bytes, ranges, range_bytes = item.sizes or (item.fetched * mean_bytes, 0, 0)  # as boxes of before told it
    away, away_ranges, away_range_bytes = item.turned_away or (0, 0, 0)
    if max(item.missed, item.redirected, item.fetched, away) > REQUESTS_MAX or ranges > not_held or away_ranges > away:
        return None
    not_held_bytes = (not_held - ranges) * mean_bytes + min(range_bytes, ranges * mean_bytes)
    away_bytes = (away - away_ranges) * mean_bytes + min(away_range_bytes, away_ranges * mean_bytes)
    if not_held_bytes + fetched_bytes + away_bytes > ITEM_MAX:
        return None
    missed_bytes = not_held_bytes * item.missed // max(not_held, 1)
    return Counted(
        missed=item.missed,
        missed_bytes=missed_bytes,
        redirected=item.redirected,
        redirected_bytes=not_held_bytes - missed_bytes,
        fetched=item.fetched,
        fetched_bytes=fetched_bytes,
        turned_away=away,
        turned_away_bytes=away_bytes,
    )


def cut(counted: Counted, most: int, told: int) -> Counted:
    """The same requests, with ``most`` bytes in ``told``."""
    return replace(counted, **{name: getattr(counted, name) * most // told for name in _TOLD})
