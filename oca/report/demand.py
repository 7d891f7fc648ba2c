"""Demand on its way to steering: numbered batches, one in flight, resent unchanged until acknowledged.

Pure. Together with steering's side, which folds each (epoch, sequence) in once, no viewer is counted twice and none is
lost; ``kept_demand`` has it outlive the process.
"""

from __future__ import annotations

from collections.abc import Mapping

from msgspec import Struct

from oca.common.messages import ASSETS_MAX, AssetDemand, DemandBatch


class LedgerState(Struct, frozen=True):
    """All that a ledger is: what it had told by then, and (requests, bytes) per asset that waits."""

    epoch: str
    sequence: int
    started_at_ns: int
    in_flight: DemandBatch | None
    pending: dict[str, tuple[int, int]]


class DemandLedger:
    """Sums demand per asset and cuts it into batches."""

    def __init__(self, epoch: str, *, started_at_ns: int, batch_assets_max: int = ASSETS_MAX) -> None:
        """Open the ledger of one boot; what a batch has no room for waits for the next."""
        self._epoch = epoch
        self._batch_assets_max = batch_assets_max
        self._started_at_ns = started_at_ns
        self._pending: dict[str, tuple[int, int]] = {}
        self._in_flight: DemandBatch | None = None
        self._sequence = 0

    @classmethod
    def of(cls, state: LedgerState) -> DemandLedger:
        """The ledger that had this state."""
        ledger = cls(state.epoch, started_at_ns=state.started_at_ns)
        ledger._sequence = state.sequence
        ledger._in_flight = state.in_flight
        ledger._pending = dict(state.pending)
        return ledger

    def state(self) -> LedgerState:
        """What ``of`` makes the same ledger from."""
        return LedgerState(self._epoch, self._sequence, self._started_at_ns, self._in_flight, dict(self._pending))

    def add(self, taken: Mapping[str, tuple[int, int]]) -> None:
        """Add (requests, bytes) per asset."""
        for asset, (requests, size) in taken.items():
            held_requests, held_bytes = self._pending.get(asset, (0, 0))
            self._pending[asset] = (held_requests + requests, held_bytes + size)

    def batch(self, now_ns: int) -> DemandBatch | None:
        """The batch to send now: the one in flight, or else a new one; None where there was no demand."""
        if self._in_flight is None and self._pending:
            self._in_flight = self._cut(now_ns)
        return self._in_flight

    def acknowledge(self, sequence: int | None) -> None:
        """Steering has folded in batch ``sequence``; an answer to anything but the batch in flight changes nothing."""
        if self._in_flight is not None and sequence == self._in_flight.sequence:
            self._in_flight = None

    def _cut(self, now_ns: int) -> DemandBatch:
        self._sequence += 1
        assets = list(self._pending)[: self._batch_assets_max]
        items = [AssetDemand(asset, *self._pending.pop(asset)) for asset in assets]
        # A clock set back since must not carry times that lie ahead into this batch and all later ones.
        started_at_ns = min(self._started_at_ns, now_ns)
        batch = DemandBatch(
            epoch=self._epoch,
            sequence=self._sequence,
            started_at_ns=started_at_ns,
            ended_at_ns=now_ns,
            items=items,
        )
        self._started_at_ns = now_ns
        return batch
