"""What the store holds and how its devices are, read in one go. It may block: ask through a ``Probe``."""

from __future__ import annotations

import os
from pathlib import Path

from oca.common.box import StoreTable
from oca.common.clock import monotonic_s
from oca.common.errors import StoreError
from oca.common.messages import StoreUse
from oca.report.contents import Held
from oca.report.health import DeviceReading
from oca.report.snapshot import StoreReading
from oca.store import files
from oca.store.reader import StoreReader
from oca.store.records import HeldPack
from oca.store.use import store_use

MEASURE_INTERVAL_S = 10.0
"""Measuring the store walks its packs; between changes of the index only staging and strangers' files move."""


class Inventory:
    """Reads one store; lists its assets anew only after its index changed."""

    def __init__(self, table: StoreTable) -> None:
        """Open the store for reading.

        Raises:
            StoreError: No device works.
        """
        self._table = table
        self._devices = [Path(device) for device in table.devices]
        self._reader = StoreReader.open(self._devices)
        self._version = -1
        self._packs: list[HeldPack] = []
        self._held = Held(())
        self._use = StoreUse(capacity_bytes=0, used_bytes=0, assets=0, objects=0)
        self._measure_at = 0.0

    def read(self) -> StoreReading:
        """What the store holds now.

        Raises:
            StoreError: An index that worked can no longer be read.
        """
        version = self._reader.version()
        changed = version != self._version
        if changed:
            self._packs = self._reader.assets()
            self._held = Held((pack.asset, pack.revision) for pack in self._packs)
            self._version = version
        if changed or monotonic_s() >= self._measure_at:
            self._use = store_use(self._reader, self._devices, self._table.device_bytes_max, self._table.reserve_ratio)
            self._measure_at = monotonic_s() + MEASURE_INTERVAL_S
        return StoreReading(version=version, held=self._held, packs=self._packs, use=self._use, devices=self.devices())

    def devices(self) -> list[DeviceReading]:
        """How each device is."""
        return [self._device(number, folder) for number, folder in enumerate(self._devices)]

    def close(self) -> None:
        """Let go of the store."""
        self._reader.close()

    def _device(self, number: int, folder: Path) -> DeviceReading:
        failed = self._reader.failed.get(number)
        if failed is not None:
            return DeviceReading(str(folder), fault=f"{failed}, then restart oca", free_bytes=0)
        try:
            _, free_bytes = files.space(folder)
        except StoreError as error:
            return DeviceReading(str(folder), fault=str(error), free_bytes=0)
        if not os.access(folder, os.R_OK | os.W_OK | os.X_OK):
            return DeviceReading(str(folder), fault="cannot be written; see the kernel log", free_bytes=free_bytes)
        return DeviceReading(str(folder), fault="", free_bytes=free_bytes)
