"""How much of its rate a fill may use while the box serves viewers. Pure: what the box says of itself comes in."""

from __future__ import annotations

from msgspec import Struct

from fill.tables import BusyTable
from oca.common.messages import Load
from oca.common.units import format_rate

RESUMED_SHARE_MIN = 0.25
"""A fill that has stopped goes on only once it may use so much, so that it does not stop and go by the second."""


class Share(Struct, frozen=True):
    """``ratio`` of the fill's rate, 0 to 1, and why it is less than 1; 0: nothing is fetched."""

    ratio: float
    why: str = ""


ALL = Share(1.0)


def share_of(load: Load | None, limits: BusyTable, *, stopped: bool) -> Share:
    """What a fill may use beside ``load``.

    Args:
        load: What the box does; None where its daemon does not answer, so that nobody is served from here.
        limits: When serving slows a fill and stops it.
        stopped: Whether the fill stands still for this reason now.
    """
    if load is None or load.sent_bytes_per_s < limits.serving_bytes_per_s_min:
        return ALL
    measures = [("CPU", load.cpu_ratio, limits.cpu_ratio_slow, limits.cpu_ratio_stop)]
    if load.link_bytes_per_s:
        link = load.sent_bytes_per_s / load.link_bytes_per_s
        measures.append(("links", link, limits.link_ratio_slow, limits.link_ratio_stop))
    ratio, name, level = min((_left(level, slow, stop), name, level) for name, level, slow, stop in measures)
    if ratio >= 1:
        return ALL
    why = f"the box serves {format_rate(load.sent_bytes_per_s)}, {name} {level:.0%} busy"
    return Share(0.0 if stopped and ratio < RESUMED_SHARE_MIN else ratio, why)


def _left(level: float, slow: float, stop: float) -> float:
    """1 up to ``slow``, 0 from ``stop`` on, and a straight line between."""
    if level >= stop:
        return 0.0
    return 1.0 if level <= slow else (stop - level) / (stop - slow)
