"""On which boxes of a cluster its assets lie: copies by demand, boxes by weighted rendezvous. Pure.

Rendezvous hashing (Thaler and Ravishankar, 1998) ranks the boxes for each asset by a hash of both; here the smallest
``-ln(hash) / space`` comes first. A box that joins or leaves moves its own share and nothing else.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from steering.best_first import best_first

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Bools = NDArray[np.bool_]
Hashes = NDArray[np.uint64]
PEAK_TO_MEAN = 2.0
"""Of a day's traffic; 1.84 in the curve of one US metro."""
COPY_RATE_MAX = 0.5
"""Part of a box's throughput that one copy of one asset may need at the peak."""


@dataclass(frozen=True, slots=True)
class Box:
    """One appliance. ``rate_bytes_per_s`` is infinite where it is not known."""

    name: str
    hash: int
    space_bytes: float
    rate_bytes_per_s: float = np.inf


def copies_wanted(
    expected_bytes: Floats,
    boxes: Sequence[Box],
    *,
    hot_share: float,
    total_bytes: float | None = None,
    among: int | None = None,
) -> Ints:
    """How many boxes should hold each asset: two for the hottest, more where the peak would take too much of one box.

    Args:
        expected_bytes: Tomorrow's, by asset; the most watched are among them.
        boxes: Of the cluster.
        hot_share: The most watched assets that together make up this part of the expected bytes survive any one box.
        total_bytes: Expected in all; None: of these assets.
        among: How many assets share that; None: these.
    """
    total = float(expected_bytes.sum()) if total_bytes is None else total_bytes
    # No asset with less than this part of an even share can be among the hottest: those above it already have enough.
    leading = np.flatnonzero(expected_bytes >= (1 - hot_share) * total / max(among or len(expected_bytes), 1))
    order = leading[best_first(expected_bytes[leading])]
    before = np.cumsum(expected_bytes[order]) - expected_bytes[order]
    hot = np.zeros(len(expected_bytes), np.bool_)
    hot[order] = (before < hot_share * total) & (expected_bytes[order] > 0)
    rate = min((box.rate_bytes_per_s for box in boxes), default=np.inf)
    by_rate = np.ceil(peak_rate(expected_bytes) / (COPY_RATE_MAX * rate))
    wanted: Ints = np.clip(np.maximum(1 + hot, by_rate), 1, max(len(boxes), 1)).astype(np.int64)
    return wanted


def peak_rate(expected_bytes: Floats) -> Floats:
    """Bytes a second in the peak hour of a day with these bytes."""
    return expected_bytes / 86400 * PEAK_TO_MEAN


def place(
    chosen: Bools, expected_bytes: Floats, size_bytes: Floats, *, copies: Ints, hashes: Hashes, boxes: Sequence[Box]
) -> Bools:
    """Put copies of the chosen assets on boxes, those with most bytes a stored byte first.

    Args:
        chosen: By asset, whether the cluster is to hold it.
        expected_bytes: Tomorrow's, by asset.
        size_bytes: Room that a copy takes.
        copies: Wanted of each.
        hashes: Of the assets' names.
        boxes: Of the cluster; their space and throughput are never exceeded. A copy is reckoned to serve its part of
            the copies that are wanted, or all of it where not all of them find a place.

    Returns:
        (boxes, assets). What finds no room or throughput anywhere is on none. Space that is left takes further copies,
        the most watched first.
    """
    assets = np.flatnonzero(chosen)
    density = expected_bytes[assets] / np.maximum(size_bytes[assets], 1.0)
    assets = assets[best_first(density)]
    size, rate = size_bytes[assets], peak_rate(expected_bytes[assets])
    asked = copies[assets]
    draws = drawn(hashes[assets], boxes)
    on = _settle(np.zeros((len(boxes), len(assets)), np.bool_), asked, size, rate / asked, draws=draws, boxes=boxes)
    # A copy that must serve for others too would be asked for more than was reckoned: all that were wanted, or one.
    short = on.sum(axis=0) < asked
    on[:, short] = False
    served = np.where(short, rate, rate / asked)
    on = _settle(on, np.where(short, 1, 0), size, served, draws=draws, boxes=boxes)
    # Each box takes of what ranks it next until one does not fit, so that what stands far behind has no chance.
    spare = sum(box.space_bytes for box in boxes) - float(on.sum(axis=0) @ size)
    has_chance = np.cumsum(size) <= 2 * len(boxes) * spare
    further = np.where(on.any(axis=0) & has_chance, len(boxes) - on.sum(axis=0), 0)
    on = _settle(on, further, size, served, draws=draws, boxes=boxes)
    held = np.zeros((len(boxes), len(chosen)), np.bool_)
    held[:, assets] = on
    return held


def _settle(on: Bools, wanted: Ints, size: Floats, rate: Floats, *, draws: Floats, boxes: Sequence[Box]) -> Bools:
    """Put ``wanted`` more copies of each asset, best first, on the boxes that it ranks highest and that have room."""
    on, wanted = on.copy(), wanted.copy()
    room = np.array([box.space_bytes for box in boxes]) - on @ size
    pace = np.array([box.rate_bytes_per_s for box in boxes]) - on @ rate
    sizes_least = float(size.min(initial=np.inf))
    asking = np.flatnonzero(wanted > 0)
    first = draws[asking].argmin(axis=1) if len(boxes) else asking
    for choice in range(len(boxes)):
        if choice == 1:
            left = wanted[asking] > 0
            asking = asking[left]
            ranks = np.argsort(draws[asking], axis=1, kind="stable")
        chosen = ranks[:, choice] if choice else first
        for box in range(len(boxes)):
            if room[box] < sizes_least:
                continue
            mine = asking[chosen == box]
            mine = mine[(wanted[mine] > 0) & ~on[box, mine]]
            fits = (np.cumsum(size[mine]) <= room[box]) & (np.cumsum(rate[mine]) <= pace[box])
            taken = mine[fits]
            on[box, taken] = True
            wanted[taken] -= 1
            room[box] -= size[taken].sum()
            pace[box] -= rate[taken].sum()
    return on


def drawn(hashes: Hashes, boxes: Sequence[Box]) -> Floats:
    """What each box draws for each asset: (assets, boxes). The least is the first choice, and so on; a box is chosen as
    often as its space is large.
    """
    weights = np.array([max(box.space_bytes, 1.0) for box in boxes])
    seeds = np.array([box.hash for box in boxes], np.uint64)
    mixed = _mix(hashes[:, None] ^ _mix(seeds)[None])
    even = (mixed >> np.uint64(11)).astype(np.float64) * 2.0**-53 + 2.0**-54
    draws: Floats = -np.log(even) / weights
    return draws


def _mix(value: Hashes) -> Hashes:
    """Finaliser of SplitMix64 (Steele, Lea and Flood, 2014)."""
    value = (value ^ (value >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    value = (value ^ (value >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    mixed: Hashes = value ^ (value >> np.uint64(31))
    return mixed
