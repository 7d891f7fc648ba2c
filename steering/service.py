"""The composition root of ``oca-steering serve``: state, decisions, intake, nightly plans, the API."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from pathlib import Path
from typing import cast

import uvloop
from aiohttp import web

from oca.common.addresses import bind_remedy, parse_listen
from oca.common.clock import monotonic_s, now_ns
from oca.common.errors import ConfigError
from oca.common.huge_pages import HugePages, turn
from oca.common.log import configure_logging, get_logger
from oca.common.notify import notify, notify_alive
from oca.common.owner import warn_of_root
from oca.common.threads import in_thread
from oca.common.token import read_token
from oca.common.tracing import open_tracing
from steering.api.app import Views, steering_app
from steering.api.appliances import Appliances
from steering.api.authorisation import Authorisation
from steering.api.connections import Connections, connections_limit
from steering.api.document import ApiDocument
from steering.api.drains import Drains
from steering.api.observers import Observers
from steering.api.page import Page
from steering.api.routes import Routes
from steering.background import Background
from steering.console.api import Console
from steering.console.api_plans import Plans
from steering.cycles import Cycles
from steering.decision import ranking
from steering.decision.address import Trust
from steering.decision.log import DecisionLog
from steering.decision.traced import new_decider
from steering.fleet.federation import Federation
from steering.fleet.first_reports import FirstReports
from steering.fleet.fleet_copy import FleetCopy
from steering.fleet.liveness import first_reports_limit_s
from steering.fleet.standing_orders import StandingOrders
from steering.history.hourly import HourlyHistory, put_away
from steering.metrics import Counts
from steering.plan.intake import Intake
from steering.plan.nightly import NightlyPlans
from steering.plan.traces import PlanTraces
from steering.players.api import Players
from steering.players.express import Express
from steering.players.playback import Playback
from steering.players.traced import TracedExpress
from steering.probing.prober import Prober
from steering.routes.intake import RouteIntake
from steering.routes.prefix_files import PrefixFiles
from steering.settings import SteeringSettings
from steering.signing import Signing
from steering.state.engine import open_instance
from steering.state.peers import Peers
from steering.state.store import StateStore
from steering.titles.catalogue import Catalogue
from steering.trust.api_enrol import Enrolment
from steering.trust.api_operators import Operators
from steering.trust.crowd import Crowd
from steering.trust.limits import Limits
from steering.trust.serving_audit import ServingAudit
from steering.trust.signatures import Signatures
from steering.trust.traced import Traced

BACKLOG = 1024
CATALOGUE_INTERVAL_S = 0.25
KEYS_INTERVAL_S = 0.5
PREFIX_FILES_INTERVAL_S = 2.0
ALIVE_INTERVAL_S = 1.0
QUALITY_INTERVAL_S = 10.0
STOP_S_MAX = 5.0
HUGE_PAGES_INTERVAL_S = 60.0
HUGE_PAGES_RESTS, HUGE_PAGES_REST_S_MAX = 200, 5.0
"""Times as long as a turn took: whoever looks at a block that moves waits, and on a single core all others."""
PLAN_RETRY_S = 60.0
SWITCH_S = 0.0002
"""How long an event waits for a thread that works; uvloop waits anew for each. Python's own 5 ms leave few answers."""
_LOOPBACK = ("127.0.0.0/8", "::1/128")
_log = get_logger("steering")


def serve(settings: SteeringSettings) -> None:
    """Serve until SIGTERM or SIGINT, answer what was asked, end.

    Raises:
        ConfigError: The state, a token or the address cannot be used.
    """
    configure_logging(level=settings.log.level, style=settings.log.format)
    sys.setswitchinterval(SWITCH_S)
    # The state is not closed: a write that hangs may still be under way in its thread. The end of the process frees it.
    state, peers = open_instance(settings.state)
    copy = FleetCopy.open(Path(settings.state.path) / "fleet") if settings.state.engine == "nats" else None
    uvloop.run(_serve(settings, state, peers, copy))


async def _serve(settings: SteeringSettings, state: StateStore, peers: Peers, copy: FleetCopy | None) -> None:
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    service = Service(settings, state, peers, copy)
    await service.start()
    warn_of_root("oca-steering")
    try:
        await stop.wait()
    finally:
        await service.stop()
        await put_away(state, settings)


