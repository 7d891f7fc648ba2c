"""Writes the sample of decisions: gathered as they are made, appended by a thread, to files of which a few are kept."""

from __future__ import annotations

import asyncio
import re
from functools import partial
from pathlib import Path

from oca.common.errors import ConfigError, SteeringError
from oca.common.sampling import Evenly
from oca.common.threads import in_thread
from steering.decision.log_settings import DecisionLogTable
from steering.decision.record import Begun, Seen, begun, line_of
from steering.metrics import Counts
from steering.settings import SteeringSettings

WRITE_S = 1.0
WAITING_BYTES_MAX = 8 * 2**20
_NAME = re.compile(r"decisions-([0-9]{8})\.jsonl")


class DecisionLog:
    """One folder."""

    def __init__(self, settings: DecisionLogTable, begin: Begun, counts: Counts) -> None:
        """``begin`` is the first line of each file.

        Raises:
            ConfigError: The folder cannot be written.
        """
        self._settings = settings
        self._folder = Path(settings.folder)
        self._begin = line_of(begin)
        self._counts = counts
        self.samples = Evenly(settings.sample).takes
        """Whether the decision that is made now is logged: of each hundred one, say, and evenly so."""
        self._waiting: list[bytes] = []
        self._waiting_bytes = 0
        try:
            self._folder.mkdir(parents=True, exist_ok=True)
            numbers = [int(found[1]) for path in self._folder.iterdir() if (found := _NAME.fullmatch(path.name))]
            self._number = max(numbers, default=0)
            self._open_next()
        except OSError as error:
            raise ConfigError(
                f"[decision_log] folder = {settings.folder!r}: {(error.strerror or str(error)).lower()}",
                remedy="make it writable for this user, or name another",
            ) from None

    @classmethod
    def wanted(cls, settings: SteeringSettings, counts: Counts) -> DecisionLog | None:
        """None where no folder is named."""
        table = settings.decision_log
        return cls(table, begun(settings.site), counts) if table.folder else None

    def add(self, seen: Seen) -> None:
        """Take a decision; lost, and counted so, if too many wait for the disk."""
        line = line_of(seen)
        if self._waiting_bytes + len(line) > WAITING_BYTES_MAX:
            self._counts.add("steering_decisions_logged:lost")
            return
        self._waiting.append(line)
        self._waiting_bytes += len(line)

    async def write_next(self) -> None:
        """Write what waits, after a moment.

        Raises:
            SteeringError: It could not be written; it is lost, and counted so.
        """
        await asyncio.sleep(WRITE_S)
        lines, self._waiting, self._waiting_bytes = self._waiting, [], 0
        if not lines:
            return
        try:
            await in_thread(partial(self._append, b"".join(lines)), name="decision log")
        except OSError as error:
            self._counts.add("steering_decisions_logged:lost", len(lines))
            raise SteeringError(
                f"{self._path}: {error.strerror or error}", remedy="check the space and health of its disk"
            ) from None
        self._counts.add("steering_decisions_logged:written", len(lines))

    @property
    def _path(self) -> Path:
        return self._folder / f"decisions-{self._number:08}.jsonl"

    def _append(self, lines: bytes) -> None:
        if not self._path.exists() or self._path.stat().st_size >= self._settings.file_bytes_max:
            self._open_next()
        with self._path.open("ab") as file:
            file.write(lines)

    def _open_next(self) -> None:
        """Begin the next file, or none; what an earlier run left half written stays as it is."""
        self._number += 1
        new = self._path
        for path in self._folder.iterdir():
            found = _NAME.fullmatch(path.name)
            if found is not None and int(found[1]) <= self._number - self._settings.files_max:
                path.unlink(missing_ok=True)
        try:
            new.write_bytes(self._begin)
        except OSError:
            self._number -= 1
            new.unlink(missing_ok=True)  # it has not its first line, without which no replay reads it
            raise
