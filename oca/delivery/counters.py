"""Counters in a shared page per worker.

A worker adds plain integers to its page, an anonymous memory file that the supervisor made and can read at any
time, also after the worker died. A replacement goes on in the same page, so counters never step back.
"""

from __future__ import annotations

import mmap
import os
from collections.abc import Iterable
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
        """A zeroed page; pass ``descriptor`` down to the worker."""
        descriptor = os.memfd_create("oca-counters", os.MFD_CLOEXEC)
        os.ftruncate(descriptor, len(DELIVERY_SLOTS) * _SLOT_BYTES)
        return cls(descriptor)

    def reset_gauges(self) -> None:
        """Zero what a dead predecessor had open."""
        for family in DELIVERY:
            if family.kind == "gauge":
                for key in family.keys():  # noqa: SIM118
                    self.counts[DELIVERY_SLOTS[key]] = 0

    def close(self) -> None:
        """Unmap and close; the counters are gone when the last holder does."""
        self.counts.release()
        self._map.close()
        os.close(self.descriptor)


def total(pages: Iterable[Page]) -> dict[str, int]:
    """Every slot summed over ``pages``."""
    sums = [0] * len(DELIVERY_SLOTS)
    for page in pages:
        sums = [left + right for left, right in zip(sums, page.counts, strict=True)]
    return dict(zip(DELIVERY_SLOTS, sums, strict=True))
