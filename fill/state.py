"""What the agent keeps between runs, on the box's first device: nights, how a running fill stands, and a pause."""

from __future__ import annotations

import threading
from pathlib import Path
from typing import TypeVar

import msgspec
from msgspec import Struct

from fill.night import Night
from oca.common.errors import StoreError
from oca.common.messages import FillProgress
from oca.store import files

FOLDER = "fill"
FILE_BYTES_MAX = 16 * 2**20
RUNNING_AGE_NS_MAX = 10 * 10**9
"""A fill that runs is written down every second; one that was not for so long has been killed."""
Kept = TypeVar("Kept")


class Pause(Struct, frozen=True):
    """Fills are paused; ``until_ns`` 0: until an operator says otherwise."""

    since_ns: int
    until_ns: int = 0
    why: str = ""


class FillState:
    """The folder ``fill`` on the first device. A device that fails costs reports, never a fill."""

    def __init__(self, device: Path) -> None:
        self._device = device
        self._folder = device / FOLDER
        self._guard = threading.Lock()
        self._shown_at_ns = 0

    def nights(self) -> list[Night]:
        """What is known of the last nights, the oldest first.

        Raises:
            StoreError: They cannot be read.
        """
        return self._read("nights.json", list[Night]) or []

    def keep(self, nights: list[Night]) -> None:
        """Write the nights down.

        Raises:
            StoreError: The device takes no writes.
        """
        self._write("nights.json", nights)

    def progress(self) -> FillProgress | None:
        """The last fill as it was last seen.

        Raises:
            StoreError: It cannot be read.
        """
        return self._read("progress.json", FillProgress)

    def show(self, progress: FillProgress) -> None:
        """Write down how the fill stands; from any thread, and one that comes late with what was before is not heeded.

        Raises:
            StoreError: The device takes no writes.
        """
        with self._guard:
            if progress.updated_at_ns >= self._shown_at_ns:
                self._write("progress.json", progress)
                self._shown_at_ns = progress.updated_at_ns

    def pause(self, now_ns: int) -> Pause | None:
        """The pause that holds at ``now_ns``.

        Raises:
            StoreError: It cannot be read.
        """
        found = self._read("pause.json", Pause)
        return found if found is not None and (not found.until_ns or now_ns < found.until_ns) else None

    def begin_pause(self, pause: Pause) -> None:
        """Pause fills.

        Raises:
            StoreError: The device takes no writes.
        """
        self._write("pause.json", pause)

    def end_pause(self) -> None:
        """Let fills run.

        Raises:
            StoreError: The device takes no writes.
        """
        files.remove(self._folder / "pause.json")

    def _read(self, name: str, kind: type[Kept]) -> Kept | None:
        path = self._folder / name
        descriptor = files.open_read(path)
        if descriptor is None:
            return None
        try:
            raw = files.read_at(descriptor, path, FILE_BYTES_MAX, 0)
        finally:
            files.close(descriptor)
        try:
            return msgspec.json.decode(raw, type=kind)
        except msgspec.DecodeError as error:
            raise StoreError(f"{path}: is not as the agent wrote it: {error}", remedy="remove that file") from None

    def _write(self, name: str, value: object) -> None:
        files.require_folder(self._device)
        files.make_folder(self._folder)
        files.write_whole(self._folder / name, msgspec.json.encode(value))


def is_running(progress: FillProgress | None, now_ns: int) -> bool:
    """Whether a fill runs, by what was last seen of one."""
    return (
        progress is not None and progress.state == "running" and now_ns - progress.updated_at_ns <= RUNNING_AGE_NS_MAX
    )
