"""What an instance last knew of the fleet, on its own disk: where the engine is away at its start, it begins there."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from pathlib import Path

import msgspec

from oca.common.log import get_logger
from oca.common.messages import Report
from oca.common.threads import in_thread
from steering.state.embedded import EmbeddedState

_BYTES_MAX = 16 * 2**30
_reports = msgspec.msgpack.Decoder(Report)
_log = get_logger("fleet")


class FleetCopy:
    """The last report of each appliance, and the last that listed what it holds."""

    def __init__(self, kept: EmbeddedState) -> None:
        self._kept = kept
        self._changed: dict[str, bytes] = {}

    @classmethod
    def open(cls, folder: Path) -> FleetCopy:
        """Open the copy, new or as it was left.

        Raises:
            ConfigError: The folder cannot be written.
        """
        return cls(EmbeddedState.open(folder, bytes_max=_BYTES_MAX))

    def note(self, report: Report, raw: bytes) -> None:
        """Have it written with the next ``write``."""
        kind = "contents" if report.contents.assets is not None else "report"
        self._changed[f"{kind}/{report.appliance}"] = raw

    async def write(self) -> None:
        """Write what was noted, in a thread.

        Raises:
            SteeringError: It cannot be written.
        """
        if self._changed:
            changed, self._changed = self._changed, {}
            await in_thread(partial(self._write, changed), name="fleet copy")

    def reports(self) -> Iterator[Report]:
        """Of each appliance the report that listed its contents, then its last."""
        for kind in ("contents", "report"):
            for key, raw in self._kept.scan(f"{kind}/"):
                try:
                    yield _reports.decode(raw)
                except msgspec.DecodeError as error:
                    _log.warning("a kept report cannot be read", key=key, why=str(error))

    def close(self) -> None:
        """Let go of it."""
        self._kept.close()

    def _write(self, changed: dict[str, bytes]) -> None:
        with self._kept.write() as transaction:
            for key, raw in changed.items():
                transaction.put(key, raw)
