"""The last 48 hours of the box for its console: figures every two minutes, and each change of health. Pure."""

from __future__ import annotations

import re
from collections import deque
from collections.abc import Iterable, Mapping

from oca.common.messages import Message, Serving, Verdict
from oca.report.rates import bound_below, buckets
from oca.report.snapshot import Snapshot

INTERVAL_NS = 120 * 10**9
SPAN_NS = 48 * 3600 * 10**9
SAMPLES_MAX = SPAN_NS // INTERVAL_NS
CHANGES_MAX = 200
_FIGURES = re.compile(r" \(not at this moment[^)]*\)|(?<= )[0-9.]+( (ms|s|min|h))?")
_SUMS = {
    "responses": "delivery_responses:",
    "content": "delivery_misses:content",
    "health": "delivery_misses:health",
    "cut": "delivery_sends_cut:",
}


class HealthChange(Message, frozen=True):
    """From when on health, its reasons or the serving state were so."""

    at_ns: int
    verdict: Verdict
    serving: Serving
    reasons: list[str]


class HistoryPage(Message, frozen=True):
    """Columns of equal length, the oldest first; rates are per second over ``interval_s`` before ``at_s``.

    ``first_byte_ms`` is what 95 of 100 responses stayed below, -1 where there was none; ``-2``: above the last bound.
    """

    interval_s: float
    at_s: list[int]
    sent_bytes_per_s: list[int]
    connections: list[int]
    responses_per_s: list[float]
    content_misses_per_s: list[float]
    health_misses_per_s: list[float]
    cut_per_s: list[float]
    first_byte_ms: list[float]
    cpu_ratio: list[float]
    used_bytes: list[int]
    changes: list[HealthChange]


class History:
    """Observes once a second, keeps a sample every two minutes; bounded."""

    def __init__(self, earlier: HistoryPage | None = None, *, now_ns: int = 0) -> None:
        """Go on from what an earlier run knew, as far as that is of the last 48 hours before ``now_ns``."""
        self._samples: deque[tuple[float, ...]] = deque(maxlen=SAMPLES_MAX)
        self._changes: deque[HealthChange] = deque(maxlen=CHANGES_MAX)
        self._before: tuple[int, Mapping[str, int]] | None = None
        if earlier is not None:
            since_ns = now_ns - SPAN_NS
            rows = zip(*(getattr(earlier, name) for name in _COLUMNS), strict=False)
            self._samples.extend(row for row in rows if since_ns < row[0] * 10**9 <= now_ns)
            self._changes.extend(change for change in earlier.changes if since_ns < change.at_ns <= now_ns)

    def observe(self, snapshot: Snapshot, serving: Serving) -> bool:
        """Take note of how the box is; whether there is more to show than before."""
        health, known = snapshot.health, False
        last = self._changes[-1] if self._changes else None
        now = (health.verdict, serving, _steady(health.reasons))
        if last is None or (last.verdict, last.serving, _steady(last.reasons)) != now:
            change = HealthChange(
                at_ns=snapshot.at_ns, verdict=health.verdict, serving=serving, reasons=list(health.reasons)
            )
            self._changes.append(change)
            known = True
        if self._before is None:
            self._before = snapshot.at_ns, dict(snapshot.counters)
        elif not 0 <= (passed_ns := snapshot.at_ns - self._before[0]) < INTERVAL_NS:
            if passed_ns > 0:  # else the clock was set back: what was before it cannot be set against time
                self._samples.append(_sample(*self._before, snapshot))
            self._before = snapshot.at_ns, dict(snapshot.counters)
            known = True
        return known

    def page(self) -> HistoryPage:
        """All that is kept."""
        columns: list[list[float]] = [list(column) for column in zip(*self._samples, strict=True)] or [[]] * len(
            _COLUMNS
        )
        whole = [[int(value) for value in column] for column in columns]
        return HistoryPage(
            interval_s=INTERVAL_NS / 1e9,
            at_s=whole[0],
            sent_bytes_per_s=whole[1],
            connections=whole[2],
            responses_per_s=columns[3],
            content_misses_per_s=columns[4],
            health_misses_per_s=columns[5],
            cut_per_s=columns[6],
            first_byte_ms=columns[7],
            cpu_ratio=columns[8],
            used_bytes=whole[9],
            changes=list(self._changes),
        )


_COLUMNS = HistoryPage.__struct_fields__[1:-1]
"""Of a sample, in its order."""


def _steady(reasons: Iterable[str]) -> list[str]:
    """Without what counts up or down: a reason whose figures move is the same reason."""
    return [_FIGURES.sub("", reason) for reason in reasons]


def _sample(before_ns: int, before: Mapping[str, int], now: Snapshot) -> tuple[float, ...]:
    elapsed_s = (now.at_ns - before_ns) / 1e9

    def rise(prefix: str) -> int:
        keys = [key for key in now.counters if key.startswith(prefix)]
        return max(0, sum(now.counters[key] - before.get(key, 0) for key in keys))

    rates = {name: round(rise(prefix) / elapsed_s, 3) for name, prefix in _SUMS.items()}
    return (
        now.at_ns // 10**9,
        rise("delivery_sent_bytes") / elapsed_s,
        now.load.connections,
        *rates.values(),
        _p95_ms(before, now.counters),
        round(now.load.cpu_ratio, 3),
        now.store.use.used_bytes,
    )


def _p95_ms(before: Mapping[str, int], now: Mapping[str, int]) -> float:
    """The bound that 95 of 100 responses since ``before`` stayed below."""
    rises = {key: max(0, now[key] - before.get(key, 0)) for key in buckets(now)}
    bound = bound_below(rises, 0.95)
    if bound is None:
        return -1.0
    return round(bound * 1000, 3) if bound != float("inf") else -2.0
