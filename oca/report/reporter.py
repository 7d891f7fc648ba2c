"""Tells steering every few seconds how the appliance is, and takes in what steering wants next.

Nothing here is needed to serve: while steering is away the appliance serves what it holds, and this says so once.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

import msgspec

from oca import __version__
from oca.common.box import ApplianceTable, SteeringTable
from oca.common.clock import monotonic_s, now_ns
from oca.common.errors import SteeringError
from oca.common.jwk import SigningPolicy
from oca.common.log import get_logger
from oca.common.messages import QUALITY_PREFIXES_MAX, Misses, PrefixQuality, Report, ReportAnswer, Serving
from oca.common.quality import by_prefix
from oca.common.threads import in_thread
from oca.common.tracing import OFF, Span, Tracing
from oca.report.exchange import Exchange, new_session
from oca.report.kept_demand import KeptDemand
from oca.report.route_watch import RouteWatch
from oca.report.schedule import clock_ahead_s, next_report_in_s
from oca.report.snapshot import Delivery, Snapshot, SteeringLink

if TYPE_CHECKING:
    import aiohttp

LAST_REPORTS_MAX = 3
"""One for a batch whose answer was cut off, one for the demand since, one to spare."""
LAST_REPORT_S = 1.0
KEEP_S_MAX = 1.0
QUALITY_S = 60.0
"""How often players' quality is told: it covers a quarter of an hour, and costs steering a look-up for each network."""
_log = get_logger("reporter")
_decode = msgspec.json.Decoder(ReportAnswer).decode
_encode = msgspec.json.Encoder().encode


class Signing(Protocol):
    """What the reporter needs of ``signing.SigningState``."""

    @property
    def policy(self) -> SigningPolicy | None:
        """What the workers go by."""

    def take(self, policy: SigningPolicy) -> None:
        """Go by another."""


