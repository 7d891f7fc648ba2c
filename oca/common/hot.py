"""What viewers ask for most of late: sums over a short window, per asset. Pure: instants come in."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable
from typing import NamedTuple

SLICE_S = 5.0
WINDOW_S = 60.0


class Hot(NamedTuple):
    """Viewers of one asset, per second over the window."""

    asset: str
    requests_per_s: float
    bytes_per_s: float


class HotWindow:
    """Demand of the last ``WINDOW_S`` in slices that fall out one by one; bounded by the assets that are held."""

    def __init__(self) -> None:
        self._slices: deque[tuple[float, dict[str, tuple[int, int]]]] = deque()

    def add(self, taken: Iterable[tuple[str, int, int]], now_s: float) -> None:
        """Add what a worker counted since it was last asked: (asset, requests, bytes)."""
        self._expire(now_s)
        for asset, requests, sent in taken:
            if not self._slices or now_s - self._slices[-1][0] >= SLICE_S:
                self._slices.append((now_s, {}))
            counts = self._slices[-1][1]
            before = counts.get(asset, (0, 0))
            counts[asset] = before[0] + requests, before[1] + sent

    def top(self, limit: int, now_s: float) -> list[Hot]:
        """The assets that most bytes went out of, at most ``limit``."""
        self._expire(now_s)
        totals: dict[str, tuple[int, int]] = {}
        for _, counts in self._slices:
            for asset, (requests, sent) in counts.items():
                before = totals.get(asset, (0, 0))
                totals[asset] = before[0] + requests, before[1] + sent
        most = sorted(totals.items(), key=lambda item: (-item[1][1], item[0]))[:limit]
        span_s = max(now_s - self._slices[0][0], SLICE_S) if self._slices else WINDOW_S
        return [Hot(asset, requests / span_s, sent / span_s) for asset, (requests, sent) in most]

    def _expire(self, now_s: float) -> None:
        while self._slices and now_s - self._slices[0][0] >= WINDOW_S:
            self._slices.popleft()
