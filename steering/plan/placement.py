"""On which boxes of a cluster its assets lie: copies by demand, boxes by weighted rendezvous. Pure.

An asset stays where it lies as long as it can, and takes of the other boxes the first by rank.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from heapq import heapify, heappop, heappush

import numpy as np
from numpy.typing import NDArray

from steering.plan.best_first import best_first, cut, steps_of
from steering.plan.placing import Placing
from steering.plan.rendezvous import drawn, staying
from steering.plan.shifts import shifting

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Bools = NDArray[np.bool_]
Hashes = NDArray[np.uint64]
PEAK_TO_MEAN = 2.0
"""Of a day's traffic; 1.84 in the curve of one US metro."""
_AND_ROUNDING = 1 + 1e-9
BESIDE_RATIO_MAX = 0.01
INSTEAD_MAX = 64
"""Assets that are looked at for the room of those that found none."""
GIVING_WAY_MAX = 2_000
"""Assets that room is made for, and that leave for it, in one plan: a bound of the work, far above what sites need."""
STAYING_RATE_MAX = 0.8
"""Part of a box's throughput up to which assets stay where they lie though something lacks throughput; beyond, they are
then put as if they lay nowhere: what comes back when less is asked lies where it lay."""
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
) -> Ints:
    """How many boxes should hold each asset: two for the hottest, more where the peak would take too much of one box.

    Args:
        expected_bytes: Tomorrow's, by asset; the most watched are among them.
        boxes: Of the cluster.
        hot_share: The most watched assets that together make up this part of the expected bytes survive any one box.
        total_bytes: Expected in all; None: of these assets.
    """
    total = float(expected_bytes.sum()) if total_bytes is None else total_bytes
    # Only these can be among the hottest: those above the last step of them already have enough.
    steps = steps_of(expected_bytes)
    leading = np.flatnonzero(steps >= max(cut(steps, expected_bytes, hot_share * total * _AND_ROUNDING), 0))
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


def room_beside(size_bytes: Floats, boxes: Sequence[Box]) -> Floats:
    """Room that choosing leaves beside each asset, so that some box has room for it however the others lie.

    An asset finds no place only if every box has less left than its size: while as much as that in each of the others
    is left beside it, one has. Where assets are large beside boxes that would leave much of them empty: it ends at
    ``BESIDE_RATIO_MAX`` of the space. Both grow less than the space does, so that more space never means fewer assets.
    """
    most = BESIDE_RATIO_MAX * sum(box.space_bytes for box in boxes)
    beside: Floats = np.minimum(max(len(boxes) - 1, 0) * size_bytes, max(most, 0.0))
    return beside


def place(
    chosen: Bools,
    worth_bytes: Floats,
    size_bytes: Floats,
    *,
    copies: Ints,
    hashes: Hashes,
    boxes: Sequence[Box],
    expected_bytes: Floats | None = None,
    had: Bools | None = None,
    moves_max_bytes: float = np.inf,
    shifts_max_bytes: float = np.inf,
) -> Bools:
    """Put copies of the chosen assets on boxes, those with most bytes a stored byte first.

    Args:
        chosen: By asset, whether the cluster is to hold it.
        worth_bytes: What each counts for: bytes of tomorrow, more where it is pinned.
        size_bytes: Room that a copy takes.
        copies: Wanted of each.
        hashes: Of the assets' names.
        boxes: Of the cluster; their space and throughput are never exceeded. A copy is reckoned to serve its part of
            the copies that are wanted, or all of it where not all of them find a place.
        expected_bytes: Tomorrow's, which takes throughput; None: what each counts for.
        had: (boxes, assets). What lies on a box stays there, as far as it can; None: nothing lies anywhere.
        moves_max_bytes: Most to bring in that the site did not have; others in the stead of what was chosen keep to it.
        shifts_max_bytes: Most to have go to a box that came short of its share: see ``shifts``.

    Returns:
        (boxes, assets). What finds no room or throughput anywhere is on none; others, the best that fit, are in the
        stead of what finds no room. Space that is left takes further copies, the most watched first.
    """
    held = np.zeros((len(boxes), len(chosen)), np.bool_)
    had = held.copy() if had is None else had
    expected_bytes = worth_bytes if expected_bytes is None else expected_bytes
    assets = np.flatnonzero(chosen)
    density = worth_bytes.take(assets) / np.maximum(size_bytes.take(assets), 1.0)
    assets = assets.take(best_first(density, guess=np.arange(len(assets))))
    size, rate = size_bytes.take(assets), peak_rate(expected_bytes.take(assets))
    asked = copies.take(assets)
    draws, there = drawn(hashes.take(assets), boxes), had.take(assets, axis=1)
    placing = _settled(boxes, size, rate, draws, there, asked=asked, shifts_max_bytes=shifts_max_bytes)
    on = placing.on
    served = _alone(placing, rate, asked)
    room_lost = float(size[_find_room(placing, served)].sum())
    if room_lost:
        left = moves_max_bytes - float(size[on.any(axis=0) & ~there.any(axis=0)].sum())
        others = _instead(chosen, worth_bytes, size_bytes, had)
        lay, room = had[:, others], size_bytes[others]
        instead = Placing(boxes, room, staying(drawn(hashes[others], boxes), lay))
        instead.room, instead.pace = placing.room, placing.pace
        moves = np.where(lay.any(axis=0), 0.0, room)
        instead.put_some(peak_rate(expected_bytes[others]), moves, room_bytes=room_lost, moves_max_bytes=left)
        held[:, others] = instead.on
    placing.draws = draws
    _add_copies(placing, size, served)
    for row, found in zip(held, on, strict=True):
        row[assets] = found
    return held


