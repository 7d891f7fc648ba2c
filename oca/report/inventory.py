"""What the store holds and how its devices are, read in one go. It may block: ask through a ``Probe``."""

from __future__ import annotations

from pathlib import Path

from oca.common.box import StoreTable
from oca.common.clock import monotonic_s
from oca.common.errors import StoreError
from oca.report.contents import Held
from oca.report.health import DeviceReading
from oca.report.snapshot import StoreReading
from oca.store import files
from oca.store.device import WRITE_PROBE
from oca.store.reader import StoreReader
from oca.store.use import Survey, survey

MEASURE_INTERVAL_S = 10.0
"""Measuring the store walks its packs; between changes of the index only staging and strangers' files move."""


class Inventory:
    """Reads one store. It looks at it anew when its index has changed, and every ``MEASURE_INTERVAL_S``."""

    def __init__(self, table: StoreTable) -> None:
        """Open the store for reading.

        Raises:
            StoreError: No device works.
        """
        self._table = table
        self._devices = [Path(device) for device in table.devices]
        self._reader = StoreReader.open(self._devices)
        self._version = self._reader.version()
        self._look()
        self._try_to_write()

    def read(self) -> StoreReading:
        """What the store holds now; a device that fails takes only its own assets with it."""
        version = self._reader.version()
        measure = monotonic_s() >= self._measure_at
        if measure or version != self._version:
            self._look()
            self._version = version
        if measure:
            self._try_to_write()
        found = self._survey
        return StoreReading(version=version, held=self._held, packs=found.held, use=found.use, devices=self.devices())

    def devices(self) -> list[DeviceReading]:
        """How each device is."""
        return [self._device(number, folder) for number, folder in enumerate(self._devices)]

    def close(self) -> None:
        """Let go of the store."""
        self._reader.close()

    def _look(self) -> None:
        table = self._table
        self._survey: Survey = survey(
            self._reader, device_bytes_max=table.device_bytes_max, reserve_ratio=table.reserve_ratio
        )
        self._held = Held((pack.asset, pack.revision) for pack in self._survey.held)

    def _try_to_write(self) -> None:
        """Find out by doing it: a file system that shut itself down after an error still claims to be writable."""
        self._read_only: dict[int, str] = {}
        for device in self._reader.devices():
            try:
                files.rewrite(device.folder / WRITE_PROBE)
            except StoreError as error:
                self._read_only[device.number] = str(error)
        self._measure_at = monotonic_s() + MEASURE_INTERVAL_S

    def _device(self, number: int, folder: Path) -> DeviceReading:
        failed = self._survey.failed.get(number)
        if failed is not None:
            advice = ", then restart oca" if number in self._reader.failed else ""
            return DeviceReading(str(folder), fault=f"{failed}{advice}", free_bytes=0)
        try:
            _, free_bytes = files.space(folder)
        except StoreError as error:
            return DeviceReading(str(folder), fault=str(error), free_bytes=0)
        return DeviceReading(str(folder), fault="", free_bytes=free_bytes, read_only=self._read_only.get(number, ""))
