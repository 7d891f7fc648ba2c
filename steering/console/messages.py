"""What the console asks for and is told: pages of sites, boxes, titles and findings, and the fleet at a glance."""

from __future__ import annotations

from typing import Literal

from msgspec import Struct, field

from oca.common.messages import PlannedAsset
from oca.common.standing import Standing
from steering.api.messages import ApplianceView, AssetView
from steering.plan.outlook import Night
from steering.routes.audit import Finding

State = Literal["serving", "degraded", "waiting", "drained", "out"]
"""Of a box: serves all its viewers, a share of them, none yet, none by somebody's will, none by a fault."""
STATES: tuple[State, ...] = ("out", "degraded", "waiting", "drained", "serving")
"""Worst first."""
SiteState = Literal["serving", "partly", "out", "empty"]
"""Of a site: all boxes serve; some do not, or not all their viewers; none does; it has none."""


class SiteRow(Struct, frozen=True):
    """A site with its boxes summed up; ``why`` is what its worst box says, empty where all serve.

    ``prefix``: the first of its clients' that settings list.
    """

    site: str
    name: str
    site_class: str = field(name="class")
    region: str
    isp: str
    latitude: float
    longitude: float
    state: SiteState
    boxes: int
    by_state: dict[State, int]
    sent_bytes_per_s: float
    link_bytes_per_s: float
    used_bytes: int
    capacity_bytes: int
    why: str
    prefix: str = ""


class Mark(Struct, frozen=True):
    """Sites so near each other that the map shows one mark for them; ``name`` is there where it is one alone.

    ``bounds``: south, west, north, east, in degrees, of the sites themselves.
    """

    latitude: float
    longitude: float
    bounds: tuple[float, float, float, float]
    state: SiteState
    sites: int
    boxes: int
    boxes_serving: int
    name: str


class FleetOverview(Struct, frozen=True):
    """The fleet at a glance; sites at latitude and longitude 0 are not on the map and count as ``unplaced``."""

    at_ns: int
    sites: int
    boxes: int
    by_state: dict[State, int]
    by_standing: dict[Standing, int]
    sites_by_state: dict[SiteState, int]
    sent_bytes_per_s: float
    link_bytes_per_s: float
    used_bytes: int
    capacity_bytes: int
    titles: int
    marks: list[Mark]
    unplaced: int


class SitesPage(Struct, frozen=True):
    """Some of the sites; ``after`` asks for those that follow, empty where these are the last."""

    matching: int
    sites: list[SiteRow]
    after: str


class BoxRow(Struct, frozen=True):
    """An appliance, with the state that the console shows."""

    state: State
    appliance: ApplianceView


class BoxesPage(Struct, frozen=True):
    """Some of the appliances; ``after`` as in ``SitesPage``."""

    matching: int
    boxes: list[BoxRow]
    after: str


class CatalogueRow(Struct, frozen=True):
    """A title, and on how many boxes it lies: ``whole``, in part, or in an older revision alone."""

    title: str
    name: str
    duration_s: float
    bytes: int
    assets: int
    regions: list[str]
    released_at_ns: int
    published_at_ns: int
    whole: int
    partly: int
    outdated: int


class CataloguePage(Struct, frozen=True):
    """Some of the titles; ``after`` as in ``SitesPage``."""

    titles: int
    matching: int
    rows: list[CatalogueRow]
    after: str


class CopiesView(Struct, frozen=True):
    """One title with its assets; ``sites`` that hold some of it, the first of them named."""

    row: CatalogueRow
    assets: list[AssetView]
    sites: int
    sites_named: list[str]


class FindingsPage(Struct, frozen=True):
    """What is wrong with routes, counted by kind, and some of it; ``appliances`` hear any at all."""

    prefixes: int
    appliances: int
    routes: int
    set_aside: int
    kinds: dict[str, int]
    findings: list[Finding]
    after: str


class BoxTitle(Struct, frozen=True):
    """A title that a box holds something of."""

    title: str
    name: str
    assets_held: int
    assets: int


class BoxTitles(Struct, frozen=True):
    """The first of the titles that a box holds."""

    appliance: str
    titles: list[BoxTitle]


class BoxPlayback(Struct, frozen=True):
    """Where a player gets a title from one box and no other."""

    appliance: str
    title: str
    name: str
    url: str
    hls_url: str
    standing: Standing
    why: str
    missing: list[str]


class PlannedSite(Struct, frozen=True):
    """A site with the night that was planned last; None: none was."""

    site: str
    name: str
    night: Night | None


class PlansPage(Struct, frozen=True):
    """The nights of the whole fleet, the oldest first, and some sites; ``at``: local time of day of planning."""

    made_at_ns: int
    at: str
    planned: int
    nights: list[Night]
    matching: int
    sites: list[PlannedSite]
    after: str


class BoxPlan(Struct, frozen=True):
    """What one box is to hold: how many assets, and the first of them, best first."""

    appliance: str
    made_at_ns: int
    capacity_bytes: int
    assets: int
    bytes: int
    first: list[PlannedAsset]


class SitePlans(Struct, frozen=True):
    """The nights of one site, the oldest first, and the plans of its first boxes that have one."""

    site: str
    nights: list[Night]
    boxes: list[BoxPlan]
