"""A store opened for reading without the devices that are out: what commands and previews look at."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from oca.common.errors import StoreError
from oca.store.outage import remedy_of, sentence
from oca.store.outages import outages
from oca.store.reader import StoreReader


def open_in_use(devices: Sequence[Path]) -> StoreReader:
    """The devices that are in use and work; ``failed`` of the reader tells why each other is not among them.

    Raises:
        StoreError: None is; the first one's reason.
    """
    why = {
        number: StoreError(f"{outage.device}: {sentence(outage)}", remedy=remedy_of(outage))
        for number, outage in outages(devices).items()
    }
    if why and len(why) == len(devices):
        raise why[0]
    reader = StoreReader.open(devices, out=dict.fromkeys(why, False))
    reader.failed.update(why)
    return reader
