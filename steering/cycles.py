"""When Python looks for what only names itself: once an hour, and when more has come than goes.

What steering makes is freed as the last that names it goes; requests answered by the dozen, refused ones among them,
leave no cycles behind (tests/unit/steering/test_cycles.py). So the collector's own rhythm is for nothing, and dear: it
looks at whatever the new objects name, cold as that is, and for up to a second at once.

What a look leaves is set aside, so that the next one looks only at what has come since. What is set aside and becomes
garbage that names itself later is found by a look at everything alone: once a day, and when memory has grown by half.
"""

from __future__ import annotations

import asyncio
import gc
import mmap
from pathlib import Path

from oca.common.clock import monotonic_s
from oca.common.log import get_logger

LOOK_S = 1.0
NEW_S = 3600.0
WHOLE_S = 24 * 3600.0
GROWTH_MAX = 500_000
"""Objects more than were freed: some 200 MB. As many as caches keep, and far fewer than a leak would come to."""
GROWTH_BYTES_MAX = 128 * 2**20
"""Memory more than after the last look: what few objects name may be large."""
WHOLE_GROWTH = 1.5
"""Times the memory after the last look at everything: while a fleet is heard there are but a handful."""
RESTS = 50
"""Times as long as a look took there is none for growth: what grows and is in use would be looked at on and on."""
STATM = Path("/proc/self/statm")
_log = get_logger("memory")


class Cycles:
    """In place of the collector's own rhythm, from ``begin`` to ``end``."""

    def __init__(self) -> None:
        self._looked_at_s = self._whole_at_s = monotonic_s()
        self._took_s = 0.0
        self._held_bytes = self._whole_bytes = 0

    def begin(self) -> None:
        """What is known by now is looked at no more, but by a look at everything."""
        gc.freeze()
        gc.disable()
        self._looked_at_s = self._whole_at_s = monotonic_s()
        self._held_bytes = self._whole_bytes = resident_bytes()

    async def look(self) -> None:
        """See whether it is time, and look at what has come since the last look, or at everything."""
        await asyncio.sleep(LOOK_S)
        began_s, growth, bytes_now = monotonic_s(), gc.get_count()[0], resident_bytes()
        since_s = began_s - self._looked_at_s
        grows = growth >= GROWTH_MAX or bytes_now - self._held_bytes >= GROWTH_BYTES_MAX
        is_over = began_s - self._whole_at_s >= WHOLE_S
        if not (is_over or since_s >= NEW_S or (grows and since_s >= RESTS * self._took_s)):
            return
        whole = is_over or bytes_now >= WHOLE_GROWTH * self._whole_bytes
        if whole:
            gc.unfreeze()
        found = gc.collect()
        gc.freeze()
        self._looked_at_s, self._held_bytes = monotonic_s(), resident_bytes()
        if whole:
            self._whole_at_s, self._whole_bytes = self._looked_at_s, self._held_bytes
        self._took_s = self._looked_at_s - began_s
        took_s = round(self._took_s, 3)
        _log.info("looked for cycles", objects=found, growth=growth, bytes=bytes_now, whole=whole, took_s=took_s)

    @staticmethod
    def end() -> None:
        """Leave it to the collector again."""
        gc.unfreeze()
        gc.enable()


def resident_bytes() -> int:
    """Memory that this process holds."""
    return int(STATM.read_text().split()[1]) * mmap.PAGESIZE
