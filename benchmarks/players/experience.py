"""What the viewers of one run felt, and whether the load generator can be believed: figures from records. Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from math import ceil
from typing import NamedTuple

from msgspec import Struct

CPU_SHARE_MAX = 0.85
LAG_S_MAX = 0.05
MACHINE_SHARE_MAX = 0.95


class Viewing(Struct, frozen=True):
    """One playback, when it was over.

    Attributes:
        ending: ``finished``, ``left``, ``impatient``, ``failed`` or ``run over``.
        startup_s: From the click to the first picture; None: no picture was seen.
        unstarted_s: Where none was, how long the viewer waited.
        bits_per_s: Mean rate of the picture and sound that arrived; 0: nothing did.
        moves: Pathways left because they failed.
    """

    title: str
    ending: str
    startup_s: float | None
    unstarted_s: float | None
    watched_s: float
    stalls_s: list[float]
    seek_waits_s: list[float]
    bits_per_s: float
    changes: int
    moves: int


class Served(Struct):
    """What one source sent; ``times_s``: each segment of picture, from request to last byte."""

    segments: int = 0
    bytes: int = 0
    failures: int = 0
    times_s: list[float] = []


class Sample(Struct, frozen=True):
    """One look at the load generator.

    Attributes:
        cpu_share: Of the one core that it can use.
        machine_share: Of all cores, everybody's work.
        lag_s: The longest that the event loop let a due timer wait since the look before.
    """

    cpu_share: float
    machine_share: float
    lag_s: float


class Outcome(Struct, frozen=True):
    """All that one run recorded."""

    viewings: list[Viewing]
    served: dict[str, Served]
    samples: list[Sample]
    ran_s: float


class Figure(NamedTuple):
    """One figure; with a ``bar``, what it may reach at most."""

    name: str
    value: float
    unit: str
    bar: float | None = None


def percentile(values: Sequence[float], percent: float) -> float:
    """The smallest value that ``percent`` of all values do not exceed; 0 of none."""
    ordered = sorted(values)
    return ordered[max(0, ceil(len(ordered) * percent / 100) - 1)] if ordered else 0.0


def figures_of(outcome: Outcome) -> list[Figure]:
    """The figures, in the order a viewer would ask for them."""
    seen = [viewing for viewing in outcome.viewings if viewing.startup_s is not None]
    # Who gave up, or was turned away, waited at least so long: leaving them out would flatter.
    lost = [v for v in outcome.viewings if v.startup_s is None and v.ending in ("impatient", "failed")]
    startups = [v.startup_s or 0.0 for v in seen] + [v.unstarted_s or 0.0 for v in lost]
    stalled = [sum(viewing.stalls_s) for viewing in seen]
    watched_s = sum(viewing.watched_s for viewing in seen)
    seeks = [wait for viewing in seen for wait in viewing.seek_waits_s]
    rates = [viewing.bits_per_s for viewing in seen if viewing.bits_per_s]
    times = [time for served in outcome.served.values() for time in served.times_s]
    sent = sum(served.bytes for served in outcome.served.values())
    return [
        Figure("viewings", len(outcome.viewings), "count"),
        Figure("viewings that never started", len(lost), "count"),
        Figure("start-up time, p50", percentile(startups, 50), "s"),
        Figure("start-up time, p95", percentile(startups, 95), "s"),
        Figure("viewings with a stall", sum(bool(v.stalls_s) for v in seen) / max(1, len(seen)), "ratio"),
        Figure("stalls per hour watched", sum(len(v.stalls_s) for v in seen) / max(watched_s / 3600, 1e-9), "1/h"),
        Figure("stalled time of a viewing, p50", percentile(stalled, 50), "s"),
        Figure("stalled time of a viewing, p95", percentile(stalled, 95), "s"),
        Figure("stalled share of all time", sum(stalled) / max(watched_s + sum(stalled), 1e-9), "ratio"),
        Figure("wait after a seek, p50", percentile(seeks, 50), "s"),
        Figure("wait after a seek, p95", percentile(seeks, 95), "s"),
        Figure("bitrate, p50", percentile(rates, 50), "bits/s"),
        Figure("bitrate, p5 (95 % of viewings had more)", percentile(rates, 5), "bits/s"),
        Figure("bitrate changes of a viewing, p50", percentile([v.changes for v in seen], 50), "count"),
        Figure("pathways left because they failed", sum(v.moves for v in outcome.viewings), "count"),
        Figure("time of a segment, p50", percentile(times, 50), "s"),
        Figure("time of a segment, p95", percentile(times, 95), "s"),
        Figure("sent to players", sent / max(outcome.ran_s, 1e-9), "bytes/s"),
        *(
            Figure(f"share of bytes from {name}", served.bytes / max(1, sent), "ratio")
            for name, served in sorted(outcome.served.items())
            if served.bytes
        ),
        *(
            Figure(f"requests that failed at {name}", served.failures, "count")
            for name, served in sorted(outcome.served.items())
            if served.failures
        ),
        Figure("load generator, share of its core, p95", _of(outcome.samples, "cpu_share"), "ratio", bar=CPU_SHARE_MAX),
        Figure("load generator, event-loop lag, p95", _of(outcome.samples, "lag_s"), "s", bar=LAG_S_MAX),
        Figure("whole machine's CPU, p50", _of(outcome.samples, "machine_share", 50), "ratio", bar=MACHINE_SHARE_MAX),
    ]


def limits_of(outcome: Outcome) -> list[str]:
    """Why the figures tell of the load generator or its machine rather than of what it loads; empty: they do not."""
    if not outcome.samples:
        return ["the load generator was never looked at: the run was too short"]
    cpu, lag = _of(outcome.samples, "cpu_share"), _of(outcome.samples, "lag_s")
    machine = _of(outcome.samples, "machine_share", 50)
    found = []
    if cpu > CPU_SHARE_MAX:
        found.append(f"it used {cpu:.0%} of the one core it can use (limit {CPU_SHARE_MAX:.0%})")
    if lag > LAG_S_MAX:
        found.append(f"its event loop came {lag * 1000:.0f} ms late (limit {LAG_S_MAX * 1000:.0f} ms)")
    if machine > MACHINE_SHARE_MAX:
        found.append(
            f"the machine was {machine:.0%} busy half of the time, so it and what it loads took time from each other"
        )
    return found


def endings_of(outcome: Outcome) -> dict[str, int]:
    """How many viewings ended in which way."""
    return dict(Counter(viewing.ending for viewing in outcome.viewings).most_common())


def _of(samples: Sequence[Sample], name: str, percent: float = 95) -> float:
    return percentile([getattr(sample, name) for sample in samples], percent)
