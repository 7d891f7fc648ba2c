"""The endpoints that appliances and their fill agents use. Each may speak only for itself."""

from __future__ import annotations

import msgspec
from aiohttp import web
from msgspec import structs

from oca.common.clock import monotonic_s, now_ns
from oca.common.log import get_logger
from oca.common.messages import (
    REPORT_BYTES_MAX,
    TEXT_CHARACTERS_MAX,
    AssetManifest,
    FillPlan,
    FillProgress,
    FillSource,
    Report,
    ReportAnswer,
)
from oca.common.problem import Refusal, json_response, read_body
from oca.common.tracing import NOTHING, TRACERESPONSE, Span
from steering.api.authorisation import Authorisation
from steering.api.endpoints import endpoint
from steering.decision.decider import Decider
from steering.fleet.federation import Federation
from steering.fleet.first_reports import FirstReports
from steering.fleet.fleet import delivery_url_fault
from steering.plan.bodies import PlanBodies
from steering.plan.intake import Intake
from steering.plan.masters import is_master, may_bring
from steering.plan.planner import planned_at_ns
from steering.plan.sources import fill_sources, has_room
from steering.plan.store import PlanStore
from steering.plan.traces import PlanTraces
from steering.state.store import StateStore
from steering.titles.catalogue import StoredAsset, Title
from steering.trust.serving_audit import ServingAudit

PROGRESS_BYTES_MAX = 2**20
_ABLE = ("up", "draining", "turning-up", "returning")
"""Who may serve other appliances."""
_reports = msgspec.json.Decoder(Report)
_progress = msgspec.json.Decoder(FillProgress)
_log = get_logger("fleet")


