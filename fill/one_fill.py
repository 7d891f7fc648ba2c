"""One fill with everything around it: the store, sources, pace, who is shown how it goes, and what is kept of it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, closing
from functools import partial

import aiohttp

from fill.agent import FillAgent
from fill.fetch import ObjectFetcher
from fill.gate import Gate
from fill.governor import Governor
from fill.night import kept, with_fill
from fill.pace import Pacer
from fill.progress import Display
from fill.rank import SourceRank
from fill.s3 import S3Signer
from fill.settings import Configuration
from fill.state import FillState
from fill.steering_client import SteeringClient
from fill.tracker import FillTracker
from oca.common import clock
from oca.common.errors import StoreError
from oca.common.log import get_logger
from oca.common.messages import FillPlan, FillProgress
from oca.common.tasks import Tasks
from oca.common.threads import in_thread
from oca.common.tracing import OFF, Tracing
from oca.store.store import Store

SHOW_INTERVAL_S = 0.2
KEEP_INTERVAL_S = 2.0
_log = get_logger("fill")


class OneFill:
    """Carries one plan out.

    Args:
        configuration: Where from and how.
        session: What HTTP goes by.
        client: Steering.
        gate: Tells the cap that holds now.
        state: Keeps progress and the night's report.
        tracker: Counts.
        rank: Remembers sources' faults from fill to fill.
        night: What the fill counts to.
        bytes_left: What may be fetched; None: everything.
        tracing: Records its assets, inside the current span.
    """

    def __init__(
        self,
        configuration: Configuration,
        session: aiohttp.ClientSession,
        client: SteeringClient,
        *,
        gate: Gate,
        state: FillState,
        tracker: FillTracker,
        rank: SourceRank,
        night: str,
        bytes_left: int | None,
        tracing: Tracing = OFF,
    ) -> None:
        self._tracing = tracing
        self._configuration = configuration
        self._client = client
        self._state = state
        self._tracker = tracker
        self._rank = rank
        self._night = night
        self._failing = ""
        settings = configuration.own.fill
        self.pacer = Pacer(source_bytes_per_s_max=settings.source_rate_bytes_per_s_max, bytes_left=bytes_left)
        signer = S3Signer(configuration.buckets)
        self._fetcher = ObjectFetcher(session, settings, self.pacer, rank, signer=signer)
        listen = configuration.box.admin.listen
        self._governor = Governor(session, listen, self.pacer, configuration.own.busy, gate.rate_bytes_per_s_max)

    async def run(
        self, plan: FillPlan, new_display: Callable[[], Display], *, urgent: bool, dice: Callable[[], float]
    ) -> None:
        """Fill until everything is there that can be had.

        Raises:
            StoreError: The store cannot be opened.
        """
        with closing(self._open_store()) as store:
            await self._governor.look()
            async with self._shown(new_display):
                agent = FillAgent(
                    store,
                    self._client,
                    self._fetcher,
                    self._tracker,
                    self._configuration.own.fill,
                    ladder=self._configuration.own.ladder,
                    budget=self._configuration.own.budget,
                    rank=self._rank,
                    dice=dice,
                    tracing=self._tracing,
                )
                await agent.fill(plan, urgent_only=urgent)

    def keep(self, progress: FillProgress, *, urgent: bool) -> None:
        """Add a fill that has ended to its night; one that found nothing to do leaves no trace."""
        self._show_kept(progress, self._tracker.bytes_in)
        nothing = not (progress.assets_total or progress.assets_evicted or self._tracker.left_out)
        if nothing and (urgent or progress.state == "done"):
            return
        try:
            nights = self._state.nights()
            night = with_fill(
                next((each for each in nights if each.night == self._night), None),
                self._night,
                progress,
                bytes_in=self._tracker.bytes_in,
                refused=self._tracker.refused,
                left_out=self._tracker.left_out,
            )
            self._state.keep(kept(nights, night))
        except StoreError as error:
            _log.error("the night's report is not kept", why=str(error))

    def _open_store(self) -> Store:
        table = self._configuration.box.store
        store = Store.open(
            self._configuration.devices, device_bytes_max=table.device_bytes_max, reserve_ratio=table.reserve_ratio
        )
        for error in store.failed.values():
            _log.error("device left out", why=str(error))
        return store

    @asynccontextmanager
    async def _shown(self, new_display: Callable[[], Display]) -> AsyncIterator[None]:
        """Show, report and write down progress, and keep to what the box allows, while the body runs."""
        tasks, tracker = Tasks(), self._tracker
        with new_display() as display:

            async def show() -> None:
                while True:
                    tracker.held_back(self._governor.held_back)
                    display.show(tracker.snapshot(clock.now_ns()))
                    await asyncio.sleep(SHOW_INTERVAL_S)

            async def report() -> None:
                while True:
                    await self._client.report(tracker.snapshot(clock.now_ns()))
                    await asyncio.sleep(self._configuration.own.fill.progress_interval_s)

            async def keep() -> None:
                while True:
                    seen = tracker.snapshot(clock.now_ns())
                    await in_thread(partial(self._show_kept, seen, tracker.bytes_in), name="keep progress")
                    await asyncio.sleep(KEEP_INTERVAL_S)

            for work, name in ((self._governor.run(), "governor"), (show(), "show"), (report(), "report")):
                tasks.start(work, name=name)
            tasks.start(keep(), name="keep")
            try:
                yield
            finally:
                await tasks.close()
                display.show(tracker.snapshot(clock.now_ns()))

    def _show_kept(self, progress: FillProgress, bytes_in: int) -> None:
        try:
            self._state.show(progress, bytes_in=bytes_in)
            self._failing = ""
        except StoreError as error:
            if error.message != self._failing:
                self._failing = error.message
                _log.warning("what the fill does cannot be written down; it goes on", why=str(error))
