"""When fills run and what surrounds one: the window, signals, steering's plan, the store, and who is told."""

from __future__ import annotations

import asyncio
import secrets
import signal
from collections.abc import AsyncIterator, Callable, Coroutine, Iterator
from contextlib import asynccontextmanager, closing, contextmanager

import aiohttp

from fill.agent import FillAgent
from fill.fetch import ObjectFetcher
from fill.governor import Governor
from fill.http import new_session
from fill.pace import Pacer
from fill.progress import Display, summary
from fill.rank import SourceRank
from fill.s3 import S3Signer
from fill.settings import Configuration
from fill.steering_client import SteeringClient
from fill.tracker import FillTracker
from fill.window import WindowState
from oca.common import clock
from oca.common.errors import OcaError
from oca.common.log import get_logger
from oca.common.messages import FillPlan, FillProgress
from oca.common.tasks import Tasks
from oca.store.store import Store

LOOK_INTERVAL_S = 30.0
SHOW_INTERVAL_S = 0.2
_SIGNALS = (signal.SIGINT, signal.SIGTERM)
_log = get_logger("fill")


class FillService:
    """Runs one fill, or one after the other for ever.

    Args:
        configuration: What to fill, where from and when.
        new_display: Makes what a fill's progress is shown on.
        ignore_window: Fill at once, whatever the time.
        wait: Whether one fill waits for its window, or ends at once outside it.
    """

    def __init__(
        self,
        configuration: Configuration,
        new_display: Callable[[], Display],
        *,
        ignore_window: bool,
        wait: bool = True,
    ) -> None:
        self._configuration = configuration
        self._settings = configuration.own.fill
        self._new_display = new_display
        self._ignore_window = ignore_window
        self._wait = wait
        self._dice = secrets.SystemRandom().random
        ladder = configuration.own.ladder
        self._rank = SourceRank(half_life_s=ladder.fault_half_life_s, slow_answer_s=ladder.slow_answer_s)
        self._said = ""
        self._failures = 0
        self._stop = asyncio.Event()
        self._stopped_by: signal.Signals | None = None

    async def run_once(self) -> FillProgress | None:
        """Wait for the window, fill, and tell how it went; meanwhile fetch what is urgent.

        Returns:
            None if it was stopped before the window opened; without waiting, if nothing is urgent outside the window.

        Raises:
            SteeringError: Steering cannot be reached, or gives no plan.
            StoreError: The store cannot be opened.
            KeyboardInterrupt: The operator pressed Ctrl-C; what has come is kept.
        """
        with self._signals():
            while not self._stop.is_set():
                state = self._window_state()
                if state.opened:
                    return await self._fill(urgent=False)
                if not self._wait:
                    return await self._fill(urgent=True) if state.urgent_allowed else None
                await self._outside_window(state)
        return None

    async def run_forever(self) -> None:
        """Fill in every window, and again every ``replan_interval_s`` within it, until stopped.

        Raises:
            KeyboardInterrupt: The operator pressed Ctrl-C; what has come is kept.
        """
        with self._signals():
            while not self._stop.is_set():
                state = self._window_state()
                if not state.opened:
                    await self._outside_window(state)
                elif await self._tried(urgent=False):
                    await self._sleep(self._settings.replan_interval_s)

    async def _outside_window(self, state: WindowState) -> None:
        """Fetch what is urgent, then wait until it is time to look again, or for the window."""
        if state.why != self._said:
            self._said = state.why
            _log.info("waiting for the fill window", why=state.why)
        if not state.urgent_allowed or await self._tried(urgent=True):
            look_again_at = clock.monotonic_s() + self._settings.replan_interval_s
            while not (self._window_state().opened or self._stop.is_set() or clock.monotonic_s() > look_again_at):
                await self._look_away(self._window_state())

    async def _tried(self, *, urgent: bool) -> bool:
        """Fill; False if it could not even begin, after a wait that grows with each failure in a row."""
        try:
            await self._fill(urgent=urgent)
        except OcaError as error:
            longest_s = min(self._settings.backoff_s * 2 ** min(self._failures, 30), self._settings.backoff_s_max)
            self._failures, wait_s = self._failures + 1, longest_s * (0.5 + self._dice() / 2)
            _log.error("no fill", why=str(error), next_try_s=round(wait_s, 1))
            await self._sleep(wait_s)
            return False
        self._failures = 0
        return True

    async def _fill(self, *, urgent: bool) -> FillProgress | None:
        """Fill what the plan names, or the urgent of it; None if nothing is urgent."""
        tracker = FillTracker(self._configuration.box.appliance.id, started_at_ns=clock.now_ns())
        rate = self._rate_now()
        async with new_session(rate_bytes_per_s_max=rate, connections=self._settings.parallel_assets) as session:
            client = new_client(session, self._configuration)
            plan = await client.plan()
            if urgent and not any(planned.urgent for planned in plan.assets):
                return None
            work = self._carry_out(session, client, plan, tracker, urgent=urgent)
            why = await self._until_stopped(work, urgent=urgent)
            tracker.ended(why=why)
            progress = tracker.snapshot(clock.now_ns())
            await client.report(progress)
        _log.info("fill ended", state=progress.state, summary=summary(progress), urgent_only=urgent)
        return progress

    async def _carry_out(
        self,
        session: aiohttp.ClientSession,
        client: SteeringClient,
        plan: FillPlan,
        tracker: FillTracker,
        *,
        urgent: bool,
    ) -> None:
        with closing(self._open_store()) as store:
            pacer = Pacer(source_bytes_per_s_max=self._settings.source_rate_bytes_per_s_max)
            listen, busy = self._configuration.box.admin.listen, self._configuration.own.busy
            governor = Governor(session, listen, pacer, busy, self._rate_now)
            await governor.look()
            async with self._shown(tracker, client, governor):
                signer = S3Signer(self._configuration.buckets)
                fetcher = ObjectFetcher(session, self._settings, pacer, self._rank, signer=signer)
                agent = FillAgent(
                    store,
                    client,
                    fetcher,
                    tracker,
                    self._settings,
                    ladder=self._configuration.own.ladder,
                    rank=self._rank,
                    dice=self._dice,
                )
                await agent.fill(plan, urgent_only=urgent)

    def _open_store(self) -> Store:
        table = self._configuration.box.store
        store = Store.open(
            self._configuration.devices, device_bytes_max=table.device_bytes_max, reserve_ratio=table.reserve_ratio
        )
        for error in store.failed.values():
            _log.error("device left out", why=str(error))
        return store

    @asynccontextmanager
    async def _shown(self, tracker: FillTracker, client: SteeringClient, governor: Governor) -> AsyncIterator[None]:
        """Show and report progress, and keep to what the box allows, while the body runs."""
        tasks = Tasks()
        with self._new_display() as display:

            async def show() -> None:
                while True:
                    tracker.held_back(governor.held_back)
                    display.show(tracker.snapshot(clock.now_ns()))
                    await asyncio.sleep(SHOW_INTERVAL_S)

            async def report() -> None:
                while True:
                    await client.report(tracker.snapshot(clock.now_ns()))
                    await asyncio.sleep(self._settings.progress_interval_s)

            tasks.start(governor.run(), name="governor")
            tasks.start(show(), name="show")
            tasks.start(report(), name="report")
            try:
                yield
            finally:
                await tasks.close()
                display.show(tracker.snapshot(clock.now_ns()))

    async def _until_stopped(self, work: Coroutine[None, None, None], *, urgent: bool) -> str:
        """Run ``work`` until it ends, its time is over or a signal comes; why it was cut short, if it was."""
        tasks = Tasks()
        working = tasks.start(_outcome(work), name="fill")
        stopped = tasks.start(self._stopped(urgent=urgent), name="stop")
        try:
            await asyncio.wait({working, stopped}, return_when=asyncio.FIRST_COMPLETED)
            if not working.done():
                return str(stopped.result())
        finally:
            await tasks.close()
        error = working.result()
        if error is not None:
            raise error
        return ""

    async def _stopped(self, *, urgent: bool) -> str:
        while True:
            state = self._window_state()
            if not (state.urgent_allowed if urgent else state.opened):
                why = "a black-out has begun" if urgent else "the fill window has closed"
                return f"{why}; the next fill goes on from here"
            await self._look_away(state)
            if self._stopped_by is not None:
                return f"stopped by {self._stopped_by.name}; the next fill goes on from here"

    def _rate_now(self) -> int:
        return self._window_state().rate_bytes_per_s_max or self._settings.rate_bytes_per_s_max

    def _window_state(self) -> WindowState:
        if self._ignore_window:
            return WindowState(opened=True, until=None, why="told to fill now")
        return self._configuration.window.state(clock.utc_now())

    async def _look_away(self, state: WindowState) -> None:
        """Wait for the window's next change; in short spells, since the wall clock may be set meanwhile."""
        left_s = (state.until - clock.utc_now()).total_seconds() if state.until is not None else LOOK_INTERVAL_S
        await self._sleep(min(max(left_s, 0.0) + 0.01, LOOK_INTERVAL_S))

    async def _sleep(self, seconds: float) -> None:
        try:
            async with asyncio.timeout(seconds):
                await self._stop.wait()
        except TimeoutError:
            return

    @contextmanager
    def _signals(self) -> Iterator[None]:
        """Let signals end the body in an orderly way; Ctrl-C is passed on once it has ended."""
        loop = asyncio.get_running_loop()
        for number in _SIGNALS:
            loop.add_signal_handler(number, self._take_signal, number)
        try:
            yield
        finally:
            for number in _SIGNALS:
                loop.remove_signal_handler(number)
        if self._stopped_by is signal.SIGINT:
            raise KeyboardInterrupt

    def _take_signal(self, number: signal.Signals) -> None:
        self._stopped_by = number
        self._stop.set()


async def _outcome(work: Coroutine[None, None, None]) -> OcaError | None:
    """Await ``work``; what it cannot do is a value, since a task that fails is logged as a fault of ours."""
    try:
        await work
    except OcaError as error:
        return error
    return None


def new_client(session: aiohttp.ClientSession, configuration: Configuration) -> SteeringClient:
    """A client for the steering that the box's settings name."""
    box = configuration.box
    return SteeringClient(session, box.steering.url, appliance=box.appliance.id, credentials=configuration.credentials)
