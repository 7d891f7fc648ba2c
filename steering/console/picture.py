"""The fleet as the console shows it: each box's state, sites with their boxes summed up, and pages of both. Pure."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import NamedTuple, TypeVar

from oca.common.messages import Report
from oca.common.standing import Standing
from steering.console.messages import STATES, SiteRow, SiteState, State
from steering.fleet.liveness import Liveness
from steering.settings import Site

Row = TypeVar("Row")
Kind = TypeVar("Kind")
_STATES: dict[Standing, State] = {
    "draining": "drained",
    "drained": "drained",
    "turning-up": "waiting",
    "returning": "waiting",
}
"""Of standings that are no faults."""


class BoxStand(NamedTuple):
    """An appliance and how it stands."""

    appliance: str
    site: str
    state: State
    liveness: Liveness


class Picture(NamedTuple):
    """The fleet at one moment; both in the order of the settings."""

    sites: list[SiteRow]
    boxes: list[BoxStand]


class Bounds(NamedTuple):
    """A part of the map, in degrees, its edges included."""

    south: float
    west: float
    north: float
    east: float

    def hold(self, site: SiteRow) -> bool:
        """Whether the site lies in it."""
        return self.south <= site.latitude <= self.north and self.west <= site.longitude <= self.east


def picture(sites: Sequence[Site], liveness: Mapping[str, Liveness], reports: Mapping[str, Report | None]) -> Picture:
    """Put the fleet together.

    Args:
        sites: With their appliances.
        liveness: Of each appliance.
        reports: The last of each appliance.
    """
    rows, boxes = [], []
    for site in sites:
        here = [
            BoxStand(entry.id, site.id, state_of(liveness[entry.id], reports[entry.id]), liveness[entry.id])
            for entry in site.appliance
        ]
        boxes += here
        rows.append(_row(site, here, [report for entry in site.appliance if (report := reports[entry.id]) is not None]))
    return Picture(rows, boxes)


def count(things: Iterable[Kind]) -> dict[Kind, int]:
    """How many there are of each."""
    counted: dict[Kind, int] = {}
    for thing in things:
        counted[thing] = counted.get(thing, 0) + 1
    return counted


def state_of(liveness: Liveness, report: Report | None) -> State:
    """The state of a box in one word."""
    if liveness.takes_viewers:
        return "degraded" if report is not None and report.health.verdict == "degraded" else "serving"
    return _STATES.get(liveness.standing, "out")


def page(rows: Sequence[Row], key: Callable[[Row], str], *, after: str, limit: int) -> tuple[list[Row], str]:
    """The rows that follow the one of key ``after``, and the key to ask on with; empty: there are no more.

    A key that is not there any more begins anew: better than an end that is none.
    """
    start = next((place + 1 for place, row in enumerate(rows) if key(row) == after), 0) if after else 0
    shown = list(rows[start : start + limit])
    return shown, key(shown[-1]) if start + limit < len(rows) else ""


def sites_matching(sites: Sequence[SiteRow], *, state: str, search: str, bounds: Bounds | None) -> list[SiteRow]:
    """The sites in that state (empty: any), that hold the text in a name, inside the bounds."""
    return [
        site
        for site in sites
        if (not state or site.state == state)
        and is_named(search, (site.site, site.name, site.isp, site.region))
        and (bounds is None or bounds.hold(site))
    ]


def is_named(search: str, names: Iterable[str]) -> bool:
    """Whether one of ``names`` holds the text, in capitals or not."""
    wanted = search.casefold()
    return not wanted or any(wanted in name.casefold() for name in names)


def boxes_matching(boxes: Sequence[BoxStand], *, state: str, site: str, search: str) -> list[BoxStand]:
    """The boxes in that state (``trouble``: any but serving), of that site, with the text in their name or in why.

    Worst first, in the order of the fleet among equals.
    """
    wanted = search.casefold()
    found = [
        box
        for box in boxes
        if (not site or box.site == site)
        and (not state or box.state == state or (state == "trouble" and box.state != "serving"))
        and (not wanted or wanted in box.appliance.casefold() or wanted in box.liveness.why.casefold())
    ]
    return sorted(found, key=lambda box: STATES.index(box.state))


def _row(site: Site, boxes: Sequence[BoxStand], reports: Sequence[Report]) -> SiteRow:
    by_state = count(box.state for box in boxes)
    worst = min(boxes, key=lambda box: STATES.index(box.state), default=None)
    return SiteRow(
        site=site.id,
        name=site.name or site.id,
        site_class=site.class_,
        region=site.region,
        isp=site.isp,
        latitude=site.latitude,
        longitude=site.longitude,
        state=_site_state(by_state, len(boxes)),
        boxes=len(boxes),
        by_state=by_state,
        sent_bytes_per_s=sum(report.load.sent_bytes_per_s for report in reports),
        link_bytes_per_s=sum(report.load.link_bytes_per_s for report in reports),
        used_bytes=sum(report.store.used_bytes for report in reports),
        capacity_bytes=sum(report.store.capacity_bytes for report in reports),
        why=f"{worst.appliance}: {worst.liveness.why}" if worst is not None and worst.state != "serving" else "",
        prefix=next(iter(site.prefixes), ""),
    )


def _site_state(by_state: Mapping[State, int], boxes: int) -> SiteState:
    serving = by_state.get("serving", 0)
    if not boxes:
        return "empty"
    if serving == boxes:
        return "serving"
    return "partly" if serving + by_state.get("degraded", 0) else "out"
