"""Reads the indexes of a store into memory while the program that will use them still loads.

Whoever opens an index first reads it through, some 0.4 s for a million objects that are not in memory; a program of
ours takes longer than that to load.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

from oca.common.lmdb_pages import LEAVES_READ_BYTES_MAX
from oca.store.device import index_file

_READ_BYTES = 1 << 20


def warm_indexes(devices: Sequence[Path]) -> list[threading.Thread]:
    """Begin to read them, each in a thread that nobody has to wait for: a device that hangs holds up nothing."""
    threads = [
        threading.Thread(target=_read, args=(index_file(device),), name=f"warm-{number}", daemon=True)
        for number, device in enumerate(devices)
    ]
    for thread in threads:
        thread.start()
    return threads


def _read(path: Path) -> None:
    """A file that cannot be read is told of by whoever needs it."""
    buffer = bytearray(_READ_BYTES)
    with suppress(OSError), path.open("rb", buffering=0) as file:
        if os.fstat(file.fileno()).st_size <= LEAVES_READ_BYTES_MAX:
            while file.readinto(buffer):
                continue
