"""Writes what reports bring that must last: demand and capacities, many reports to one flush, off the event loop."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial

from oca.common.log import get_logger
from oca.common.messages import DemandBatch
from oca.common.threads import in_thread
from steering.plan.demand import NO_WANTED, Folded, Wanted, fold, is_repeated
from steering.plan.wanted import wanted_assets
from steering.settings import Site
from steering.state.store import StateStore
from steering.titles.catalogue import AssetSummary

ANSWER_S_MAX = 1.0
"""How long a report's answer waits for the disk: well below the age at which a fleet's reports count as missed."""
_log = get_logger("intake")


@dataclass(slots=True)
class _Waiting:
    appliance: str
    site: str
    batch: DemandBatch | None
    capacity_bytes: int
    done: asyncio.Future[Folded | None]


class Intake:
    """Group commit: while one transaction is being written, the next reports gather for the one after it."""

    def __init__(
        self,
        state: StateStore,
        *,
        known: Callable[[], Mapping[str, AssetSummary]],
        now_ns: Callable[[], int],
        sites: Sequence[Site],
        waiting_max: int = 20_000,
    ) -> None:
        self._state = state
        self._known = known
        self._now_ns = now_ns
        self._egress_bits_per_s = {box.id: box.egress_bits_per_s for site in sites for box in site.appliance}
        self._queue: asyncio.Queue[_Waiting] = asyncio.Queue(waiting_max)
        self._capacities: dict[str, int] = {}

    async def take(self, appliance: str, site: str, batch: DemandBatch | None, capacity_bytes: int) -> Folded | None:
        """Make a report's demand and capacity durable.

        Returns:
            What became of the batch; None when there was none, or when it could not be written in time: then it is
            not to be acknowledged, and the appliance sends it again. Should the late write succeed after all, the
            batch counts once: ``fold`` knows it by its sequence.
        """
        if batch is None and self._capacities.get(appliance) == capacity_bytes:
            return None
        waiting = _Waiting(appliance, site, batch, capacity_bytes, asyncio.get_running_loop().create_future())
        try:
            self._queue.put_nowait(waiting)
        except asyncio.QueueFull:
            _log.warning("demand waits too long to be written; not acknowledged", appliance=appliance)
            return None
        try:
            async with asyncio.timeout(ANSWER_S_MAX):
                return await waiting.done
        except TimeoutError:
            return None

    async def write_next(self) -> None:
        """Write what waits, or the next that comes.

        Raises:
            SteeringError: It cannot be written; the reports got their answers.
        """
        gathered = [await self._queue.get()]
        while not self._queue.empty():
            gathered.append(self._queue.get_nowait())
        # Those whose answer went out meanwhile are sent again: writing them too would let resends pile up.
        gathered = [waiting for waiting in gathered if not waiting.done.done()]
        if not gathered:
            return
        writing = in_thread(partial(self._write, gathered, self._now_ns(), self._known()), name="intake")
        if not (await asyncio.wait([writing], timeout=ANSWER_S_MAX))[0]:
            _log.warning("the state takes long to write; meanwhile appliances keep their demand and send it again")
        results: list[Folded | None] = [None] * len(gathered)
        try:
            results = await writing
        finally:
            for waiting, result in zip(gathered, results, strict=True):
                if not waiting.done.done():
                    waiting.done.set_result(result)

    def _write(self, gathered: list[_Waiting], now_ns: int, known: Mapping[str, AssetSummary]) -> list[Folded | None]:
        results: list[Folded | None] = []
        wanted = self._wanted(gathered, known)  # before the writer's turn
        with self._state.write() as transaction:
            for item, missed in zip(gathered, wanted, strict=True):
                if self._capacities.get(item.appliance) != item.capacity_bytes:
                    transaction.put(f"capacity/{item.appliance}", str(item.capacity_bytes).encode())
                if item.batch is None:
                    results.append(None)
                else:
                    outcome = fold(
                        transaction,
                        item.appliance,
                        item.site,
                        item.batch,
                        now_ns=now_ns,
                        known=known.keys(),
                        wanted=missed,
                    )
                    results.append(outcome)
        self._capacities.update({item.appliance: item.capacity_bytes for item in gathered})
        return results

    def _wanted(self, gathered: list[_Waiting], known: Mapping[str, AssetSummary]) -> list[Wanted]:
        """What each batch tells of objects that are not held; of what is known to be a repeat nothing is looked up."""
        found = [NO_WANTED] * len(gathered)
        with self._state.reading() as snapshot:  # one for all: a look-up by itself costs several times as much
            for place, item in enumerate(gathered):
                batch = item.batch
                if batch is not None and batch.wanted and not is_repeated(snapshot, item.appliance, batch):
                    egress = self._egress_bits_per_s.get(item.appliance, 0)
                    found[place] = wanted_assets(snapshot, batch, known, egress_bits_per_s=egress)
        return found
