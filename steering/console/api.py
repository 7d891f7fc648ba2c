"""The endpoints behind the fleet console: the fleet at a glance, and pages of its sites, boxes, titles and routes.

Nothing of them grows with the fleet but the time that the picture takes, in a thread and every two seconds at most.
"""

from __future__ import annotations

import asyncio
from typing import TypeVar

import msgspec
from aiohttp import web
from msgspec import Struct
from msgspec.structs import replace

from oca.common.clock import now_ns
from oca.common.problem import Refusal, json_response
from steering.api.endpoints import endpoint
from steering.api.kept import Kept
from steering.api.messages import TitlesView
from steering.api.views import appliance_view, titles_page
from steering.console.copies import catalogue_row, copies_view, titles_matching
from steering.console.map_marks import marks
from steering.console.messages import (
    BoxesPage,
    BoxPlayback,
    BoxRow,
    BoxTitle,
    BoxTitles,
    CataloguePage,
    CopiesView,
    FindingsPage,
    FleetOverview,
    SitesPage,
)
from steering.console.picture import Picture, boxes_matching, count, page, picture, sites_matching
from steering.console.queries import BoxesAsked, Paged, SitesAsked, asked, bounds_of, declared
from steering.decision.decider import Decider
from steering.routes.audit import AuditView, audit
from steering.titles.catalogue import Title

PICTURE_S = 2.0
AUDIT_S = 30.0
"""A walk over a million prefixes takes seconds."""
TITLES_NAMED_MAX = 200
ASSETS_NAMED_MAX = 50
FRESH = {"Cache-Control": "no-store"}
Asked = TypeVar("Asked", bound=Struct)


