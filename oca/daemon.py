"""The composition root of ``oca serve``: starts the parts, keeps them up, and ends them in order."""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Callable, Coroutine, Mapping
from pathlib import Path
from typing import Any

from oca import __version__
from oca.admin.quality import By, QualityPage, quality_page
from oca.admin.routes import RoutesPage, routes_page, routes_status
from oca.admin.screen import service_line
from oca.admin.server import AdminServer
from oca.admin.status import Renewal, Status, status_of
from oca.admin.top import HotPage, hot_page
from oca.common.addresses import parse_listen
from oca.common.clock import monotonic_s, now_ns
from oca.common.log import configure_logging, get_logger, recent_lines
from oca.common.messages import Serving
from oca.common.notify import notify, notify_alive
from oca.common.owner import warn_of_root
from oca.common.tasks import Tasks
from oca.common.tracing import open_tracing
from oca.delivery.metrics import DELIVERY
from oca.delivery.quality import WINDOW_S as QUALITY_WINDOW_S
from oca.delivery.supervisor import Supervisor
from oca.inheritance import Inheritance
from oca.lifecycle import Lifecycle
from oca.network.links import read_links
from oca.report import kept_demand
from oca.report.drain import Drain
from oca.report.inventory import Inventory
from oca.report.metrics import APPLIANCE, appliance_values
from oca.report.observer import Observer
from oca.report.past import Past
from oca.report.reporter import Reporter
from oca.report.route_watch import watch_routes
from oca.report.snapshot import Snapshot
from oca.scrubbing import Scrubbing
from oca.settings import ApplianceSettings
from oca.signing import SigningState
from oca.store.scrub_messages import SCRUB
from oca.succession import Successor, legacy

OBSERVE_INTERVAL_S, RESTART_S, LEGACY_S = 1.0, 5.0, 1.0
_log = get_logger("daemon")


