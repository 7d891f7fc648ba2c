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
from steering.plan.rendezvous import drawn, least, staying

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
"""Part of a box's throughput up to which assets stay where they lie; beyond, they are spread as if they lay nowhere."""
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
    expected_bytes: Floats,
    size_bytes: Floats,
    *,
    copies: Ints,
    hashes: Hashes,
    boxes: Sequence[Box],
    had: Bools | None = None,
    moves_max_bytes: float = np.inf,
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
        had: (boxes, assets). What lies on a box stays there, as far as it can; None: nothing lies anywhere.
        moves_max_bytes: Most to bring in that the site did not have; others in the stead of what was chosen keep to it.

    Returns:
        (boxes, assets). What finds no room or throughput anywhere is on none; others, the best that fit, are in the
        stead of what finds no room. Space that is left takes further copies, the most watched first.
    """
    held = np.zeros((len(boxes), len(chosen)), np.bool_)
    had = held.copy() if had is None else had
    assets = np.flatnonzero(chosen)
    density = expected_bytes.take(assets) / np.maximum(size_bytes.take(assets), 1.0)
    assets = assets.take(best_first(density, guess=np.arange(len(assets))))
    size, rate = size_bytes.take(assets), peak_rate(expected_bytes.take(assets))
    asked = copies.take(assets)
    share = rate / asked
    draws, had_here = drawn(hashes.take(assets), boxes), had.take(assets, axis=1)
    placing = _Placing(boxes, size, staying(draws, had_here) if _is_calm(float(rate.sum()), boxes) else draws)
    placing.settle(asked, share)
    on = placing.on
    # A copy that must serve for others too would be asked for more than was reckoned: all that were wanted, or one.
    short = on.sum(axis=0) < asked
    served = share
    if short.any():
        served = np.where(short, rate, share)
        placing.take_back(short, share)
        placing.settle(short.astype(np.int64), served)
    room_lost = float(size[_find_room(placing, served)].sum())
    if room_lost:
        left = moves_max_bytes - float(size[on.any(axis=0) & ~had_here.any(axis=0)].sum())
        others = _instead(chosen, expected_bytes, size_bytes, had)
        there = _Placing(boxes, size_bytes[others], staying(drawn(hashes[others], boxes), had[:, others]))
        there.room, there.pace = placing.room, placing.pace
        moves = np.where(had[:, others].any(axis=0), 0.0, size_bytes[others])
        there.put_some(peak_rate(expected_bytes[others]), moves, room_bytes=room_lost, moves_max_bytes=left)
        held[:, others] = there.on
    placing.draws = draws
    _add_copies(placing, size, served)
    for row, found in zip(held, on, strict=True):
        row[assets] = found
    return held


def _add_copies(placing: _Placing, size: Floats, rate: Floats) -> None:
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


def _instead(chosen: Bools, expected_bytes: Floats, size_bytes: Floats, had: Bools) -> Ints:
    """The assets best for their room that were not chosen, first of all those that the site had."""
    others = np.flatnonzero(~chosen & (expected_bytes > 0))
    density = expected_bytes[others] / np.maximum(size_bytes[others], 1.0)
    before = np.where(had[:, others].any(axis=0), density.max(initial=0.0), 0.0)
    return others[best_first(density + before)][:INSTEAD_MAX]


def _find_room(placing: _Placing, rate: Floats) -> list[int]:
    """Put assets that are on no box where there is room, or where worse ones give way; the ones left without room.

    Those that miss throughput stay out, and worse ones stay in: they would leave much room to gain little throughput.
    """
    missing = np.flatnonzero(~placing.on.any(axis=0))
    with_room, with_pace = placing.with_room(missing), placing.with_pace(rate[missing])
    if (with_room & ~with_pace).any():
        missing = missing[~with_room.any(axis=0)]
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


class _Placing:
    """``on`` says which box has which asset, ``room`` and ``pace`` what each box has left of space and throughput."""

    def __init__(self, boxes: Sequence[Box], size: Floats, draws: Floats) -> None:
        self.on = np.zeros((len(boxes), len(size)), np.bool_)
        self.room = np.array([box.space_bytes for box in boxes], np.float64)
        self.pace = np.array([box.rate_bytes_per_s for box in boxes], np.float64)
        self._size, self.draws = size, draws
        self._sizes_least = float(size.min(initial=np.inf))

    def with_room(self, rows: Ints) -> Bools:
        """(boxes, rows): which box has room for which asset."""
        return self.room[:, None] >= self._size[rows]

    def with_pace(self, rate: Floats) -> Bools:
        """(boxes, rates): which box has throughput for which rate."""
        return self.pace[:, None] >= rate

    def put(self, row: int, rate: float) -> bool:
        """Put an asset that is nowhere on the first box by rank that can have it; whether there is one."""
        can = (self.room >= self._size[row]) & (self.pace >= rate)
        if not can.any():
            return False
        box = int(np.argmin(np.where(can, self.draws[:, row], np.inf)))
        self.on[box, row] = True
        self.room[box] -= self._size[row]
        self.pace[box] -= rate
        return True

    def put_some(self, rate: Floats, moves: Floats, *, room_bytes: float, moves_max_bytes: float) -> None:
        """Put those that can be put, best first, up to so many bytes, and so many of ``moves``."""
        for row, size in enumerate(self._size.tolist()):
            if size <= room_bytes and moves[row] <= moves_max_bytes and self.put(row, float(rate[row])):
                room_bytes -= size
                moves_max_bytes -= float(moves[row])

    def give_way(self, row: int, rate: Floats) -> list[int]:
        """Have worse assets leave a box, the worst first, until this one can have their room; which ones left.

        None do of which there are other copies: those would be asked for more than was reckoned.
        """
        size, boxes = self._size, np.argsort(self.draws[:, row], kind="stable")
        boxes = boxes[self.pace[boxes] >= rate[row]]
        if not len(boxes):
            return []
        alone = self.on[:, row + 1 :].sum(axis=0) == 1
        for box in boxes.tolist():
            there = np.flatnonzero(self.on[box, row + 1 :] & alone)[::-1] + row + 1
            enough = self.room[box] + np.cumsum(size[there]) >= size[row]
            if not enough.any():
                continue
            leaving = there[: int(np.argmax(enough)) + 1]
            self.on[box, leaving] = False
            self.room[box] += size[leaving].sum()
            self.pace[box] += rate[leaving].sum()
            found: list[int] = leaving.tolist()
            return found
        return []

    def take_back(self, some: Bools, rate: Floats) -> None:
        """Have no box have these assets."""
        taken = self.on & some
        self.room += added(taken, self._size)
        self.pace += added(taken, rate)
        self.on[:, some] = False

    def settle(self, wanted: Ints, rate: Floats) -> None:
        """Put ``wanted`` more copies of each asset, best first, on the boxes that it ranks highest and that have room.

        A copy is asked for at ``rate``.
        """
        wanted, asking = wanted.copy(), np.flatnonzero(wanted > 0)
        if not len(asking) or not len(self.on):
            return
        chosen = least(self.draws if len(asking) == len(wanted) else self.draws[:, asking])
        for choice in range(len(self.on)):
            if choice == 1:
                asking = asking[wanted[asking] > 0]
                ranks = np.argsort(self.draws[:, asking], axis=0, kind="stable")
            if choice:
                chosen = ranks[choice]
            for box in range(len(self.on)):
                if self.room[box] >= self._sizes_least:
                    self._take(box, asking[chosen == box], wanted, rate)

    def _take(self, box: int, mine: Ints, wanted: Ints, rate: Floats) -> None:
        """Have a box take what fits of these, best first."""
        mine = mine[(wanted[mine] > 0) & ~self.on[box, mine]]
        fits = np.cumsum(self._size[mine]) <= self.room[box]
        fits &= np.cumsum(rate[mine]) <= self.pace[box]
        taken = mine[fits]
        self.on[box, taken] = True
        wanted[taken] -= 1
        self.room[box] -= self._size[taken].sum()
        self.pace[box] -= rate[taken].sum()


def added(on: Bools, values: Floats) -> Floats:
    """Sums of the values that each box has. No product of matrices: its sums depend on the machine."""
    return np.array([(values * row).sum() for row in on])
