"""The endpoints behind the console's view of plans: what nights expected, what came, what boxes are to hold."""

from __future__ import annotations

import asyncio

from aiohttp import web

from oca.common.problem import Refusal, json_response
from steering.api.endpoints import endpoint
from steering.api.kept import Kept
from steering.console.api import FRESH, asked_of
from steering.console.messages import BoxPlan, PlannedSite, PlansPage, SitePlans
from steering.console.picture import is_named, page
from steering.console.queries import Paged
from steering.console.queries import declared as queries_of
from steering.decision.decider import Decider
from steering.plan.outlook import Night, read_nights, summed
from steering.plan.planner import planned_at_ns
from steering.plan.store import PlanStore
from steering.settings import Site
from steering.state.store import StateReader

NIGHTS_S = 30.0
BOXES_MAX = 20
ASSETS_MAX = 20


class Plans:
    """Handlers over the plans in the state."""

    def __init__(self, decider: Decider, state: StateReader) -> None:
        self._decider = decider
        self._state = state
        self._sites = decider.sites
        self._kept = PlanStore(state)
        self._nights = Kept(self._read, keep_s=NIGHTS_S)

    @endpoint("GET", "/v1/plans", gives=PlansPage, refuses=(400,), query=queries_of(Paged))
    async def plans(self, request: web.Request) -> web.Response:
        """What nights expected of the fleet and what came, and sites by their last night, a page at a time."""
        wanted = asked_of(request, Paged)
        last, nights = await self._nights.value()
        sites = self._sites.values()
        found = [site for site in sites if is_named(wanted.search, (site.id, site.name, site.isp, site.region))]
        shown, after = page(found, lambda site: site.id, after=wanted.after, limit=wanted.limit)
        answer = PlansPage(
            made_at_ns=planned_at_ns(self._state),
            at=self._decider.settings.plan.at,
            planned=len(last),
            nights=nights,
            matching=len(found),
            sites=[PlannedSite(site.id, site.name or site.id, last.get(site.id)) for site in shown],
            after=after,
        )
        return json_response(answer, headers=FRESH)

    @endpoint("GET", "/v1/plans/{site}", gives=SitePlans, refuses=(404,))
    async def site(self, request: web.Request) -> web.Response:
        """The nights of one site, and what its boxes are to hold: of 20 boxes the first 20 assets."""
        site = self._sites.get(request.match_info["site"])
        if site is None:
            raise Refusal(404, "No such site", remedy="GET /v1/fleet/sites lists them")
        return json_response(await asyncio.to_thread(self._plans_of, site), headers=FRESH)

    def _read(self) -> tuple[dict[str, Night], list[Night]]:
        """The last night of each site that has one, and the nights of all added up."""
        by_site = {name: nights for name in self._sites if (nights := read_nights(self._state, name))}
        return {name: nights[-1] for name, nights in by_site.items()}, summed(by_site.values())

    def _plans_of(self, site: Site) -> SitePlans:
        boxes = [found for entry in site.appliance[:BOXES_MAX] if (found := self._box(site.id, entry.id)) is not None]
        return SitePlans(site.id, read_nights(self._state, site.id), boxes)

    def _box(self, site: str, appliance: str) -> BoxPlan | None:
        plan = self._kept.plan(site, appliance, self._decider.catalogue)
        if plan is None:
            return None
        return BoxPlan(
            appliance=appliance,
            made_at_ns=plan.made_at_ns,
            capacity_bytes=plan.capacity_bytes,
            assets=len(plan.assets),
            bytes=sum(asset.bytes for asset in plan.assets),
            first=plan.assets[:ASSETS_MAX],
        )
