"""Demand that outlives the daemon: the ledger of this run and those of runs that ended, each in a file of its own.

A file's name is its run's epoch; who counts in it holds its lock. What a run left behind is told by the next one under
the old epoch and sequence, the oldest first, so that steering still takes each batch once. What is counted since the
last ``keep`` is lost with the process.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from pathlib import Path

import msgspec

from oca.common.demand import Taken
from oca.common.errands import Errands, Outstanding
from oca.common.errors import StoreError
from oca.common.log import get_logger
from oca.common.messages import DemandBatch
from oca.report.demand import DemandLedger, LedgerState
from oca.store import files

FOLDER = "demand"
ANSWER_S = 2.0
"""How long a start waits for the device; one that does not answer keeps nothing of this run."""
_LEFT_MAX = 16
"""Of runs that ended: more than steering remembers epochs would be counted twice."""
_log = get_logger("demand")
_decode = msgspec.msgpack.Decoder(LedgerState).decode
_encode = msgspec.msgpack.Encoder().encode


class KeptDemand:
    """Gives batches, those of earlier runs first. One is in flight at a time, of whichever run."""

    def __init__(self, folder: Path | None, epoch: str, *, started_at_ns: int) -> None:
        """Open what is there; blocks for the device, ``ANSWER_S`` at most.

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
            errands: Errands[str, tuple[dict[str, DemandLedger], dict[str, int], str]] = Errands(name="demand")
            told = errands.ask({FOLDER: partial(self._open, folder)}, timeout_s=ANSWER_S)[FOLDER]
            if isinstance(told, Exception):
                raise told
            if isinstance(told, Outstanding):
                self._durable = False
                why = f"{folder}: {told}; see the kernel log"
                _log.warning("demand of this run is kept in memory alone; restart oca once the device answers", why=why)
                return
            self._left, self._locks, why = told
            if why:
                self._complain(why)

    @property
    def dropped(self) -> int:
        """Requests for what is not held that bounds kept out of this run's."""
        return self._ledger.dropped

    def add(self, taken: Taken) -> None:
        """Add to this run's."""
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
        failed = [why for path, raw in due if (why := self._write(path, raw))]
        if failed:
            self._complain(failed[-1])
        else:
            self._why = ""

    def _write(self, path: Path, raw: bytes) -> str:
        """Why it failed; only under the run's lock, for what has none is taken up by nobody."""
        try:
            if path.name == self._epoch and self._epoch not in self._locks:
                self._locks[self._epoch] = _lock(self._folder, self._epoch)
            if path.name in self._locks:
                files.write_whole(path, raw)
                self._kept[path] = raw
        except StoreError as error:
            return str(error)
        return ""

    def _open(self, folder: Path) -> tuple[dict[str, DemandLedger], dict[str, int], str]:
        """What earlier runs left, the locks of these and of this run, and what went wrong. In a thread of its own."""
        left: dict[str, DemandLedger] = {}
        held: dict[str, int] = {}
        why = ""
        try:  # first, so that whatever is wrong with what others left, this run's own is taken up by the next
            held[self._epoch] = _lock(folder, self._epoch)
        except StoreError as error:  # ``keep`` tries again; a full device may have room once what is left was told
            why = str(error)
        try:
            locks = [folder / name for name in files.names(folder) if name.endswith(".lock")]
        except StoreError as error:
            return left, held, why or str(error)
        for lock in sorted(locks, key=files.modified_at_ns):
            found = _taken_up(folder, lock.stem) if lock.stem != self._epoch and len(left) < _LEFT_MAX else None
            if found is not None:
                left[lock.stem], held[lock.stem] = found
        return left, held, why

    def _forget(self, epoch: str) -> None:
        self._left.pop(epoch, None)
        self._kept.pop(self._folder / epoch, None)
        try:
            _remove(self._folder, epoch, self._locks.pop(epoch))
        except StoreError as error:
            self._complain(str(error))

    def _complain(self, why: str) -> None:
        if why != self._why:
            self._why = why
            _log.warning("demand cannot be kept; what is counted while this lasts is lost if the box stops", why=why)


def _lock(folder: Path, epoch: str) -> int:
    """Hold a run in ``folder``, which is made where it is missing."""
    files.make_folder(folder)
    path = folder / f"{epoch}.lock"
    descriptor = files.lock(path)
    if descriptor is None:
        raise StoreError(f"{path} is held by another process", remedy="let one daemon alone use the device")
    return descriptor


def _taken_up(folder: Path, epoch: str) -> tuple[DemandLedger, int] | None:
    """What a run left, and its lock; None where it still counts, left nothing, or cannot be read."""
    try:
        descriptor = files.lock(folder / f"{epoch}.lock")
        if descriptor is None:
            return None
        try:
            ledger = _ledger_in(folder / epoch)
        except StoreError:
            files.close(descriptor)
            raise
        if ledger is not None:
            return ledger, descriptor
        _remove(folder, epoch, descriptor)
    except StoreError as error:
        _log.warning("demand of an earlier run cannot be taken up; the next start tries again", why=str(error))
    return None


def _ledger_in(path: Path) -> DemandLedger | None:
    """What a run left; None where it counted nothing, or what is there is something else."""
    descriptor = files.open_read(path)
    if descriptor is None:
        return None
    try:
        raw = files.read_at(descriptor, path, files.size(path) or 0, 0)
    finally:
        files.close(descriptor)
    try:
        return DemandLedger.of(_decode(raw)) if raw else None
    except msgspec.DecodeError as error:
        _log.warning("demand of an earlier run cannot be read; it is left out", file=str(path), why=str(error))
    return None


def _remove(folder: Path, epoch: str, lock: int) -> None:
    """Forget a run whose lock is held, and let go of it."""
    try:
        files.remove(folder / epoch)
        files.remove(folder / f"{epoch}.lock")
    finally:
        files.close(lock)
