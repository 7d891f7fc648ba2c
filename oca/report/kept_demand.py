"""Demand that outlives the daemon: the ledger of this run and those of runs that ended, each in a file of its own.

A file's name is its run's epoch; who counts in it holds its lock. What a run left behind is told by the next one under
the old epoch and sequence, the oldest first, so that steering still takes each batch once. What is counted since the
last ``keep`` is lost with the process.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import msgspec

from oca.common.errors import StoreError
from oca.common.log import get_logger
from oca.common.messages import DemandBatch
from oca.report.demand import DemandLedger, LedgerState
from oca.store import files

FOLDER = "demand"
_LEFT_MAX = 16
"""Of runs that ended: more than steering remembers epochs would be counted twice."""
_log = get_logger("demand")
_decode = msgspec.msgpack.Decoder(LedgerState).decode
_encode = msgspec.msgpack.Encoder().encode


class KeptDemand:
    """Gives batches, those of earlier runs first. One is in flight at a time, of whichever run."""

    def __init__(self, folder: Path | None, epoch: str, *, started_at_ns: int) -> None:
        """Open what is there.

        Args:
            folder: On a device; it is made where it is missing. None: nothing outlives the process.
            epoch: Names this run.
            started_at_ns: When it began to count.
        """
        self._folder = folder or Path()
        self._durable = folder is not None
        self._epoch = epoch
        self._ledger = DemandLedger(epoch, started_at_ns=started_at_ns)
        self._left: dict[str, DemandLedger] = {}
        self._locks: dict[str, int] = {}
        self._kept: dict[Path, bytes] = {}
        self._why = ""
        if folder is not None:
            try:
                self._open(folder)
            except StoreError as error:
                self._complain(str(error))

    def add(self, taken: Mapping[str, tuple[int, int]]) -> None:
        """Add (requests, bytes) per asset to this run's."""
        self._ledger.add(taken)

    def batch(self, now_ns: int) -> DemandBatch | None:
        """The batch to send now; ``keep`` what is due before it goes out."""
        for epoch in list(self._left):
            batch = self._left[epoch].batch(now_ns)
            if batch is not None:
                return batch
            self._forget(epoch)
        return self._ledger.batch(now_ns)

    def acknowledge(self, sequence: int | None) -> None:
        """Steering has taken that batch, the one that ``batch`` gave last."""
        ledger = next(iter(self._left.values()), self._ledger)
        ledger.acknowledge(sequence)

    def due(self) -> list[tuple[Path, bytes]]:
        """What ``keep`` is to write: files, and what they are to hold."""
        if not self._durable:
            return []
        ledgers = {**self._left, self._epoch: self._ledger}
        wanted = [(self._folder / epoch, _encode(ledger.state())) for epoch, ledger in ledgers.items()]
        return [(path, raw) for path, raw in wanted if self._kept.get(path) != raw]

    def keep(self, due: Sequence[tuple[Path, bytes]]) -> None:
        """Make it durable; may wait for the device, so it may run in a thread. A failure is logged, once."""
        try:
            for path, raw in due:
                files.write_whole(path, raw)
                self._kept[path] = raw
        except StoreError as error:
            self._complain(str(error))
        else:
            self._why = ""

    def _open(self, folder: Path) -> None:
        files.make_folder(folder)
        locks = [folder / name for name in files.names(folder) if name.endswith(".lock")]
        for lock in sorted(locks, key=files.modified_at_ns):
            if lock.stem != self._epoch and len(self._left) < _LEFT_MAX:
                self._adopt(folder, lock.stem)
        descriptor = files.lock(folder / f"{self._epoch}.lock")
        if descriptor is not None:
            self._locks[self._epoch] = descriptor

    def _adopt(self, folder: Path, epoch: str) -> None:
        """Take over what a run left, unless it still counts."""
        descriptor = files.lock(folder / f"{epoch}.lock")
        if descriptor is None:
            return
        self._locks[epoch] = descriptor
        raw = (folder / epoch).read_bytes() if files.size(folder / epoch) is not None else b""
        try:
            if raw:
                self._left[epoch] = DemandLedger.of(_decode(raw))
                return
        except msgspec.DecodeError as error:
            path = str(folder / epoch)
            _log.warning("demand of an earlier run cannot be read; it is left out", file=path, why=str(error))
        self._forget(epoch)

    def _forget(self, epoch: str) -> None:
        self._left.pop(epoch, None)
        self._kept.pop(self._folder / epoch, None)
        try:
            files.remove(self._folder / epoch)
            files.remove(self._folder / f"{epoch}.lock")
        except StoreError as error:
            self._complain(str(error))
        files.close(self._locks.pop(epoch))

    def _complain(self, why: str) -> None:
        if why != self._why:
            self._why = why
            _log.warning("demand cannot be kept; what is counted while this lasts is lost if the box stops", why=why)