def _settled(
    boxes: Sequence[Box],
    size: Floats,
    rate: Floats,
    draws: Floats,
    there: Bools,
    *,
    asked: Ints,
    shifts_max_bytes: float,
) -> Placing:
    """Put what lies there and can stay, and then what is new where room is left: else it would drive others about."""
    stays, share = staying(draws, there, shifting(draws, there, size, boxes, bytes_max=shifts_max_bytes)), rate / asked
    placing = Placing(boxes, size, stays)
    placing.settle(np.minimum(asked, there.sum(axis=0)), share)
    placing.settle(asked - placing.on.sum(axis=0), share)
    if there.any() and placing.lacks_pace(share):  # then the best come first everywhere
        placing = Placing(boxes, size, stays if _is_calm(float(rate.sum()), boxes) else draws)
        placing.settle(asked, share)
    return placing


def _alone(placing: Placing, rate: Floats, asked: Ints) -> Floats:
    """Have one copy alone of what did not get all that were wanted; what a copy of each is asked for.

    One that must serve for others too would be asked for more than was reckoned.
    """
    short, share = placing.on.sum(axis=0) < asked, rate / asked
    if not short.any():
        return share
    served: Floats = np.where(short, rate, share)
    placing.take_back(short, share)
    placing.settle(short.astype(np.int64), served)
    return served


def _add_copies(placing: Placing, size: Floats, rate: Floats) -> None:
    """Fill what is left with further copies, by rank wherever they lay: else one would go back and forth among boxes.

    Each box takes of what ranks it next until one does not fit, so that what stands far behind has no chance.
    """
    further, count_max = np.zeros(len(size), np.int64), len(placing.on)
    chance = slice(int(np.searchsorted(np.cumsum(size), 2 * count_max * float(placing.room.sum()), side="right")))
    count = placing.on[:, chance].sum(axis=0)
    further[chance] = np.where(count, count_max - count, 0)
    placing.settle(further, rate)


def _is_calm(rate: float, boxes: Sequence[Box]) -> bool:
    """Whether no box comes near its throughput by the part of the rate that its part of the space draws."""
    space = sum(box.space_bytes for box in boxes)
    return all(rate * box.space_bytes <= STAYING_RATE_MAX * box.rate_bytes_per_s * max(space, 1.0) for box in boxes)


def _instead(chosen: Bools, worth_bytes: Floats, size_bytes: Floats, had: Bools) -> Ints:
    """The assets best for their room that were not chosen, first of all those that the site had."""
    others = np.flatnonzero(~chosen & (worth_bytes > 0))
    density = worth_bytes[others] / np.maximum(size_bytes[others], 1.0)
    before = np.where(had[:, others].any(axis=0), density.max(initial=0.0), 0.0)
    return others[best_first(density + before)][:INSTEAD_MAX]


def _find_room(placing: Placing, rate: Floats) -> list[int]:
    """Put assets that are on no box where there is room, or where worse ones give way; the ones left without room.

    Those that miss throughput stay out, and worse ones stay in: they would leave much room to gain little throughput.
    """
    missing = np.flatnonzero(~placing.on.any(axis=0))
    if placing.lacks_pace(rate):
        missing = missing[~placing.with_room(missing).any(axis=0)]
    waiting: list[int] = missing.tolist()
    heapify(waiting)
    lost, work = [], 0
    while waiting:
        row = heappop(waiting)
        if placing.put(row, float(rate[row])):
            continue
        leaving = placing.give_way(row, rate) if work < GIVING_WAY_MAX else []
        work += 1 + len(leaving)
        if leaving:
            placing.put(row, float(rate[row]))
            for each in leaving:
                heappush(waiting, each)
        else:
            lost.append(row)
    return lost