class Service:
    """One running instance."""

    def __init__(
        self, settings: SteeringSettings, state: StateStore, peers: Peers, copy: FleetCopy | None = None
    ) -> None:
        """Put the parts together; nothing listens yet.

        Args:
            settings: All of them.
            state: What lasts.
            peers: The other instances.
            copy: What was last known of the fleet, where there are others.

        Raises:
            ConfigError: A token file cannot be read, the log of decisions not written, or traces not be had.
        """
        self._settings = settings
        self._background, self._huge_pages = Background(), HugePages()
        self._catalogue, self._counts = Catalogue(state), Counts()
        self._cycles = Cycles(self._counts.decisions)
        self._signing = Signing(settings.signing, state)
        self._tracing = open_tracing(settings.tracing, "oca-steering", instance=peers.instance)
        self.decider = new_decider(settings, self._catalogue, self._counts, self._signing, self._tracing)
        self.decider.log = DecisionLog.wanted(settings, self._counts)
        self._prober = Prober(self.decider, peers)
        self._orders = StandingOrders(self.decider, state, last_probe=self._prober.last, is_probed=self._prober.is_on)
        self._prefix_files = PrefixFiles(settings.site, self.decider.reach)
        traces = PlanTraces(self._tracing, state, peers, self.decider.site_of)
        self._plans = NightlyPlans(state, settings, self._counts, instance=peers.instance, traces=traces)
        self._history = HourlyHistory(state, settings)
        self._intake = Intake(state, known=lambda: self._catalogue.assets, now_ns=now_ns, sites=settings.site)
        trusted = Trust(settings.api.trusted_proxies)
        signatures = self._new_signatures(state)
        authorisation = self._new_authorisation(signatures)
        limit_s = first_reports_limit_s(settings.fleet.report_interval_s, settings.fleet.report_grace_s)
        self.first_reports = FirstReports(self.decider.site_of, wait_s_max=limit_s)
        self._noting = ServingAudit(state, now_ns)
        route_intake = RouteIntake(self.decider)
        self._federation = Federation(peers, self.decider, self.first_reports, self._noting, route_intake, copy=copy)
        appliances = Appliances(
            self.decider,
            self._intake,
            state,
            authorisation,
            self.first_reports,
            serving_audit=self._noting,
            federation=self._federation,
            traces=traces,
        )
        operators = Operators(settings.operators, state, trusted, self.decider.site_of)
        playback = Playback(self.decider, trusted, self.first_reports)
        players = Players(playback, operators.vouches)
        views = Views(self.decider, self._federation, self.faults, self._tracing)
        routes = Routes(self.decider, authorisation, route_intake, self._federation)
        enrolment = Enrolment(state, self.decider.site_of, authorisation, signatures)
        limits = Limits(settings.limits, trusted, self._counts, monotonic_s)
        drains = Drains(state, self.decider.site_of, operators.actor, self._orders.follow)
        seen = (Observers(self._prober.observers), drains, Console(self.decider), Plans(self.decider, state))
        parts = (players, views, appliances, routes, enrolment, operators, *seen, Page(), ApiDocument())
        traced = Traced(self._tracing, Trust(settings.tracing.callers))
        self.app = steering_app(parts, [limits.gate, operators.gate], traced.gates)
        self.express = TracedExpress(playback, limits, traced) if traced.gates else Express(playback, limits)
        self._runner = web.AppRunner(self.app, handle_signals=False, shutdown_timeout=STOP_S_MAX)
        self._listener: asyncio.Server | None = None

    async def start(self) -> None:
        """Listen.

        Raises:
            ConfigError: The address is taken or not ours.
        """
        endpoint = parse_listen(self._settings.api.listen, setting="api.listen")
        await self._runner.setup()
        connections = Connections(
            cast(web.Server, self._runner.server),
            self._counts,
            connections_limit(self._settings.api.connections_max),
            Crowd(self._settings.limits.connections_per_client_max, Trust(self._settings.api.trusted_proxies)),
            self.express,
        )
        try:
            self._listener = await asyncio.get_running_loop().create_server(
                connections, endpoint.host, endpoint.port, backlog=BACKLOG
            )
        except OSError as error:
            await self._runner.cleanup()
            raise ConfigError(
                f"[api] listen = {endpoint.authority!r}: {os.strerror(error.errno or 0).lower()}",
                remedy=bind_remedy(endpoint, error.errno, setting="[api] listen"),
            ) from None
        self.start_work()
        self._cycles.begin()
        notify("READY=1")
        _log.info(
            "serving",
            compiled=not str(ranking.__file__).endswith(".py"),
            url=f"http://{endpoint.authority}",
            titles=len(self._catalogue.titles),
            appliances=sum(len(site.appliance) for site in self._settings.site),
        )

    def start_work(self) -> None:
        """Begin what goes on beside answering."""
        self._federation.begin()
        self._background.repeat(self._federation.look, name="instances")
        self._background.repeat(self._federation.take_routes, name="routes of other instances")
        self._background.repeat(self._federation.keep_copy, name="copy of the fleet")
        self._background.repeat(self._intake.write_next, name="demand")
        self._background.repeat(self._noting.write_next, name="audit log")
        if self.decider.log is not None:
            self._background.repeat(self.decider.log.write_next, name="decision log")
        self._background.repeat(self._follow_catalogue, name="catalogue")
        self._background.repeat(self._follow_prefix_files, name="prefix files")
        self._background.repeat(self._follow_keys, name="signing keys")
        self._background.repeat(self._orders.look, name="drains and turn-up")
        self._background.repeat(self._forget_quality, name="quality")
        self._background.repeat(self._tell_manager, name="service manager")
        self._background.repeat(self._cycles.look, name="cycles")
        self._background.repeat(self._use_huge_pages, name="huge pages")
        self._background.repeat(self._history.look, name="history", retry_s=PLAN_RETRY_S)
        self._background.repeat(self._plans.look, name="nightly plans", retry_s=PLAN_RETRY_S)
        if self._prober.is_on:
            self._background.repeat(self._prober.look, name="probes")

    async def stop(self) -> None:
        """Answer what was asked, then end."""
        notify("STOPPING=1")
        if self._listener is not None:
            self._listener.close()
        await self._runner.cleanup()
        await self._background.close()
        await self._prober.close()
        self._tracing.close()
        self._cycles.end()
        _log.info("stopped")

    def faults(self) -> list[str]:
        """What is amiss with the work beside answering, a line each."""
        parts = (self._plans.overdue(), self._prober.faults(), self._federation.faults(), self._history.faults())
        return [*self._background.faults(), *(fault for part in parts for fault in part)]

    def _new_signatures(self, state: StateStore) -> Signatures:
        skew_s = self._settings.enrolment.clock_skew_s_max
        return Signatures(state, self._counts, clock_skew_s_max=skew_s, now_ns=now_ns)

    def _new_authorisation(self, signatures: Signatures) -> Authorisation:
        settings = self._settings
        open_to = Trust((*_LOOPBACK, *settings.api.open_to))
        return Authorisation(self.decider.site_of, read_tokens(settings), open_to, signatures)

    async def _follow_keys(self) -> None:
        """Rotate keys in time; take up what a command or another instance did."""
        await asyncio.sleep(KEYS_INTERVAL_S)
        await self._signing.look()

    async def _forget_quality(self) -> None:
        """Let go of what players told of paths on which nobody plays any more."""
        await asyncio.sleep(QUALITY_INTERVAL_S)
        self.decider.feedback.expire(monotonic_s())

    async def _tell_manager(self) -> None:
        """Say that this loop turns, and what is amiss."""
        await asyncio.sleep(ALIVE_INTERVAL_S)
        notify_alive("; ".join(self.faults()) or f"{len(self._catalogue.titles)} titles")

    async def _use_huge_pages(self) -> None:
        """Move what is known by now into huge pages: decisions look all over it."""
        await asyncio.sleep(HUGE_PAGES_INTERVAL_S)
        moves = self._huge_pages.move()
        while True:
            took_s = await in_thread(lambda: turn(moves), name="huge pages")
            if took_s is None:
                return
            await asyncio.sleep(min(took_s * HUGE_PAGES_RESTS, HUGE_PAGES_REST_S_MAX))

    async def _follow_prefix_files(self) -> None:
        """Take up prefixes that an operator lists anew."""
        await asyncio.sleep(PREFIX_FILES_INTERVAL_S)
        await self._prefix_files.look()

    async def _follow_catalogue(self) -> None:
        """Take up what ``oca-steering publish`` writes beside us."""
        await asyncio.sleep(CATALOGUE_INTERVAL_S)
        if self._catalogue.changed():
            await in_thread(self._catalogue.refresh, name="catalogue")
            _log.info("catalogue changed", titles=len(self._catalogue.titles))


def read_tokens(settings: SteeringSettings) -> dict[str, str]:
    """The token of each appliance that has one.

    Raises:
        ConfigError: A token file cannot be read, or holds no token.
    """
    return {
        appliance.id: read_token(appliance.token_file, setting=f"token_file of {appliance.id}")
        for site in settings.site
        for appliance in site.appliance
        if appliance.token_file
    }
