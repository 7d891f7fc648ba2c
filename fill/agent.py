"""One fill, from plan to last commit. Decisions are in diff, sources and window; here they are carried out."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import TypeVar

from fill.asset import AssetFetch, Fetcher
from fill.budget import within_budget
from fill.diff import FillDiff, Held, diff_plan, room_on_one_device
from fill.rank import SourceRank
from fill.schedule import in_order
from fill.sources import SourceLadder
from fill.steering_client import SteeringClient, SteeringRefusalError
from fill.steps import reach
from fill.tables import BudgetTable, FillTable, LadderTable
from fill.tracker import FillTracker
from fill.turns import Turn, Turns
from oca.common import clock
from oca.common.errors import OcaError, SteeringError, StoreError, StoreFullError
from oca.common.log import get_logger
from oca.common.messages import AssetManifest, FillPlan, FillSource
from oca.common.tasks import Tasks
from oca.common.tracing import OFF, Span, Tracing
from oca.store.records import HeldPack
from oca.store.staging import StagedAsset, pack_bytes
from oca.store.store import Store

PACK_OVERHEAD_BYTES = 8192
"""What a pack takes beside its objects, roughly: enough to plan with; the store itself knows to the byte."""
MANIFEST_ATTEMPTS_MAX = 4
ASSET_SPANS_MAX = 500
"""Assets of one fill that its trace shows: what viewers of traces can draw."""
_log = get_logger("fill")
Result = TypeVar("Result")


class FillAgent:
    """Carries out one fill.

    The store is changed by one thread of its own, so that a sync or a re-read of a part does not hold up what
    arrives meanwhile; a fill that is stopped ends once that thread has finished what it is at.
    """

    def __init__(
        self,
        store: Store,
        client: SteeringClient,
        fetcher: Fetcher,
        tracker: FillTracker,
        settings: FillTable,
        *,
        ladder: LadderTable,
        budget: BudgetTable,
        rank: SourceRank,
        dice: Callable[[], float],
        tracing: Tracing = OFF,
    ) -> None:
        self._tracing = tracing
        self._spans_left = ASSET_SPANS_MAX
        self._store = store
        self._client = client
        self._fetcher = fetcher
        self._tracker = tracker
        self._settings = settings
        self._waits = ladder
        self._budget = budget
        self._rank = rank
        self._dice = dice
        self._store_thread = ThreadPoolExecutor(1, thread_name_prefix="store")
        self._staging = asyncio.Lock()
        self._may_go: list[Held] = []
        self._brought: set[str] = set()
        self._barred: set[str] = set()
        self._full = False
        self._steering_gone = ""

    async def fill(self, plan: FillPlan, *, urgent_only: bool = False) -> None:
        """Bring the store to what ``plan`` names, as far as sources and space allow; the tracker tells how far.

        Passes over the plan go on while they bring something: what an older revision gives back when it is replaced
        makes room only for a later pass.
        """
        self._store.expect({planned.asset: planned.popularity * planned.bytes for planned in plan.assets})
        tasks = Tasks()
        try:
            while await self._pass(plan, tasks, urgent_only=urgent_only):
                pass
        finally:
            await tasks.close()
            self._store_thread.shutdown(wait=True)

    async def _pass(self, plan: FillPlan, tasks: Tasks, *, urgent_only: bool) -> bool:
        """Whether another pass may bring more."""
        diff = await self._diff(plan)
        others = {planned.asset for planned in plan.assets if not planned.urgent} if urgent_only else set[str]()
        without = others | self._barred
        fetches = [fetch for fetch in diff.fetches if fetch.planned.asset not in without]
        skips = [skipped for skipped in diff.skipped if skipped.asset not in others]
        self._tracker.planned(plan.plan, [fetch.planned for fetch in fetches])
        for skipped in skips:
            self._tracker.failed(skipped.asset, skipped.bytes, skipped.reason)
        await self._on_store(lambda: self._store.discard_staging({fetch.planned.asset for fetch in diff.fetches}))
        self._may_go = [*diff.evictions, *diff.spare]
        self._full = bool(skips)
        brought_before = len(self._brought)
        turns = Turns(fetches, look_interval_s=self._waits.look_interval_s)
        side_by_side = min(self._settings.parallel_assets, len(fetches))
        await asyncio.gather(*(tasks.start(self._work(turns), name=f"fill-{n}") for n in range(side_by_side)))
        return self._full and len(self._brought) > brought_before and not self._steering_gone

    async def _diff(self, plan: FillPlan) -> FillDiff:
        def read() -> tuple[list[HeldPack], int]:
            use = self._store.use()
            return self._store.assets(), max(0, use.capacity_bytes - use.used_bytes)

        held, free_bytes = await self._on_store(read)
        wanted, left_out = within_budget(in_order(plan.assets), {pack.asset for pack in held}, self._budget)
        self._tracker.left_out = left_out
        return diff_plan(wanted, map(held_asset, held), free_bytes=free_bytes, overhead_bytes=PACK_OVERHEAD_BYTES)

    async def _work(self, turns: Turns) -> None:
        while (turn := turns.next(clock.monotonic_s())) is not None:
            if isinstance(turn, Turn):
                with self._traced(turn) as span:
                    await self._take_turn(turn, turns, span)
            else:
                await asyncio.sleep(turn)

    def _traced(self, turn: Turn) -> Span:
        self._spans_left -= 1
        if self._spans_left < 0:
            return self._tracing.quiet()
        planned = turn.fetch.planned
        return self._tracing.child("fill asset", {"oca.asset": planned.asset, "oca.asset.bytes": planned.bytes})

    async def _take_turn(self, turn: Turn, turns: Turns, span: Span) -> None:
        """Fetch the asset from those that may be asked by now, or leave it for later if more may be then."""
        planned = turn.fetch.planned
        try:
            manifest = await self._manifest(planned.asset)
            span.set({"oca.sources": len(manifest.sources), "oca.master": manifest.master})
            now_s = clock.monotonic_s()
            found = reach(manifest.sources, master=manifest.master, waited_s=now_s - turn.since_s, waits=self._waits)
            why = await self._fetch_asset(manifest, found.sources) if found.sources or found.more_in_s is None else ""
        except StoreFullError as full:
            self._full = True
            self._tracker.failed(planned.asset, planned.bytes, str(full))
            span.fail(str(full))
            return
        except OcaError as error:
            self._fail(planned.asset, planned.bytes, str(error), span)
            return
        if found.more_in_s is not None and planned.asset not in self._brought:
            waits = f"{why}; {found.why}" if why else found.why
            self._tracker.waiting(planned.asset, waits)
            span.event("put back", {"oca.why": waits})
            turns.put_back(turn, clock.monotonic_s(), more_in_s=found.more_in_s)
        elif why:
            self._fail(planned.asset, manifest.bytes, why, span)

    async def _fetch_asset(self, manifest: AssetManifest, sources: Sequence[FillSource]) -> str:
        """Bring the asset in whole; why not, if no source could, or the device fails.

        Raises:
            StoreError: The store has no room for it, or refuses its manifest.
        """
        self._tracker.verifying(manifest.asset, bytes_total=manifest.bytes)
        staged = await self._stage(manifest)
        try:
            return await self._bring(manifest, sources, staged)
        except StoreError as error:
            return str(error)
        finally:
            await self._on_store(staged.close)

    async def _bring(self, manifest: AssetManifest, sources: Sequence[FillSource], staged: StagedAsset) -> str:
        self._tracker.fetching(manifest.asset, bytes_done=staged.bytes_done)
        why = await self._fetch(manifest, sources, staged)
        if not why:
            self._tracker.verifying(manifest.asset, bytes_total=manifest.bytes)
            await self._on_store(partial(self._commit, staged))
            self._tracker.committed_asset(manifest.asset)
            _log.info("asset committed", asset=manifest.asset, bytes=manifest.bytes)
        return why

    def _fail(self, asset: str, size: int, why: str, span: Span) -> None:
        self._barred.add(asset)
        span.fail(why)
        self._tracker.failed(asset, size, why)
        _log.warning("asset failed", asset=asset, why=why)

    async def _fetch(self, manifest: AssetManifest, sources: Sequence[FillSource], staged: StagedAsset) -> str:
        ladder = SourceLadder(
            self._rank.ordered(sources, clock.monotonic_s()),
            rounds_max=self._settings.rounds_max,
            backoff_s=self._settings.backoff_s,
            backoff_s_max=self._settings.backoff_s_max,
        )
        fetch = AssetFetch(
            manifest,
            staged,
            ladder=ladder,
            fetcher=self._fetcher,
            watcher=self._tracker,
            rank=self._rank,
            dice=self._dice,
        )
        return await fetch.run()

    async def _manifest(self, asset: str) -> AssetManifest:
        """The manifest, asked for again while steering is away; once it stays away, no more is asked of it."""
        for attempt in range(MANIFEST_ATTEMPTS_MAX):
            if self._steering_gone:
                break
            try:
                return await self._client.manifest(asset)
            except SteeringRefusalError:
                raise
            except SteeringError as error:
                if attempt + 1 == MANIFEST_ATTEMPTS_MAX:
                    self._steering_gone = error.message
                    break
            wait_s = min(self._settings.backoff_s * 2**attempt, self._settings.backoff_s_max)
            await asyncio.sleep(wait_s * (0.5 + self._dice() / 2))
        raise SteeringError(self._steering_gone, remedy="the next fill goes on from here")

    async def _stage(self, manifest: AssetManifest) -> StagedAsset:
        """Begin the asset; what the plan no longer wants gives way, as far as the store says that it must."""
        async with self._staging:
            while True:
                try:
                    return await self._on_store(partial(self._store.stage, manifest))
                except StoreFullError as full:
                    giving_way = room_on_one_device(self._may_go, pack_bytes(manifest), full.free_bytes)
                    if not giving_way:
                        raise
                for held in giving_way:
                    self._may_go.remove(held)
                    if await self._on_store(partial(self._evict, held)):
                        self._tracker.evicted(held.bytes)
                        _log.info("asset evicted", asset=held.asset, why=f"makes room for {manifest.asset}")

    # These two run on the store's thread, one after the other: what has been brought anew must not be taken for the
    # older revision that was to give way.

    def _commit(self, staged: StagedAsset) -> None:
        staged.commit()
        self._brought.add(staged.manifest.asset)

    def _evict(self, held: Held) -> bool:
        return held.asset not in self._brought and self._store.evict(held.asset) > 0

    async def _on_store(self, work: Callable[[], Result]) -> Result:
        return await asyncio.get_running_loop().run_in_executor(self._store_thread, work)


def held_asset(pack: HeldPack) -> Held:
    """What the diff needs to know of a pack."""
    return Held(pack.asset, pack.revision, pack.bytes, pack.device, pack.committed_at_ns)
