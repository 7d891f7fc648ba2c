"""Counters in a shared page per worker.

A worker adds plain integers to its page, an anonymous memory file that the supervisor made and can read at any
time, also after the worker died. What an ended worker counted stays in the sum, so counters never step back.
"""

from __future__ import annotations

import mmap
import os
from collections.abc import Mapping
from typing import Self

from oca.delivery.metrics import DELIVERY, DELIVERY_SLOTS

_SLOT_BYTES = 8


class Page:
    """One worker's counters: unsigned 64-bit slots in a memory file that two processes map."""

    def __init__(self, descriptor: int) -> None:
        self.descriptor = descriptor
        self._map = mmap.mmap(descriptor, len(DELIVERY_SLOTS) * _SLOT_BYTES)
        self.counts = memoryview(self._map).cast("Q")
        """The slots, for ``counts[DELIVERY_SLOTS[key]] += n``; only the one worker writes."""

    @classmethod
    def create(cls) -> Self:
        """A zeroed page; pass ``descriptor`` down to the worker.

        Raises:
            OSError: There is no memory or descriptor for it.
        """
        descriptor = os.memfd_create("oca-counters", os.MFD_CLOEXEC)
        try:
            os.ftruncate(descriptor, len(DELIVERY_SLOTS) * _SLOT_BYTES)
            return cls(descriptor)
        except OSError:
            os.close(descriptor)
            raise

    def close(self) -> None:
        """Unmap and close; the counters are gone when the last holder does."""
        self.counts.release()
        self._map.close()
        os.close(self.descriptor)


class Totals:
    """What all workers counted: those that run, by their pages, and those that ended, by what they left."""

    def __init__(self) -> None:
        self._pages: list[Page] = []
        self._left = [0] * len(DELIVERY_SLOTS)
        self.before: Mapping[str, int] = {}
        """What a daemon that this one follows counted, and has open while it ends."""

    def add(self, page: Page) -> None:
        """A worker begins to count in ``page``."""
        self._pages.append(page)

    def leave(self, page: Page) -> None:
        """The worker of ``page`` has ended: keep what it counted, not what it had open; close the page."""
        self._pages.remove(page)
        for slot in _COUNTERS:
            self._left[slot] += page.counts[slot]
        page.close()

    def read(self) -> dict[str, int]:
        """Every slot, summed."""
        sums = map(sum, zip(self._left, *(page.counts for page in self._pages), strict=True))
        before = self.before
        return {key: count + before.get(key, 0) for key, count in zip(DELIVERY_SLOTS, sums, strict=True)}

    def close_before(self) -> None:
        """The daemon that this one follows has ended, and with it what it had open."""
        self.before = {key: self.before.get(key, 0) for key, slot in DELIVERY_SLOTS.items() if slot in _COUNTERS}


_COUNTERS = [DELIVERY_SLOTS[key] for family in DELIVERY if family.kind != "gauge" for key in family.keys()]  # noqa: SIM118