class Reporter:
    """Sends reports of one boot of the appliance."""

    def __init__(
        self,
        appliance: ApplianceTable,
        steering: SteeringTable,
        *,
        boot_id: str,
        delivery: Delivery,
        observe: Callable[[], tuple[Snapshot, Serving]],
        chance: Callable[[], float],
        signing: Signing,
        routes: RouteWatch | None = None,
        demand_folder: Path | None = None,
        tracing: Tracing = OFF,
    ) -> None:
        """Make ready to report.

        Args:
            appliance: Who reports.
            steering: To whom, how often, with which token.
            boot_id: Names this run of the daemon; demand is counted within it.
            delivery: Gives its URLs and the demand.
            observe: What to report now.
            chance: A number in [0, 1) on each call, to spread reports.
            signing: Takes up what steering says of signed URLs.
            routes: What is heard by BGP; None: nothing is.
            demand_folder: Where demand is kept until steering has it; None: in memory alone.
            tracing: Records a sample of the reports.

        Raises:
            ConfigError: The token file or the identity cannot be used.
        """
        self.link = SteeringLink(steering.url, since_ns=now_ns())
        self._appliance = appliance
        self._steering = steering
        self._boot_id = boot_id
        self._delivery = delivery
        self._observe = observe
        self._chance = chance
        self._signing = signing
        self._routes = routes
        self._ledger = KeptDemand(demand_folder, boot_id, started_at_ns=now_ns())
        self._keeping: asyncio.Future[None] | None = None
        self._tracing = tracing
        self.exchange = Exchange(steering, appliance.id, tracing)
        self._quality_at_s = monotonic_s() + QUALITY_S
        self._wanted = asyncio.Event()
        self._sequence = 0
        self._listed_wanted = ""
        self._failures = 0

    def nudge(self) -> None:
        """Report at once: something changed that steering should not learn seconds late."""
        self._wanted.set()

    async def run(self) -> None:
        """Report until cancelled."""
        async with new_session(self._steering.timeout_s) as session:
            while True:
                self._wanted.clear()
                await self.report(session)
                wait_s = next_report_in_s(self._steering.report_interval_s, self._failures, self._chance())
                try:
                    async with asyncio.timeout(wait_s):
                        await self._wanted.wait()
                except TimeoutError:
                    continue

    async def report_last(self) -> None:
        """Report in a session of its own until no demand is left to tell: the daemon is about to end.

        Each report is bounded to a second, and the first that is not taken is the last.
        """
        async with new_session(LAST_REPORT_S) as session:
            for _ in range(LAST_REPORTS_MAX):
                await self.report(session)
                if not self.link.connected or self._ledger.batch(now_ns()) is None:
                    return

    async def report(self, session: aiohttp.ClientSession) -> None:
        """Send one report, and another at once if steering wants the list of contents."""
        try:
            with self._traced():
                answer = await self._send(session)
                if answer.contents_wanted:
                    await self._send(session)
        except SteeringError as error:
            self._failures += 1
            self.link.reports_failed += 1
            self._note(why=str(error))
        else:
            self._failures = 0
            self._note(why="")

    async def _send(self, session: aiohttp.ClientSession) -> ReportAnswer:
        report = self._compose()
        await self._keep()
        answer = await self._post(session, _encode(report))
        self.link.clock_ahead_s = clock_ahead_s(report.sent_at_ns, answer.at_ns, now_ns()) if answer.at_ns else None
        self.link.sends_viewers, self.link.judged = answer.sends_viewers, answer.why
        self.link.standing = answer.standing
        self._ledger.acknowledge(answer.demand_sequence)
        self._listed_wanted = report.contents.digest if answer.contents_wanted else ""
        self.link.reports_taken += 1
        # Where a batch went out since, the answer is about a table that is no more.
        if answer.routes_wanted and self._routes is not None and self._routes.ledger.digest == report.routes:
            self._routes.nudge()
        if answer.policy is not None:
            self._signing.take(answer.policy)
            if self._signing.policy is answer.policy:
                self.nudge()  # until it knows, steering signs by what was there before
        return answer

    def _traced(self) -> Span:
        if not self._tracing.samples():
            return self._tracing.quiet()
        return self._tracing.root("report", {"oca.appliance": self._appliance.id, "oca.site": self._appliance.site})

    async def _keep(self) -> None:
        """Make demand durable before it is told; a device that hangs holds up one report, for ``KEEP_S_MAX``."""
        if self._keeping is None or self._keeping.done():
            self._keeping = in_thread(partial(self._ledger.keep, self._ledger.due()), name="keep demand")
            await asyncio.wait([self._keeping], timeout=KEEP_S_MAX)

    def _compose(self) -> Report:
        snapshot, serving = self._observe()
        self._ledger.add(self._delivery.take_demand())
        self.link.demand_dropped = self._ledger.dropped
        self._sequence += 1
        held = snapshot.store.held
        policy = self._signing.policy
        return Report(
            appliance=self._appliance.id,
            site=self._appliance.site,
            version=__version__,
            boot_id=self._boot_id,
            sequence=self._sequence,
            sent_at_ns=now_ns(),
            serving=serving,
            delivery_urls=list(self._delivery.urls),
            health=snapshot.health,
            store=snapshot.store.use,
            load=snapshot.load,
            contents=held.contents(listed=self._listed_wanted == held.digest),
            demand=self._ledger.batch(now_ns()),
            misses=Misses(
                **{kind: snapshot.counters.get(f"delivery_misses:{kind}", 0) for kind in Misses.__struct_fields__}
            ),
            policy=policy.revision if policy is not None else "",
            keys=[key.kid for key in policy.keys] if policy is not None else [],
            routes=self._routes.ledger.digest if self._routes is not None else None,
            quality=self._quality(),
        )

    def _quality(self) -> list[PrefixQuality] | None:
        """What players told, once a minute; of those networks that told most."""
        if monotonic_s() < self._quality_at_s:
            return None
        self._quality_at_s = monotonic_s() + QUALITY_S
        return [
            PrefixQuality(
                row.prefix, row.requests, row.starved, row.throughput_kbits_per_s // max(1, row.throughput_told)
            )
            for row in by_prefix(self._delivery.quality())[:QUALITY_PREFIXES_MAX]
        ]

    async def _post(self, session: aiohttp.ClientSession, body: bytes) -> ReportAnswer:
        raw = await self.exchange.post(session, "report", body)
        try:
            return _decode(raw)
        except msgspec.DecodeError as error:
            raise SteeringError(
                f"{self.exchange.url_of('report')}: the answer is not as agreed: {error}",
                remedy="check that [steering] url is steering's",
            ) from None

    def _note(self, *, why: str) -> None:
        """Log only what changed: the same line every few seconds would hide the next fault."""
        connected = not why
        self.link.url = self.exchange.url
        if connected != self.link.connected:
            self.link.since_ns = now_ns()
            if connected:
                _log.info("steering takes reports", url=self.link.url)
        if why not in ("", self.link.why):
            _log.warning("steering does not take reports; serving goes on", why=why)
        self.link.connected = connected
        self.link.known_by = self.exchange.known_by
        self.link.why = why
