"""One device as the report sees it. What is asked here may hang: ask it in a thread of the device's own."""

from __future__ import annotations

from pathlib import Path

from msgspec import Struct

from oca.common.errors import StoreError
from oca.store import files
from oca.store.device import WRITE_PROBE, Device
from oca.store.fill_files import fill_record
from oca.store.fill_record import FillRecord
from oca.store.outages import mark
from oca.store.use import DeviceContents, look


class DeviceLook(Struct, frozen=True):
    """What was found.

    Attributes:
        version: Moves with every change of the index.
        contents: What it holds; None where that cannot be told, and ``fault`` says why.
        fault: Why the device cannot be read.
        free_bytes: Of its file system.
        read_only: Why it cannot be written.
        mark: Moves when a record of outages on it changes.
        disk: The kernel's name of the block device below it; empty where there is none.
        fill: How the fill agent stands, if this is the device that it keeps that on: the first.
    """

    version: int = 0
    contents: DeviceContents | None = None
    fault: StoreError | None = None
    free_bytes: int = 0
    read_only: StoreError | None = None
    mark: int = 0
    disk: str = ""
    fill: FillRecord | None = None


class DeviceWatch:
    """Looks at a device again and again; opens it when it first can be. One thread at a time."""

    def __init__(self, number: int, folder: Path) -> None:
        self.folder = folder
        self._number = number
        self._device: Device | None = None
        self._generation = 0
        self._last = DeviceLook()

    @property
    def was_opened(self) -> bool:
        """Whether it could be opened, ever."""
        return self._device is not None

    def look(self, *, measure: bool) -> DeviceLook:
        """How the device is now; ``measure`` it, and write to it, even where its index has not changed."""
        try:
            self._last = self._look(measure=measure)
        except StoreError as error:
            version = self._last.version
            self._last = DeviceLook(version=version + (self._last.fault is None), fault=error, mark=mark(self.folder))
        return self._last

    def look_for_records(self) -> DeviceLook:
        """The same of a device that is out: nothing of it is touched but the records of outages."""
        self._last = DeviceLook(mark=mark(self.folder))
        return self._last

    def close(self) -> None:
        """Let go of its index."""
        if self._device is not None:
            self._device.close()

    def _look(self, *, measure: bool) -> DeviceLook:
        files.require_folder(self.folder)
        device = self._device
        just_opened = device is None
        if device is None:
            device = self._device = Device.open_for_reading(self._number, self.folder)
        if device.index.replaced():
            device.index.reopen(writable=device.index.writable)
            self._generation += 1
        version = self._generation * 2**48 + device.index.last_transaction()
        last = self._last
        contents, read_only = last.contents, last.read_only
        if contents is None or measure or version != last.version:
            if not just_opened:
                device.index.require_sound()  # it is long since it was opened; a bad page must not end this process
            contents = look(device)
        if measure:
            read_only = self._try_to_write()
        _, free_bytes = files.space(self.folder)
        return DeviceLook(
            version=version,
            contents=contents,
            free_bytes=free_bytes,
            read_only=read_only,
            mark=mark(self.folder),
            disk=files.disk_below(self.folder) if measure else last.disk,
            fill=fill_record(self.folder) if self._number == 0 else None,
        )

    def _try_to_write(self) -> StoreError | None:
        """Find out by doing it: a file system that shut itself down after an error still claims to be writable."""
        try:
            files.rewrite(self.folder / WRITE_PROBE)
        except StoreError as error:
            return error
        return None