class Console:
    """Handlers over what steering knows."""

    def __init__(self, decider: Decider) -> None:
        self._decider = decider
        self._picture = Kept(self._look, keep_s=PICTURE_S)
        self._overview = Kept(self._sum_up, keep_s=PICTURE_S)
        self._one_shelf = asyncio.Semaphore(1)
        self._audit = Kept(lambda: audit(decider.reach), keep_s=AUDIT_S)

    @endpoint("GET", "/v1/fleet/overview", gives=FleetOverview)
    async def overview(self, request: web.Request) -> web.Response:
        """The fleet at a glance: counts, load, and where its sites are."""
        del request
        return json_response(await self._overview.value(), headers=FRESH)

    @endpoint("GET", "/v1/fleet/sites", gives=SitesPage, refuses=(400,), query=declared(SitesAsked))
    async def sites(self, request: web.Request) -> web.Response:
        """Sites with their boxes summed up, a page at a time."""
        wanted = asked_of(request, SitesAsked)
        known = (await self._picture.value()).sites
        found = sites_matching(known, state=wanted.state, search=wanted.search, bounds=bounds_of(wanted.bounds))
        rows, after = page(found, lambda row: row.site, after=wanted.after, limit=wanted.limit)
        return json_response(SitesPage(len(found), rows, after), headers=FRESH)

    @endpoint("GET", "/v1/fleet/boxes", gives=BoxesPage, refuses=(400,), query=declared(BoxesAsked))
    async def boxes(self, request: web.Request) -> web.Response:
        """Appliances, how each stands and why, worst first, a page at a time."""
        wanted = asked_of(request, BoxesAsked)
        known = (await self._picture.value()).boxes
        found = boxes_matching(known, state=wanted.state, site=wanted.site, search=wanted.search)
        stands, after = page(found, lambda box: box.appliance, after=wanted.after, limit=wanted.limit)
        rows = [BoxRow(box.state, appliance_view(self._decider, box.appliance, box.site)) for box in stands]
        return json_response(BoxesPage(len(found), [_without_list(row) for row in rows], after), headers=FRESH)

    @endpoint("GET", "/v1/catalogue", gives=CataloguePage, refuses=(400,), query=declared(Paged))
    async def catalogue(self, request: web.Request) -> web.Response:
        """Titles and on how many boxes each lies, a page at a time."""
        wanted = asked_of(request, Paged)
        return json_response(await asyncio.to_thread(self._catalogue_page, wanted), headers=FRESH)

    @endpoint("GET", "/v1/shelf", gives=TitlesView, refuses=(400,), query=declared(Paged))
    async def shelf(self, request: web.Request) -> web.Response:
        """Titles as a page shows them to viewers, and who holds what, a page at a time."""
        wanted = asked_of(request, Paged)
        async with self._one_shelf:
            found = await asyncio.to_thread(self._shelf_page, wanted)
        return json_response(found, headers=FRESH)

    @endpoint("GET", "/v1/catalogue/{title}", gives=CopiesView, refuses=(404,))
    async def copies(self, request: web.Request) -> web.Response:
        """One title: its assets, and on how many boxes each lies."""
        title = self._title(request.match_info["title"])
        found = await asyncio.to_thread(copies_view, title, self._decider.fleet.holders)
        return json_response(found, headers=FRESH)

    @endpoint("GET", "/v1/routes/findings", gives=FindingsPage, refuses=(400,), query=declared(Paged))
    async def findings(self, request: web.Request) -> web.Response:
        """What is wrong with routes that appliances hear, a page at a time; looked at every half a minute."""
        wanted = asked_of(request, Paged)
        return json_response(_findings_page(await self._audit.value(), wanted), headers=FRESH)

    @endpoint("GET", "/v1/fleet/boxes/{appliance}/titles", gives=BoxTitles, refuses=(404,))
    async def titles(self, request: web.Request) -> web.Response:
        """Titles that an appliance holds something of: the first 200."""
        appliance, held = self._box(request), []
        for name in self._decider.fleet.holders.titles_of(appliance, at_most=TITLES_NAMED_MAX):
            title = self._decider.catalogue.titles.get(name)
            if title is not None:
                missing = self._missing(appliance, title)
                held.append(BoxTitle(name, title.name, len(title.assets) - len(missing), len(title.assets)))
        return json_response(BoxTitles(appliance, held), headers=FRESH)

    @endpoint("GET", "/v1/fleet/boxes/{appliance}/playback/{title}", gives=BoxPlayback, refuses=(404,))
    async def playback(self, request: web.Request) -> web.Response:
        """Where a title plays from one appliance alone, whatever steering would decide: to try a box."""
        appliance, title = self._box(request), self._title(request.match_info["title"])
        report = self._decider.fleet.members[appliance].report
        entry = next((asset.entry for asset in title.assets if asset.kind == "manifests"), "")
        if report is None or not entry:
            why = "it has not reported yet" if report is None else "the title has no playlist of its own"
            raise Refusal(404, f"{title.title} cannot be played from {appliance}", detail=why)
        liveness = self._decider.liveness(appliance)
        url = report.delivery_urls[0].rstrip("/")
        answer = BoxPlayback(
            appliance=appliance,
            title=title.title,
            name=title.name,
            url=url,
            hls_url=f"{url}{self._decider.token_path(appliance, title)}{entry}",
            standing=liveness.standing,
            why=liveness.why,
            missing=self._missing(appliance, title)[:ASSETS_NAMED_MAX],
        )
        return json_response(answer, headers=FRESH)

    def _look(self) -> Picture:
        decider = self._decider
        liveness = {name: decider.liveness(name) for name in decider.site_of}
        reports = {name: decider.fleet.members[name].report for name in decider.site_of}
        return picture(decider.settings.site, liveness, reports)

    def _sum_up(self) -> FleetOverview:
        seen = self._look()
        shown, unplaced = marks(seen.sites)
        return FleetOverview(
            at_ns=now_ns(),
            sites=len(seen.sites),
            boxes=len(seen.boxes),
            by_state=count(box.state for box in seen.boxes),
            by_standing=count(box.liveness.standing for box in seen.boxes),
            sites_by_state=count(site.state for site in seen.sites),
            sent_bytes_per_s=sum(site.sent_bytes_per_s for site in seen.sites),
            link_bytes_per_s=sum(site.link_bytes_per_s for site in seen.sites),
            used_bytes=sum(site.used_bytes for site in seen.sites),
            capacity_bytes=sum(site.capacity_bytes for site in seen.sites),
            titles=len(self._decider.catalogue.titles),
            marks=shown,
            unplaced=unplaced,
        )

    def _catalogue_page(self, wanted: Paged) -> CataloguePage:
        titles = self._decider.catalogue.titles
        found = titles_matching(titles, wanted.search)
        names, after = page(found, lambda name: name, after=wanted.after, limit=wanted.limit)
        rows = [catalogue_row(titles[name], self._decider.fleet.holders.copies(name)) for name in names]
        return CataloguePage(len(titles), len(found), rows, after)

    def _shelf_page(self, wanted: Paged) -> TitlesView:
        found = titles_matching(self._decider.catalogue.titles, wanted.search)
        names, after = page(found, lambda name: name, after=wanted.after, limit=wanted.limit)
        return titles_page(self._decider, names, matching=len(found), after=after)

    def _missing(self, appliance: str, title: Title) -> list[str]:
        holds = self._decider.fleet.holders.holds
        return [asset.asset for asset in title.assets if holds(appliance, asset.asset) != asset.revision]

    def _box(self, request: web.Request) -> str:
        appliance = request.match_info["appliance"]
        if appliance not in self._decider.site_of:
            raise Refusal(404, "No such appliance", remedy="GET /v1/fleet/boxes lists them")
        return appliance

    def _title(self, name: str) -> Title:
        title = self._decider.catalogue.titles.get(name)
        if title is None:
            raise Refusal(404, "No such title", remedy="GET /v1/catalogue lists them")
        return title


def asked_of(request: web.Request, kind: type[Asked]) -> Asked:
    """What a request asks for.

    Raises:
        Refusal: 400, naming the parameter that is wrong.
    """
    try:
        return asked(request.query, kind)
    except msgspec.ValidationError as error:
        detail, _, place = str(error).partition(" - at `")
        raise Refusal(400, "The query is not as agreed", detail=detail, field=place.strip("`$.")) from None


def _findings_page(view: AuditView, wanted: Paged) -> FindingsPage:
    text = wanted.search.casefold()
    found = [
        finding for finding in view.findings if text in f"{finding.kind} {finding.site} {finding.appliance}".casefold()
    ]
    numbered = list(enumerate(found))
    shown, after = page(numbered, lambda row: str(row[0]), after=wanted.after, limit=wanted.limit)
    return FindingsPage(
        prefixes=view.prefixes,
        appliances=len(view.appliances),
        routes=sum(heard.routes for heard in view.appliances),
        set_aside=sum(heard.set_aside for heard in view.appliances),
        kinds=count(finding.kind for finding in view.findings),
        findings=[finding for _, finding in shown],
        after=after,
    )


def _without_list(row: BoxRow) -> BoxRow:
    """With the first only of the assets that it is filling: a fill tells of a hundred."""
    fill = row.appliance.fill
    if fill is None:
        return row
    return replace(row, appliance=replace(row.appliance, fill=replace(fill, current=fill.current[:1])))
