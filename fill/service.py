"""When fills run and what surrounds one: the window, signals, steering's plan, the store, and who is told."""

from __future__ import annotations

import asyncio
import secrets
import signal
from collections.abc import Callable, Coroutine, Iterator
from contextlib import contextmanager

import aiohttp

from fill.gate import Gate
from fill.http import new_session
from fill.one_fill import OneFill
from fill.pace import Pacer
from fill.progress import Display, summary
from fill.rank import SourceRank
from fill.served import note_served
from fill.settings import Configuration
from fill.state import FillState
from fill.steering_client import SteeringClient
from fill.tracker import FillTracker
from fill.window import WindowState
from oca.common import clock
from oca.common.errors import OcaError
from oca.common.log import get_logger
from oca.common.memory import give_back
from oca.common.messages import FillPlan, FillProgress
from oca.common.tasks import Tasks
from oca.common.tracing import OFF, Tracing, Value, open_tracing

LOOK_INTERVAL_S = 2.0
_SIGNALS = (signal.SIGINT, signal.SIGTERM)
_log = get_logger("fill")


class FillService:
    """Runs one fill, or one after the other for ever.

    Args:
        configuration: What to fill, where from and when.
        new_display: Makes what a fill's progress is shown on.
        ignore_window: Fill at once, whatever the time.
        wait: Whether one fill waits for its window, or ends at once outside it.

    Raises:
        ConfigError: Traces are wanted, and not to be had.
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
        self._state = FillState(configuration.devices[0])
        self._gate = Gate(configuration, self._state, ignore_window=ignore_window)
        self._wait = wait
        self._dice = secrets.SystemRandom().random
        ladder = configuration.own.ladder
        self._rank = SourceRank(half_life_s=ladder.fault_half_life_s, slow_answer_s=ladder.slow_answer_s)
        self._said = ""
        self._failures = 0
        box = configuration.box
        self._tracing = open_tracing(box.tracing, "oca-fill", instance=box.appliance.id)
        self._stop = asyncio.Event()
        self._stopped_by: signal.Signals | None = None

    def close(self) -> None:
        """Tell what is left of traces."""
        self._tracing.close()

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
                state = self._gate.look()
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
                state = self._gate.look()
                if not state.opened:
                    await self._outside_window(state)
                elif await self._tried(urgent=False):
                    await self._sleep(self._settings.replan_interval_s)

    async def _outside_window(self, state: WindowState) -> None:
        """Fetch what is urgent, then wait until it is time to look again, or for the window."""
        self._say(state.why)
        if not state.urgent_allowed or await self._tried(urgent=True):
            look_again_at = clock.monotonic_s() + self._settings.replan_interval_s
            while not (self._gate.look().opened or self._stop.is_set() or clock.monotonic_s() > look_again_at):
                await self._look_away(self._gate.look())

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
        """Fill what the plan names, or the urgent of it; None if nothing is urgent, or the night's bytes are spent."""
        tracker = FillTracker(self._configuration.box.appliance.id, started_at_ns=clock.now_ns())
        rate = self._gate.rate_bytes_per_s_max()
        night = self._gate.look().night
        async with new_session(rate_bytes_per_s_max=rate, connections=self._settings.parallel_assets) as session:
            await note_served(session, self._configuration.box.admin.listen, self._state)
            bytes_left = self._gate.bytes_left(night)
            if bytes_left == 0:
                self._say(self._gate.spent_why())
                return None
            client = new_client(session, self._configuration, self._tracing)
            asked_at_ns = clock.now_ns()
            plan = await client.plan()
            if urgent and not any(planned.urgent for planned in plan.assets):
                return None
            fill = OneFill(
                self._configuration,
                session,
                client,
                gate=self._gate,
                state=self._state,
                tracker=tracker,
                rank=self._rank,
                night=night,
                bytes_left=bytes_left,
                tracing=self._tracing,
            )
            with self._tracing.root("fill", _about(plan), parent=client.planned_in, began_at_ns=asked_at_ns) as span:
                work = fill.run(plan, self._new_display, urgent=urgent, dice=self._dice)
                why = await self._until_stopped(work, fill.pacer, urgent=urgent)
                tracker.ended(why=why)
                progress = tracker.snapshot(clock.now_ns())
                span.set(_outcome_told(progress, urgent=urgent))
            fill.keep(progress, urgent=urgent)
            await client.report(progress)
        give_back()
        _log.info("fill ended", state=progress.state, summary=summary(progress), urgent_only=urgent)
        return progress

    def _say(self, why: str) -> None:
        """Log why nothing is fetched, once until that changes."""
        if why != self._said:
            self._said = why
            _log.info("nothing is fetched now", why=why)

    async def _until_stopped(self, work: Coroutine[None, None, None], pacer: Pacer, *, urgent: bool) -> str:
        """Run ``work`` until it ends, its time is over or a signal comes; why it was cut short, if it was."""
        tasks = Tasks()
        working = tasks.start(_outcome(work), name="fill")
        stopped = tasks.start(self._stopped(pacer, urgent=urgent), name="stop")
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

    async def _stopped(self, pacer: Pacer, *, urgent: bool) -> str:
        while True:
            state = self._gate.look()
            if not (state.urgent_allowed if urgent else state.opened):
                return f"the fill was cut short: {state.why}; the next fill goes on from here"
            if pacer.spent:
                return self._gate.spent_why()
            await self._look_away(state)
            if self._stopped_by is not None:
                return f"stopped by {self._stopped_by.name}; the next fill goes on from here"

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


def _about(plan: FillPlan) -> dict[str, Value]:
    """Of which plan a fill is, as its span tells."""
    return {"oca.appliance": plan.appliance, "oca.plan": plan.plan, "oca.plan.assets": len(plan.assets)}


def _outcome_told(progress: FillProgress, *, urgent: bool) -> dict[str, Value]:
    """How a fill went, as its span tells."""
    by_source = {f"oca.bytes.{kind}": count for kind, count in progress.bytes_by_source.items()}
    return {
        "oca.urgent_only": urgent,
        "oca.state": progress.state,
        "oca.why": progress.reason,
        "oca.assets": progress.assets_total,
        "oca.assets.done": progress.assets_done,
        "oca.assets.failed": progress.assets_failed,
        "oca.assets.evicted": progress.assets_evicted,
        "oca.bytes": progress.bytes_total,
        "oca.bytes.done": progress.bytes_done,
        **by_source,
    }


def new_client(session: aiohttp.ClientSession, configuration: Configuration, tracing: Tracing = OFF) -> SteeringClient:
    """A client for the steering that the box's settings name."""
    box = configuration.box
    return SteeringClient(
        session, box.steering.urls, appliance=box.appliance.id, credentials=configuration.credentials, tracing=tracing
    )
