"""One process of the demo: started with its own log file, watched, and ended in time with all its children."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
from collections.abc import Callable, Sequence
from pathlib import Path

from demo.children import spawn_tied
from oca.common.clock import monotonic_s
from oca.common.errors import OcaError

LOOK_S = 0.05
STOP_S = 8.0


class ProcessError(OcaError):
    """A process of the demo failed."""


async def becomes_true(condition: Callable[[], bool], timeout_s: float) -> bool:
    """Wait for ``condition``; false when the time is up."""
    until = monotonic_s() + timeout_s
    while not condition():
        if monotonic_s() > until:
            return False
        await asyncio.sleep(LOOK_S)
    return True


class Process:
    """A running program.

    Args:
        name: What people call it.
        command: Program and arguments.
        log: Where all it says goes.
    """

    def __init__(self, name: str, command: Sequence[str], log: Path) -> None:
        self.name = name
        self.command = list(command)
        self.log = log
        log.parent.mkdir(parents=True, exist_ok=True)
        with log.open("ab") as said:
            self._log_starts_at = said.tell()
            self._child = spawn_tied(self.command, stdout=said, stderr=said)

    @property
    def group(self) -> int:
        """Its process group, which its own children belong to."""
        return self._child.pid

    @property
    def exit_code(self) -> int | None:
        """None while it runs; negative: the signal that ended it."""
        return self._child.poll()

    def last_words(self) -> str:
        """The last line it said in this run."""
        with self.log.open("rb") as said:
            said.seek(self._log_starts_at)
            lines = said.read()[-65536:].decode(errors="replace").strip().splitlines()
        return lines[-1] if lines else "it said nothing"

    def failure(self) -> ProcessError:
        """Why it ended, for the operator."""
        code = self.exit_code
        if code is not None and code < 0:  # it had no time for last words
            return ProcessError(
                f"{self.name} was ended by {signal.Signals(-code).name}", remedy=f"its log is {self.log}"
            )
        return ProcessError(
            f"{self.name} ended with exit code {code}: {self.last_words()}", remedy=f"its log is {self.log}"
        )

    async def finish(self, timeout_s: float) -> None:
        """Wait until it is done.

        Raises:
            ProcessError: It failed, or took too long.
        """
        if not await becomes_true(lambda: self.exit_code is not None, timeout_s):
            self.kill()
            raise ProcessError(f"{self.name} took more than {timeout_s:.0f} s", remedy=f"its log is {self.log}")
        if self.exit_code != 0:
            raise self.failure()

    def terminate(self) -> None:
        """Ask it to stop."""
        if self.exit_code is None:
            self._child.terminate()

    def kill(self) -> None:
        """End it and its children at once, as a power cut would."""
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.group, signal.SIGKILL)
        self._child.wait()


async def stop(processes: Sequence[Process]) -> None:
    """Ask all to stop, give them time, end whoever is left with their children."""
    for process in processes:
        process.terminate()
    await becomes_true(lambda: all(process.exit_code is not None for process in processes), STOP_S)
    for process in processes:
        process.kill()
