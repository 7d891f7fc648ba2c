"""What lies on which box as a plan is made: put, giving way, taken back, within space and throughput. Pure.

Which go where, and in which order, is placement's to say.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from steering.plan.rendezvous import least

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Bools = NDArray[np.bool_]


class Bounded(Protocol):
    """A box."""

    @property
    def space_bytes(self) -> float:
        """Room for assets."""

    @property
    def rate_bytes_per_s(self) -> float:
        """Throughput; infinite where it is not known."""


class Placing:
    """``on`` says which box has which asset, ``room`` and ``pace`` what each box has left of space and throughput."""

    def __init__(self, boxes: Sequence[Bounded], size: Floats, draws: Floats) -> None:
        self.on = np.zeros((len(boxes), len(size)), np.bool_)
        self.room = np.array([box.space_bytes for box in boxes], np.float64)
        self.pace = np.array([box.rate_bytes_per_s for box in boxes], np.float64)
        self._size, self.draws = size, draws
        self._sizes_least = float(size.min(initial=np.inf))

    def with_room(self, rows: Ints) -> Bools:
        """(boxes, rows): which box has room for which asset."""
        return self.room[:, None] >= self._size[rows]

    def lacks_pace(self, rate: Floats) -> bool:
        """Whether a box has room for an asset that is on none, but not the throughput."""
        missing = np.flatnonzero(~self.on.any(axis=0))
        return bool((self.with_room(missing) & (self.pace[:, None] < rate[missing])).any())

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
            if size <= room_bytes and moves[row] <= max(moves_max_bytes, 0.0) and self.put(row, float(rate[row])):
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
