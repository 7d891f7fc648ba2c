"""Which devices of a store are not there, found out without touching any: what 'config check' asks."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from oca.common.errors import ConfigError, StoreError
from oca.store import files


def absent_devices(devices: Sequence[str]) -> list[str]:
    """What is wrong with each device that a program would start without.

    Raises:
        ConfigError: No device is there, so that it would not start.
    """
    faults: list[StoreError] = []
    for device in devices:
        try:
            files.require_folder(Path(device))
        except StoreError as error:
            faults.append(error)
    if len(faults) == len(devices):
        raise ConfigError(f"store.devices: {faults[0].message}", remedy=faults[0].remedy)
    return [f"store.devices: {fault}" for fault in faults]
