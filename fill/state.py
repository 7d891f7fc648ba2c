"""What the agent keeps between runs, on the box's first device: nights, how a running fill stands, and a pause.

A device that hangs is waited for once; from then on it costs no time until it answers.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any, TypeVar, cast

import msgspec

from fill.night import Night
from oca.common.errands import Errands, Outstanding
from oca.common.errors import StoreError
from oca.common.messages import FillProgress
from oca.store import files
from oca.store.fill_files import FIGURES_FILE, FOLDER, NIGHTS_FILE, PAUSE_FILE, PROGRESS_FILE, read_kept
from oca.store.fill_record import FillFigures, Pause, with_progress

ANSWER_S = 5.0
Kept = TypeVar("Kept")
Answer = TypeVar("Answer")


class FillState:
    """The folder ``fill`` on the first device. A device that fails costs reports, never a fill."""

    def __init__(self, device: Path) -> None:
        self._device = device
        self._folder = device / FOLDER
        self._guard = threading.RLock()
        self._errands: Errands[str, Any] = Errands(name="fill-state")
        self._hangs = False
        self._shown_at_ns = 0
        self._fill_at_ns = 0
        self._before = FillFigures()

    def nights(self) -> list[Night]:
        """What is known of the last nights, the oldest first.

        Raises:
            StoreError: They cannot be read.
        """
        return self._read(NIGHTS_FILE, list[Night]) or []

    def keep(self, nights: list[Night]) -> None:
        """Write the nights down.

        Raises:
            StoreError: The device takes no writes.
        """
        self._write(NIGHTS_FILE, nights)

    def progress(self) -> FillProgress | None:
        """The last fill as it was last seen.

        Raises:
            StoreError: It cannot be read.
        """
        return self._read(PROGRESS_FILE, FillProgress)

    def figures(self) -> FillFigures:
        """What all fills so far have brought.

        Raises:
            StoreError: They cannot be read.
        """
        return self._read(FIGURES_FILE, FillFigures) or FillFigures()

    def show(self, progress: FillProgress, *, bytes_in: int) -> None:
        """Write down how the fill stands; from any thread, and one that comes late with what was before is not heeded.

        Args:
            progress: Of this fill.
            bytes_in: Committed by it.

        Raises:
            StoreError: The device takes no writes.
        """
        with self._guard:
            if progress.updated_at_ns >= self._shown_at_ns:
                self._write(PROGRESS_FILE, progress)
                self._shown_at_ns = progress.updated_at_ns
                if self._fill_at_ns != progress.started_at_ns:
                    self._before, self._fill_at_ns = self.figures(), progress.started_at_ns
                self._write(FIGURES_FILE, with_progress(self._before, progress, bytes_in=bytes_in))

    def pause(self, now_ns: int) -> Pause | None:
        """The pause that holds at ``now_ns``.

        Raises:
            StoreError: It cannot be read.
        """
        found = self._read(PAUSE_FILE, Pause)
        return found if found is not None and found.holds(now_ns) else None

    def begin_pause(self, pause: Pause) -> None:
        """Pause fills.

        Raises:
            StoreError: The device takes no writes.
        """
        self._write(PAUSE_FILE, pause)

    def end_pause(self) -> None:
        """Let fills run.

        Raises:
            StoreError: The device takes no writes.
        """
        self._ask("the pause's end", partial(files.remove, self._folder / PAUSE_FILE))

    def _read(self, name: str, kind: type[Kept]) -> Kept | None:
        return self._ask(f"read {name}", partial(read_kept, self._folder / name, kind))

    def _write(self, name: str, value: object) -> None:
        self._ask(f"write {name}", partial(self._write_now, name, msgspec.json.encode(value)))

    def _write_now(self, name: str, raw: bytes) -> None:
        files.require_folder(self._device)
        files.make_folder(self._folder)
        files.write_whole(self._folder / name, raw)

    def _ask(self, what: str, work: Callable[[], Answer]) -> Answer:
        with self._guard:
            answer = self._errands.ask({what: work}, timeout_s=0 if self._hangs else ANSWER_S)[what]
            self._hangs = isinstance(answer, Outstanding)
        if isinstance(answer, Outstanding):
            raise StoreError(f"{self._device}: {answer}", remedy="see the kernel log")
        if isinstance(answer, Exception):
            raise answer
        return cast(Answer, answer)  # the key is this work's own
