"""A device that does as a test says: its reads hang, fail or go on, at the one place that reads."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from oca.delivery import readahead
from oca.delivery.device_read import read_anew, read_in


class Sickbed:
    """Hinders reads of packs in one folder; those of other devices go on as ever.

    ``state`` is what a read meets: it waits while that is "hang", fails at "fail", and goes on at "well".
    """

    def __init__(self, monkeypatch: pytest.MonkeyPatch, folder: Path) -> None:
        self.state = "well"
        self.begun = 0
        self._changed = threading.Condition()
        self._folder = str(folder)
        monkeypatch.setattr(readahead, "read_in", self._hindered(read_in))
        monkeypatch.setattr(readahead, "read_anew", self._hindered(read_anew))

    def turn(self, state: str) -> None:
        """What reads meet from now on, those that hang included."""
        with self._changed:
            self.state = state
            self._changed.notify_all()

    def _hindered(self, read: Callable[[int, int, int], int]) -> Callable[[int, int, int], int]:
        def hindered(descriptor: int, offset: int, length: int) -> int:
            if str(Path(f"/proc/self/fd/{descriptor}").readlink()).startswith(self._folder):
                with self._changed:
                    self.begun += 1
                    self._changed.wait_for(lambda: self.state != "hang")
                    if self.state == "fail":
                        raise OSError(5, "Input/output error")
            return read(descriptor, offset, length)

        return hindered


def make_cold(device: Path) -> None:
    """Drop a device's packs from memory."""
    for pack in (device / "packs").iterdir():
        descriptor = os.open(pack, os.O_RDONLY)
        os.fsync(descriptor)
        os.posix_fadvise(descriptor, 0, 0, os.POSIX_FADV_DONTNEED)
        os.close(descriptor)