class Daemon:
    """One run of the appliance; also what the admin API shows and drives."""

    def __init__(
        self,
        settings: ApplianceSettings,
        supervisor: Supervisor,
        inventory: Inventory,
        load: Callable[[], ApplianceSettings],
        inheritance: Inheritance | None = None,
    ) -> None:
        """Put the parts together; nothing listens yet.

        Raises:
            ConfigError: The steering token or a file of keys cannot be read.
            StoreError: The store cannot be read.
        """
        self._settings, self._supervisor = settings, supervisor
        self._lifecycle = Lifecycle(settings, supervisor, load=load, apply=self._apply, succeed=self._succeed)
        self._inheritance = inheritance or Inheritance()
        self._admin: AdminServer | None = None
        self._started_at_ns, self._stopping = now_ns(), False
        self._tasks, self._scrub = Tasks(), Tasks()  # apart: nothing waits for the scrubber but the end
        self._over, self._hurry = asyncio.Event(), asyncio.Event()
        self._phase: Serving = "serving"
        devices = [Path(device) for device in settings.store.devices]
        self.past = Past(devices[0], now_ns=self._started_at_ns)
        hosts = [parse_listen(text, setting="delivery.listen").host for text in settings.delivery.addresses]
        self._scrubbing = Scrubbing(settings.store, inventory.blame)
        self._observer = Observer(
            supervisor, inventory, settings.health, hosts=hosts, read_links=read_links, suspect=self._scrubbing.suspect
        )
        out, limit_s = inventory.out(), settings.drain.duration_s_max
        self._drain = Drain([device for n, device in enumerate(devices) if n not in out], drain_s_max=limit_s)
        self._signing = SigningState(settings.delivery.authorisation, devices, supervisor.authorise)
        self._boot_id = secrets.token_hex(16)
        self._tracing = open_tracing(settings.tracing, "oca", instance=settings.appliance.id)
        self._routes = watch_routes(settings.routes, boot_id=self._boot_id)
        self._reporter = self._make_reporter() if settings.steering.url else None

    @property
    def snapshot(self) -> Snapshot:
        """What was seen last; an operator's drain is among the reasons of its health."""
        seen = self._observer.snapshot.explained(self._routes.reason if self._routes is not None else "")
        return seen.explained(self._supervisor.tls.reason).explained(self._signing.reason).explained(self._drain.reason)

    @property
    def serving(self) -> Serving:
        """As the operator wants it, or as stopping has it."""
        return self._phase if self._phase != "serving" else self._drain.serving.state

    def drain(self, for_s: int) -> bool:
        """Send no new viewers here, for so long or (0) until told otherwise; false where that is so already."""
        return self._tell_if(self._drain.drain(for_s))

    def undrain(self) -> bool:
        """Serve again; false where that is so already."""
        changed = self._drain.undrain()
        self._tell_delivery()
        return self._tell_if(changed)

    async def reload(self) -> Renewal:
        """Read settings and files anew; how that went."""
        notify(f"RELOADING=1\nMONOTONIC_USEC={round(monotonic_s() * 1e6)}")
        try:
            return await self._lifecycle.reload()
        finally:
            notify("READY=1")

    async def upgrade(self) -> Renewal:
        """Let a new daemon follow this one; how that went."""
        outcome = await self._lifecycle.upgrade()
        if self._lifecycle.successor is not None:
            notify(f"MAINPID={self._lifecycle.successor.pid}")
            self._over.set()
        return outcome

    def soon(self, renew: Callable[[], Coroutine[Any, Any, Renewal]]) -> None:
        """``reload`` or ``upgrade``, told of in the log and by ``status``; not while the workers start."""
        if self._supervisor.workers():
            self._tasks.start(renew(), name=renew.__name__)

    def stop(self) -> None:
        """End the run; the second call ends it at once."""
        if self._stopping:
            self._hurry.set()
        self._stopping = True
        self._over.set()

    def quality(self, by: By, limit: int) -> QualityPage:
        """What viewers had of late."""
        is_on = self._settings.delivery.cmcd.quality
        return quality_page(self._supervisor.quality(), is_on=is_on, window_s=QUALITY_WINDOW_S, by=by, limit=limit)

    def routes(self, after: str, limit: int) -> RoutesPage:
        """What is heard by BGP."""
        return routes_page(self._routes, socket=self._settings.routes.bird_socket, after=after, limit=limit)

    def hot(self, limit: int) -> HotPage:
        """The assets that most was sent of in the last minute."""
        return hot_page(self._supervisor.gathered.hot.top(limit, monotonic_s()))

    def status(self) -> Status:
        """The appliance at a glance."""
        return status_of(
            self._observer.snapshot,
            appliance=self._settings.appliance.id,
            site=self._settings.appliance.site,
            version=__version__,
            started_at_ns=self._started_at_ns,
            serving=self.serving,
            drain=self._drain,
            urls=self._supervisor.urls,
            link=self._reporter.link if self._reporter else None,
            renewal=self._lifecycle.last,
            pacing=self._settings.delivery.pacing.mode,
            lately=recent_lines(),
            tls=self._supervisor.tls.state(self._observer.snapshot.counters),
            routes=routes_status(self._routes),
        )

    async def run(self) -> None:
        """Start everything, serve until ``stop``, then drain.

        Raises:
            OcaError: A part cannot start; whatever had started has ended again.
        """
        predecessor = self._inheritance.predecessor
        if predecessor is None:
            self._admin = self._listen_for_admin()
        try:
            await self._supervisor.start(self._inheritance.take, meanwhile=self._while_workers_load)
            await self._observer.observe()
            if self._admin is None:  # until now the predecessor could answer better
                self._admin = self._listen_for_admin()
                await self._serve_admin(self._admin)
            self._inheritance.refuse_rest()
            self._tasks.keep_up(self._watch, name="observer", pause_s=RESTART_S)
            if self._scrubbing.is_on:
                self._scrub.start(self._scrubbing.run(), name="scrub")
            if predecessor is not None:
                predecessor.tell()
                self._tasks.start(self._lifecycle.follow(predecessor), name="predecessor")
                await self._lifecycle.alone.wait()
            if self._reporter is not None:
                self._tasks.keep_up(self._reporter.run, name="reporter", pause_s=RESTART_S)
            if self._routes is not None:
                self._routes.start(self._tasks, self._reporter, pause_s=RESTART_S)
            notify("READY=1")
            _log.info("serving", urls=[*self._supervisor.urls], admin=self._settings.admin.listen, state=self.serving)
            warn_of_root("oca")
            await self._over.wait()
            await (self._finish() if self._lifecycle.successor is None else self._leave(self._lifecycle.successor))
        finally:
            await self._supervisor.stop(0)
            await self._tasks.close()
            if self._admin is not None:
                await self._admin.close()
            await self._scrub.close()
            self._tracing.close()
        _log.info("stopped")

    async def _finish(self) -> None:
        """Tell steering to send nobody, then let delivery finish what it is sending."""
        notify("STOPPING=1")
        self._scrubbing.stop()
        _log.info("stopping; finishing what is being sent", drain_s_max=self._settings.delivery.drain_s)
        self._phase = "draining"
        self._tell_if(True)
        began_at = monotonic_s()
        await self._end_delivery()
        await self._tasks.close()
        await self._observer.observe()
        self._phase = "drained"
        _log.info("delivery has ended", after_s=round(monotonic_s() - began_at, 3), hurried=self._hurry.is_set())
        if self._reporter is not None and not self._hurry.is_set():
            await self._reporter.report_last()

    def _succeed(self) -> Successor:
        return Successor([*self._supervisor.sockets, *([self._admin.socket] if self._admin is not None else [])])

    async def _leave(self, successor: Successor) -> None:
        """Let delivery finish what it is sending while ``successor`` serves, and hand on what is counted here."""
        self._scrubbing.stop()
        await self._tasks.close()
        if self._admin is not None:
            await self._admin.close()
        if self._reporter is not None:
            await self._reporter.report_last()

        def hand_on() -> None:
            successor.tell(legacy(__version__, self._supervisor.counters(), self._supervisor.take_demand()))

        await self._end_delivery(meanwhile=hand_on)
        await self._supervisor.stop(0)
        hand_on()
        await successor.close()

    async def _end_delivery(self, meanwhile: Callable[[], None] | None = None) -> None:
        """Drain, until a second signal ends that; where another daemon serves, do something ``meanwhile``."""
        drain_s = self._settings.delivery.drain_s
        draining = self._tasks.start(self._supervisor.stop(drain_s, gently=meanwhile is not None), name="drain")
        hurry = self._tasks.start(self._hurry.wait(), name="second signal")
        while not (draining.done() or hurry.done()):
            if meanwhile is not None:
                meanwhile()
            await asyncio.wait([draining, hurry], timeout=LEGACY_S, return_when=asyncio.FIRST_COMPLETED)

    def _apply(self, settings: ApplianceSettings) -> None:
        self._settings = settings
        self._drain.serving.drain_s_max = settings.drain.duration_s_max
        self._observer.judge.limits = settings.health
        self._signing.take_up(settings.delivery.authorisation)
        configure_logging(level=settings.log.level, style=settings.log.format, appliance=settings.appliance.id)

    def _make_reporter(self) -> Reporter:
        return Reporter(
            self._settings.appliance,
            self._settings.steering,
            boot_id=self._boot_id,
            delivery=self._supervisor,
            observe=lambda: (self.snapshot, self.serving),
            chance=secrets.SystemRandom().random,
            signing=self._signing,
            routes=self._routes,
            demand_folder=Path(self._settings.store.devices[0]) / kept_demand.FOLDER,
            tracing=self._tracing,
        )

    def _tell_delivery(self) -> None:
        """What viewers get from here on: answers of a drained box, or their objects."""
        then = self._settings.drain.then
        self._supervisor.turn_away(then if then != "serve" and self._drain.serving.state == "drained" else None)

    def _tell_if(self, changed: bool) -> bool:
        if changed and self._reporter is not None:
            self._reporter.nudge()
        return changed

    async def _watch(self) -> None:
        while True:
            verdict = self.snapshot.health.verdict
            changed = await self._observer.observe(self._reporter.link.clock_ahead_s if self._reporter else None)
            self._signing.look()
            self._scrubbing.leave_out(self.snapshot.store.out)
            self._supervisor.advise(self.snapshot.load)
            drained = self._drain.observe(self.snapshot.load.connections)
            self._tell_delivery()
            health = self.snapshot.health
            if health.verdict != verdict:
                _log.info("health changed", verdict=health.verdict, reasons=health.reasons)
            self._tell_if(changed or drained or health.verdict != verdict)
            self.past.observe(self.snapshot, self.serving)
            notify_alive(service_line(self.serving, health, self._observer.snapshot.load))
            await asyncio.sleep(OBSERVE_INTERVAL_S)

    async def _while_workers_load(self) -> None:
        await asyncio.gather(*([self._serve_admin(self._admin)] if self._admin else []), self._observer.look_at_links())

    def _listen_for_admin(self) -> AdminServer:
        endpoint = parse_listen(self._settings.admin.listen, setting="admin.listen")
        return AdminServer.listen(endpoint, self._inheritance.take(endpoint))

    async def _serve_admin(self, admin: AdminServer) -> None:
        told = (DELIVERY, self._supervisor.counters), (APPLIANCE, self._values), (SCRUB, self._scrubbing.counters)
        await admin.serve(self, told, self._settings.admin.host_names)

    def _values(self) -> Mapping[str, float]:
        link = self._reporter.link if self._reporter else None
        return {**appliance_values(self.snapshot, self.serving, link), **self._tracing.counts()}
