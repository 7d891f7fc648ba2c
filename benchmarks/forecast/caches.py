"""Pull-through caches beside the plans: libCacheSim's own policies over the same views, at the same capacity."""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import libcachesim
import numpy as np
from numpy.typing import NDArray

_CACHES = {
    "FIFO": libcachesim.FIFO,
    "LRU": libcachesim.LRU,
    "ARC": libcachesim.ARC,
    "S3-FIFO": libcachesim.S3FIFO,
    "W-TinyLFU": libcachesim.WTinyLFU,
    "GDSF": libcachesim.GDSF,
    "Belady": libcachesim.Belady,
}
POLICIES = ("LRU", "ARC", "S3-FIFO", "W-TinyLFU", "GDSF", "Belady")
CLAIRVOYANT_POLICIES = ("Belady",)
UNIT_BYTES = 1_000_000
"""Sizes are told in MB: libCacheSim's W-TinyLFU makes a sketch as large as its capacity in units."""
_ROW = np.dtype([("time", "<u4"), ("object", "<u8"), ("size", "<u4"), ("next", "<i8")])
"""libCacheSim's oracleGeneral trace."""


@dataclass(slots=True)
class Trace:
    """Views of one cluster in the order in which they came: asset, and hour since the beginning."""

    assets: list[NDArray[np.int32]] = field(default_factory=list)
    hours: list[NDArray[np.int32]] = field(default_factory=list)

    def add_day(
        self, day: int, views: NDArray[np.int64], curve: NDArray[np.float64], chance: np.random.Generator
    ) -> None:
        """Put a day's views, by asset, at hours drawn from the curve."""
        assets = np.repeat(np.arange(len(views), dtype=np.int32), views)
        hours = chance.choice(24, size=len(assets), p=curve)
        order = np.lexsort((chance.random(len(assets)), hours))
        self.assets.append(assets[order])
        self.hours.append((hours[order] + 24 * day).astype(np.int32))

    def add_missed(self, trace: Trace, missed: NDArray[np.bool_]) -> None:
        """Put of another trace's last day the views of assets that are ``missed``."""
        went = missed[trace.assets[-1]]
        self.assets.append(trace.assets[-1][went])
        self.hours.append(trace.hours[-1][went])


@dataclass(frozen=True, slots=True)
class CacheOutcome:
    """Bytes after the warm-up: watched, of these missed, and missed in the hours of the curve's peak."""

    watched_bytes: float
    missed_bytes: float
    missed_at_peak_bytes: float


def run_caches(
    trace: Trace,
    size_bytes: NDArray[np.float64],
    policies: Sequence[str],
    *,
    capacity_bytes: float,
    counted_from_hour: int,
    peak_hour: int,
) -> dict[str, CacheOutcome]:
    """Run each of the policies over the trace, hour by hour; what is missed comes in through the cache."""
    assets, hours = np.concatenate(trace.assets), np.concatenate(trace.hours)
    units = np.maximum(1, np.rint(size_bytes / UNIT_BYTES)).astype(np.uint32)
    rows = np.zeros(len(assets), _ROW)
    rows["time"], rows["object"], rows["size"], rows["next"] = hours * 3600, assets, units[assets], next_views(assets)
    starts = np.flatnonzero(np.diff(hours, prepend=-1))
    sums = np.concatenate([[0], np.cumsum(units[assets].astype(np.int64))])
    ends = np.append(starts[1:], len(hours))
    spans = _Spans(starts, ends, hours[starts], (sums[ends] - sums[starts]).astype(float))
    capacity_units = max(1, int(capacity_bytes / UNIT_BYTES))
    with tempfile.TemporaryDirectory(prefix="oca-forecast-") as folder:
        path = Path(folder) / "views.oracleGeneral"
        rows.tofile(path)
        outcomes = {}
        for name in policies:
            missed = spans.missed(_CACHES[name](cache_size=capacity_units, hashpower=16), path)
            counted = spans.hours >= counted_from_hour
            at_peak = counted & (spans.hours % 24 == peak_hour)
            outcomes[name] = CacheOutcome(
                *(float(each.sum()) * UNIT_BYTES for each in (spans.units[counted], missed[counted], missed[at_peak]))
            )
        return outcomes


@dataclass(frozen=True, slots=True)
class _Spans:
    """The hours of a trace in which anything was viewed: from where to where, which hour, how many units."""

    starts: NDArray[np.int64]
    ends: NDArray[np.int64]
    hours: NDArray[np.int32]
    units: NDArray[np.float64]

    def missed(self, cache: libcachesim.cache.CacheBase, path: Path) -> NDArray[np.float64]:
        """Units that a cache misses in each hour."""
        reader = libcachesim.TraceReader(str(path), trace_type=libcachesim.TraceType.ORACLE_GENERAL_TRACE)
        ratios = [
            cache.process_trace(reader, start, end - start)[1]
            for start, end in zip(self.starts.tolist(), self.ends.tolist(), strict=True)
        ]
        return np.array(ratios) * self.units


def next_views(assets: NDArray[np.int32]) -> NDArray[np.int64]:
    """By view, the place of the next one of the same asset; -1: none."""
    order = np.lexsort((np.arange(len(assets)), assets))
    following = np.full(len(assets), -1, np.int64)
    same = assets[order][1:] == assets[order][:-1]
    following[order[:-1][same]] = order[1:][same]
    return following