class Appliances:
    """Handlers for the fleet."""

    def __init__(
        self,
        decider: Decider,
        intake: Intake,
        state: StateStore,
        authorisation: Authorisation,
        first_reports: FirstReports,
        *,
        serving_audit: ServingAudit,
        federation: Federation,
        traces: PlanTraces | None = None,
    ) -> None:
        self._federation = federation
        self._serving_audit = serving_audit
        self._decider = decider
        self._intake = intake
        self._state = state
        self._authorisation = authorisation
        self._first_reports = first_reports
        self._traces = traces or PlanTraces.none(state)
        self._plans = PlanStore(state)
        self._bodies = PlanBodies(decider, state, self._plans)

    @endpoint("POST", "/v1/appliances/{appliance}/report", takes=Report, gives=ReportAnswer)
    async def report(self, request: web.Request) -> web.Response:
        """How an appliance is, what it holds and what was asked of it; the answer says what else is wanted."""
        appliance = self._authorisation.appliance_of(request)
        try:
            report = await read_body(request, _reports, bytes_max=REPORT_BYTES_MAX)
            self._check(appliance, report)
        except Refusal:
            self._decider.counts.add("steering_reports:refused")
            raise
        before = self._decider.liveness(appliance)
        outcome = self._decider.fleet.observe(report, monotonic_s())
        self._decider.heard(appliance)
        wanted = outcome == "taken" and self._decider.fleet.contents_wanted(report)
        if outcome == "taken" and not wanted:
            self._first_reports.heard(appliance)
        self._decider.counts.add(f"steering_reports:{outcome}")
        if outcome == "rival" and self._decider.fleet.members[appliance].rivals == 1:
            _log.warning(
                f"two boots report as {appliance}; the later one counts while it reports",
                address=request.remote,
                boot=report.boot_id,
                remedy="give each box an appliance.id of its own; after a restart, one late report is no fault",
            )
        after = self._decider.liveness(appliance)
        if before.standing != after.standing:
            _log.info("appliance changed", appliance=appliance, standing=after.standing, why=after.why)
        if outcome == "taken":
            self._federation.share_report(report)
            self._traces.reported(appliance)
            if report.quality is not None:
                self._decider.take_quality(appliance, report.quality)
            self._serving_audit.heard(appliance, report.serving, address=request.remote or "")
        wanted |= self._federation.contents_wanted(appliance)
        acknowledged = await self._keep(appliance, report)
        return json_response(
            ReportAnswer(
                contents_wanted=wanted,
                demand_sequence=acknowledged,
                policy=self._decider.signing.policy_for(report.policy),
                routes_wanted=report.routes is not None and self._decider.reach.full_wanted(appliance, report.routes),
                at_ns=now_ns(),
                sends_viewers=after.takes_viewers,
                why=after.why[:TEXT_CHARACTERS_MAX],
                standing=after.standing,
            )
        )

    @endpoint("POST", "/v1/appliances/{appliance}/fill-progress", takes=FillProgress, status=204)
    async def fill_progress(self, request: web.Request) -> web.Response:
        """Remember how a fill goes."""
        appliance = self._authorisation.appliance_of(request)
        progress = await read_body(request, _progress, bytes_max=PROGRESS_BYTES_MAX)
        if progress.appliance != appliance:
            raise Refusal(400, "An appliance speaks only for itself", field="$.appliance")
        self._decider.fleet.progress(progress)
        self._federation.share_progress(progress)
        return web.Response(status=204)

    @endpoint("GET", "/v1/appliances/{appliance}/fill-plan", gives=FillPlan, refuses=(409,))
    async def fill_plan(self, request: web.Request) -> web.Response:
        """The night's plan, or one made now if there is none yet."""
        appliance = self._authorisation.appliance_of(request)
        headers = {"Content-Type": "application/json"}
        with self._span_of_plan(appliance) as span:
            asked_at_ns = now_ns()
            body, made_now = await self._bodies.body(appliance)
            if made_now:
                with self._traces.tracing.child("plan", {"oca.appliance": appliance}, began_at_ns=asked_at_ns):
                    pass
            if span.traceparent:
                headers[TRACERESPONSE] = span.traceparent
                span.set({"http.response.status_code": 200, "oca.plan.bytes": len(body), "oca.plan.made_now": made_now})
        return web.Response(body=body, headers=headers)

    @endpoint("GET", "/v1/appliances/{appliance}/assets/{asset:.+}", gives=AssetManifest, refuses=(404,))
    async def asset(self, request: web.Request) -> web.Response:
        """An asset's objects and its sources as they rank now for this appliance."""
        appliance = self._authorisation.appliance_of(request)
        stored = self._decider.catalogue.asset(request.match_info["asset"])
        title = self._decider.catalogue.title_of(stored.asset) if stored is not None else None
        if stored is None or title is None:
            raise Refusal(404, "No such asset", remedy="fetch the plan again: it may have been withdrawn")
        return json_response(
            AssetManifest(
                asset=stored.asset,
                revision=stored.revision,
                bytes=stored.bytes,
                modified_at_ns=stored.modified_at_ns,
                objects=stored.objects,
                sources=self._sources(appliance, stored, title),
                master=self._is_master(appliance, stored.asset),
            )
        )

    def _span_of_plan(self, appliance: str) -> Span:
        """Below the plan that is asked for, if the box traces: who fills by it goes on from here."""
        if not self._traces.tracing.is_on or not (parent := self._traces.plan_of(appliance)):
            return NOTHING
        route = "/v1/appliances/{appliance}/fill-plan"
        attributes = {"http.request.method": "GET", "http.route": route, "oca.appliance": appliance}
        return self._traces.tracing.root(f"GET {route}", attributes, kind="server", parent=parent)

    def _check(self, appliance: str, report: Report) -> None:
        if report.appliance != appliance:
            raise Refusal(400, "An appliance speaks only for itself", field="$.appliance")
        site = self._decider.site_of[appliance]
        if report.site != site:
            raise Refusal(
                400,
                f"{appliance} belongs to site {site}",
                field="$.site",
                remedy="correct appliance.site in appliance.toml, or move it in steering.toml",
            )
        for index, url in enumerate(report.delivery_urls):
            if fault := delivery_url_fault(url):
                raise Refusal(400, f"{url}: {fault}", field=f"$.delivery_urls[{index}]")

    async def _keep(self, appliance: str, report: Report) -> int | None:
        """Make demand durable; the sequence to acknowledge."""
        site = self._decider.site_of[appliance]
        folded = await self._intake.take(appliance, site, report.demand, report.store.capacity_bytes)
        if report.demand is None:
            return None
        counts = self._decider.counts
        if folded is None:
            counts.add("steering_demand_batches:unwritten")
            return None
        counts.add(f"steering_demand_batches:{folded.outcome}")
        counts.add("steering_demand_items_dropped:unknown-asset", folded.unknown_assets)
        counts.add("steering_demand_items_dropped:absurd", folded.absurd_items)
        counts.add("steering_demand_items_dropped:unknown-object", folded.unknown_objects)
        counts.add("steering_demand_batches:missing", folded.missing_batches)
        if folded.outcome in ("future", "backwards"):
            _log.warning("demand left out: its times cannot be", appliance=appliance, outcome=folded.outcome)
        return report.demand.sequence

    def _is_master(self, appliance: str, asset: str) -> bool:
        fleet, now_s = self._decider.fleet, monotonic_s()
        planned_at, site = planned_at_ns(self._state), self._decider.site_of[appliance]
        planned = self._plans.boxes_with(site, asset)
        others = (
            entry.id
            for entry in self._decider.sites[site].appliance
            if entry.id in planned
            and fleet.liveness(entry.id, now_s).standing in _ABLE
            and may_bring(fleet.members[entry.id].fill, planned_at_ns=planned_at, now_ns=now_ns())
        )
        return is_master(appliance, asset, others, masters=self._decider.settings.plan.fill_masters)

    def _sources(self, appliance: str, stored: StoredAsset, title: Title) -> list[FillSource]:
        fleet = self._decider.fleet
        now_s = monotonic_s()

        def url_of(name: str) -> str:
            report = fleet.members[name].report
            able = report is not None and fleet.liveness(name, now_s).standing in _ABLE
            return report.delivery_urls[0].rstrip("/") if report is not None and able else ""

        def fit(name: str) -> bool:
            report = fleet.members[name].report
            return report is not None and report.health.weight >= 1 and has_room(report.load)

        sources = fill_sources(
            self._decider.sites,
            self._decider.site_of,
            appliance,
            fleet.holders.names(fleet.holders.of(stored.asset, stored.revision)),
            url_of=url_of,
            fit=fit,
            asset=stored.asset,
            origin_url=self._decider.origin_of(title),
        )
        return [
            structs.replace(source, token_path=self._decider.token_path(source.appliance, title))
            if source.appliance is not None
            else source
            for source in sources
        ]
