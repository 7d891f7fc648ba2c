"""Settings of how objects that are not in memory are read from their device. Pure."""

from __future__ import annotations

from typing import Annotated

from msgspec import Meta

from oca.common.settings_schema import Table


class ReadsTable(Table, frozen=True):
    """Reading from devices what is not in memory, apart from the event loop: each bound is per worker and device."""

    threads: Annotated[
        int,
        Meta(
            ge=1,
            le=64,
            description="Reads at a time; 4 keep an NVMe device busy, 2 are enough for one that turns.",
            extra={"unit": "threads"},
        ),
    ] = 4
    queue_max: Annotated[
        int,
        Meta(
            ge=1,
            le=100_000,
            description="Reads that may wait for a thread; viewers beyond them are answered 429 and go elsewhere.",
            extra={"unit": "reads"},
        ),
    ] = 256
    timeout_s: Annotated[
        float,
        Meta(
            ge=0.05,
            le=60,
            description="How long a viewer may wait for a read. A device that finishes none for so long is sick: what "
            "is not in memory is answered as a miss at once, until it answers again.",
            extra={"unit": "seconds"},
        ),
    ] = 2.0
    ahead_bytes_max: Annotated[
        int,
        Meta(
            ge=0,
            le=64 * 2**20,
            description="How much is read of what follows an object that had to be read, in the same pack: the next "
            "object, and for a player that came to it 2 MiB at a time; 0: nothing.",
            extra={"unit": "bytes"},
        ),
    ] = 4 * 2**20
    small_bytes_max: Annotated[
        int,
        Meta(
            ge=0,
            le=2**30,
            description="Memory of each worker for objects of up to 16 KiB (playlists, subtitles, initialisation "
            "segments), which then leave in one call with their head; 0: none.",
            extra={"unit": "bytes"},
        ),
    ] = 16 * 2**20
