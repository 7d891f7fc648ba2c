"""Sums of what players tell of their playback, per asset and client prefix: a worker's, and those of the last while.

Pure: instants come in. Both are bounded: what comes when a table is full is summed under no asset and no prefix, so
that totals stay right.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable

from oca.common.quality import Quality
from oca.delivery.cmcd import Told

ROWS_MAX = 2048
"""Pairs of asset and prefix kept apart: by a worker in a second, by the supervisor in a slice of its window."""
SLICE_S = 60.0
WINDOW_S = 900.0
"""What is shown covers the last quarter of an hour."""

Rows = dict[tuple[str, str], Quality]


class QualityTable:
    """What one worker heard since its supervisor last took it."""

    def __init__(self) -> None:
        self._rows: Rows = {}

    def add(self, asset: str, prefix: str, told: Told) -> None:
        """Add what one request told; each figure that it gave is above zero."""
        row = self._rows.get((asset, prefix)) or _row(self._rows, asset, prefix)
        row.requests += 1
        if told.starved:
            row.starved += 1
        if told.throughput:
            row.throughput_kbits_per_s += told.throughput
            row.throughput_told += 1
        if told.bitrate:
            row.bitrate_kbits_per_s += told.bitrate
            row.bitrate_told += 1
        if told.buffer_ms:
            row.buffer_ms += told.buffer_ms
            row.buffer_told += 1

    def take(self) -> list[Quality]:
        """The sums since the last call."""
        taken, self._rows = list(self._rows.values()), {}
        return taken


class QualityWindow:
    """What all workers heard in the last ``WINDOW_S``, in slices that fall out one by one."""

    def __init__(self) -> None:
        self._slices: deque[tuple[float, Rows]] = deque()

    def add(self, rows: Iterable[Quality], now_s: float) -> None:
        """Add what a worker took."""
        self._expire(now_s)
        for row in rows:
            if not self._slices or now_s - self._slices[-1][0] >= SLICE_S:
                self._slices.append((now_s, {}))
            _add(self._slices[-1][1], row)

    def rows(self, now_s: float) -> list[Quality]:
        """The sums over the window, in no order."""
        self._expire(now_s)
        merged: Rows = {}
        for _, rows in self._slices:
            for key, row in rows.items():
                known = merged.get(key)
                if known is None:
                    known = merged[key] = Quality(row.asset, row.prefix)
                known.add(row)
        return list(merged.values())

    def _expire(self, now_s: float) -> None:
        while self._slices and now_s - self._slices[0][0] >= WINDOW_S:
            self._slices.popleft()


def _add(rows: Rows, row: Quality) -> None:
    known = rows.get((row.asset, row.prefix)) or _row(rows, row.asset, row.prefix)
    known.add(row)


def _row(rows: Rows, asset: str, prefix: str) -> Quality:
    """A new row, or the one for all that a full table cannot keep apart."""
    if len(rows) >= ROWS_MAX - 1:
        asset = prefix = ""
    row = rows.get((asset, prefix))
    if row is None:
        row = rows[asset, prefix] = Quality(asset, prefix)
    return row
