"""Demand on its way to steering: numbered batches, one in flight, resent unchanged until acknowledged.

Pure. Together with steering's side, which folds each (epoch, sequence) in once, no viewer is counted twice and none is
lost; ``kept_demand`` has it outlive the process.
"""

from __future__ import annotations

from itertools import islice

from msgspec import Struct

from oca.common.demand import Taken, Wanted
from oca.common.messages import ASSETS_MAX, WANTED_TOLD_MAX, AssetDemand, DemandBatch, WantedObject


class LedgerState(Struct, frozen=True):
    """All that a ledger is: what it had told by then, and what waits: (requests, bytes) and sessions per asset, and
    what was wanted and not sent from here, as in ``oca.common.demand``.
    """

    epoch: str
    sequence: int
    started_at_ns: int
    in_flight: DemandBatch | None
    pending: dict[str, tuple[int, int]]
    sessions: dict[str, int] = {}
    wanted: dict[str, Wanted] = {}


class DemandLedger:
    """Sums demand per asset and cuts it into batches."""

    def __init__(self, epoch: str, *, started_at_ns: int, batch_assets_max: int = ASSETS_MAX) -> None:
        """Open the ledger of one boot; what a batch has no room for waits for the next."""
        self._epoch = epoch
        self._batch_assets_max = batch_assets_max
        self._started_at_ns = started_at_ns
        self._pending = Taken()
        self._in_flight: DemandBatch | None = None
        self._sequence = 0

    @classmethod
    def of(cls, state: LedgerState) -> DemandLedger:
        """The ledger that had this state."""
        ledger = cls(state.epoch, started_at_ns=state.started_at_ns)
        ledger._sequence = state.sequence
        ledger._in_flight = state.in_flight
        ledger._pending = Taken(dict(state.pending), dict(state.sessions), dict(state.wanted))
        return ledger

    def state(self) -> LedgerState:
        """What ``of`` makes the same ledger from."""
        waits = self._pending
        return LedgerState(
            self._epoch,
            self._sequence,
            self._started_at_ns,
            self._in_flight,
            dict(waits.assets),
            dict(waits.sessions),
            dict(waits.wanted),
        )

    @property
    def dropped(self) -> int:
        """Requests for what is not held that bounds kept out, of all that were added."""
        return self._pending.dropped

    def add(self, taken: Taken) -> None:
        """Add what was counted."""
        self._pending.add_all(taken)

    def batch(self, now_ns: int) -> DemandBatch | None:
        """The batch to send now: the one in flight, or else a new one; None where there was no demand."""
        waits = self._pending
        if self._in_flight is None and (waits.assets or waits.sessions or waits.wanted):
            self._in_flight = self._cut(now_ns)
        return self._in_flight

    def acknowledge(self, sequence: int | None) -> None:
        """Steering has folded in batch ``sequence``; an answer to anything but the batch in flight changes nothing."""
        if self._in_flight is not None and sequence == self._in_flight.sequence:
            self._in_flight = None

    def _cut(self, now_ns: int) -> DemandBatch:
        self._sequence += 1
        waits = self._pending
        assets = list(islice(dict.fromkeys([*waits.assets, *waits.sessions]), self._batch_assets_max))
        items = [AssetDemand(asset, *waits.assets.pop(asset, (0, 0)), waits.sessions.pop(asset, 0)) for asset in assets]
        wanted = [_told(path, waits.wanted.pop(path)) for path in list(islice(waits.wanted, WANTED_TOLD_MAX))]
        # A clock set back since must not carry times that lie ahead into this batch and all later ones.
        started_at_ns = min(self._started_at_ns, now_ns)
        batch = DemandBatch(
            epoch=self._epoch,
            sequence=self._sequence,
            started_at_ns=started_at_ns,
            ended_at_ns=now_ns,
            items=items,
            wanted=wanted,
        )
        self._started_at_ns = now_ns
        return batch


def _told(path: str, wanted: Wanted) -> WantedObject:
    sizes = (wanted.fetched_bytes, wanted.ranges, wanted.range_bytes)
    away = (wanted.turned_away, wanted.away_ranges, wanted.away_range_bytes) if wanted.turned_away else None
    return WantedObject(path, wanted.missed, wanted.redirected, wanted.fetched, sizes, away)
