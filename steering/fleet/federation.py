"""Several instances as one: what an appliance tells one, all know; cut off, each goes on from what it last knew.

Reports and routes are soft: numbers and digests tell what was missed, and it is asked for anew by way of whichever
instance the appliance next speaks to. Decisions read the fleet in memory and never wait for any of this.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Literal

import msgspec
from msgspec import Struct
from msgspec.structs import replace

from oca.common.clock import monotonic_s
from oca.common.log import get_logger
from oca.common.messages import FillProgress, Report
from oca.common.routes import RouteBatch
from steering.decision.decider import Decider
from steering.fleet.first_reports import FirstReports
from steering.fleet.fleet_copy import FleetCopy
from steering.routes.intake import RouteIntake
from steering.state.peers import Alone, Board, Peers, Told, Topic
from steering.trust.serving_audit import ServingAudit

LOOK_S = 0.25
PRESENCE_S = 5.0
"""An instance that was not heard for so long is not counted."""
ASK_AGAIN_S = {"contents": 4.0, "routes": 30.0}
WANTED_S = 30.0
NOTICED_S = 3.0
"""How long a cut may last before it is noticed: whoever was heard until then counts as heard at the cut."""
ROUTES_WAITING_MAX = 1000
COPY_S = 5.0
_log = get_logger("federation")
_encode = msgspec.msgpack.Encoder().encode


class SharedRoutes(Struct, frozen=True):
    """A batch of routes, and whose."""

    appliance: str
    batch: RouteBatch


class Wanted(Struct, frozen=True):
    """What an instance lacks of an appliance."""

    appliance: str
    what: Literal["contents", "routes"]


_reports = msgspec.msgpack.Decoder(Report)
_progress = msgspec.msgpack.Decoder(FillProgress)
_routes = msgspec.msgpack.Decoder(SharedRoutes)
_wanted = msgspec.msgpack.Decoder(Wanted)


class Federation:
    """What this instance shares with the others. All of it runs on the event loop."""

    def __init__(
        self,
        peers: Peers,
        decider: Decider,
        first_reports: FirstReports,
        serving_audit: ServingAudit,
        routes: RouteIntake,
        *,
        copy: FleetCopy | None,
    ) -> None:
        """``copy`` keeps what was known over a restart; an instance alone needs none."""
        self._peers = peers
        self._is_alone = isinstance(peers, Alone)
        self._decider = decider
        self._fleet = decider.fleet
        self._first_reports = first_reports
        self._serving_audit = serving_audit
        self._take_routes = routes.take
        self._copy = copy
        self._others: dict[str, str] = {}
        """Appliance → the instance that its last report came by; not there: by this one."""
        self._wanted: dict[Wanted, float] = {}
        self._asked: dict[Wanted, float] = {}
        self._incoming: asyncio.Queue[SharedRoutes] = asyncio.Queue(ROUTES_WAITING_MAX)
        self._held: dict[str, float] = {}
        """Appliance → the age at which its last report is held."""
        self._held_until_s: float | None = None
        self.presence = Board(peers, "presence", monotonic_s)
        self._listen("reports", self._hear_report)
        self._listen("contents", self._hear_report)
        self._listen("progress", self._hear_progress)
        self._listen("routes", self._hear_routes)
        self._listen("wanted", self._hear_wanted)

    # ---- what this instance hears ----

    def share_report(self, report: Report) -> None:
        """Tell the others of a report that was taken here."""
        self._others.pop(report.appliance, None)
        self._release(report.appliance)
        if self._is_alone:
            return
        raw = _encode(replace(report, demand=None))
        topic: Topic = "contents" if report.contents.assets is not None else "reports"
        self._peers.tell(topic, raw, about=report.appliance)
        if self._copy is not None:
            self._copy.note(report, raw)

    def share_progress(self, progress: FillProgress) -> None:
        """Tell the others how a fill goes."""
        if not self._is_alone:
            self._peers.tell("progress", _encode(progress), about=progress.appliance)

    def share_routes(self, appliance: str, batch: RouteBatch) -> None:
        """Tell the others of a batch that was taken here."""
        if not self._is_alone:
            body = _encode(SharedRoutes(appliance, batch))
            self._peers.tell("routes", body, about=f"{appliance} {batch.before} {batch.after}")

    def contents_wanted(self, appliance: str) -> bool:
        """Whether others lack the list of what an appliance holds that reports here now; asked for once.

        If it is its routes that they lack, the whole table is wanted here too, and goes to all as it comes.
        """
        now_s = monotonic_s()
        if self._wanted.pop(Wanted(appliance, "routes"), 0.0) > now_s:
            self._decider.reach.doubt(appliance)
        return self._wanted.pop(Wanted(appliance, "contents"), 0.0) > now_s

    # ---- what others hear ----

    def _hear_report(self, told: Told) -> None:
        report = _reports.decode(told.body)
        appliance = report.appliance
        if appliance not in self._decider.site_of:
            return  # its instance has other settings
        if self._fleet.observe(report, monotonic_s() - told.age_s) != "taken":
            return
        self._others[appliance] = told.instance
        self._release(appliance)
        self._decider.heard(appliance)
        if report.quality is not None:
            self._decider.take_quality(appliance, report.quality)
        self._decider.counts.add("steering_reports:shared")
        self._serving_audit.seen(appliance, report.serving)
        if self._copy is not None:
            self._copy.note(report, told.body)
        if self._fleet.contents_wanted(report):
            self._ask(Wanted(appliance, "contents"))
        else:
            self._first_reports.heard(appliance)
        if report.routes is not None and self._decider.reach.full_wanted(appliance, report.routes):
            self._ask(Wanted(appliance, "routes"))

    def _hear_progress(self, told: Told) -> None:
        progress = _progress.decode(told.body)
        if progress.appliance in self._decider.site_of:
            self._fleet.progress(progress)

    def _hear_routes(self, told: Told) -> None:
        shared = _routes.decode(told.body)
        if shared.appliance in self._decider.site_of and not self._incoming.full():
            self._incoming.put_nowait(shared)  # what does not fit is missed: digests tell

    def _hear_wanted(self, told: Told) -> None:
        wanted = _wanted.decode(told.body)
        if wanted.appliance in self._decider.site_of:
            self._wanted[wanted] = monotonic_s() + WANTED_S

    def _ask(self, wanted: Wanted) -> None:
        """Have whichever instance hears the appliance next ask it."""
        now_s = monotonic_s()
        if now_s >= self._asked.get(wanted, 0.0):
            self._asked[wanted] = now_s + ASK_AGAIN_S[wanted.what]
            self._peers.tell("wanted", _encode(wanted), about=f"{wanted.appliance} {wanted.what}")

    def _listen(self, topic: Topic, hear: Callable[[Told], None]) -> None:
        def take(told: Told) -> None:
            try:
                hear(told)
            except msgspec.DecodeError as error:
                _log.error("an instance cannot be understood", instance=told.instance, topic=topic, why=str(error))

        self._peers.listen(topic, take)

    # ---- beside answering ----

    async def take_routes(self) -> None:
        """Take in the next batch of routes that another instance told of."""
        shared = await self._incoming.get()
        await self._take_routes(shared.appliance, shared.batch)

    async def keep_copy(self) -> None:
        """Write down what is known, from time to time.

        Raises:
            SteeringError: It cannot be written.
        """
        await asyncio.sleep(COPY_S)
        if self._copy is not None:
            await self._copy.write()

    def begin(self) -> None:
        """Hear the others; where the engine is away, begin with the fleet as it was last known here."""
        self._peers.begin()
        if self._copy is None or self._peers.link().connected:
            return
        for report in self._copy.reports():
            if report.appliance in self._decider.site_of:
                self._fleet.observe(report, monotonic_s())
                self._others[report.appliance] = "an earlier run"
                self._first_reports.heard(report.appliance)

    async def look(self) -> None:
        """Say that this instance is there; hold what others told while they cannot be heard."""
        await asyncio.sleep(LOOK_S)
        self.hold(monotonic_s())
        self.presence.pin(b"")

    def hold(self, now_s: float) -> None:
        """Keep what came by others at the age it had at the cut, until they have had time to tell anew."""
        link, fleet = self._peers.link(), self._decider.settings.fleet
        if link.connected and self._held_until_s is None:
            return
        if not link.connected and not self._held:
            limit_s = self._fleet.age_limit_s
            ages = {name: link.since_s - self._fleet.members[name].received_at_s for name in self._others}
            alive = {name: age_s for name, age_s in ages.items() if age_s <= limit_s + NOTICED_S}
            self._held = {name: max(0.0, min(age_s, limit_s / 2)) for name, age_s in alive.items()}
        if not link.connected:
            self._held_until_s = now_s + fleet.report_interval_s + fleet.report_grace_s + NOTICED_S
        is_over = self._held_until_s is not None and now_s >= self._held_until_s
        for name, age_s in self._held.items():
            member = self._fleet.members[name]
            member.received_at_s = now_s - age_s
            if member.is_held == is_over:
                member.is_held = not is_over
                self._decider.heard(name)
        if is_over:
            self._held, self._held_until_s = {}, None

    def faults(self) -> list[str]:
        """What is amiss between the instances, a line each."""
        link = self._peers.link()
        if link.connected:
            return []
        away_s = monotonic_s() - link.since_s
        held = f"; {len(self._held)} appliances as last known from others" if self._held else ""
        return [f"the shared state has been away for {away_s:.0f} s ({link.why}){held}"]

    def is_connected(self) -> bool:
        """Whether the engine of the shared state is reached."""
        return self._peers.link().connected

    def instances(self) -> list[str]:
        """Who is there, this instance included."""
        return sorted(self.presence.words(age_s_max=PRESENCE_S).keys() | {self._peers.instance})

    def _release(self, appliance: str) -> None:
        self._held.pop(appliance, None)
        self._fleet.members[appliance].is_held = False
