"""When Python looks for what only names itself: once an hour, and when more has come than goes.

What steering makes is freed as the last that names it goes; requests answered by the dozen, refused ones among them,
leave no cycles behind (tests/unit/steering/test_cycles.py). So the collector's own rhythm is for nothing, and dear: it
looks at whatever the new objects name, cold as that is, and for up to a second at once.

What a look leaves is set aside, so that the next one looks only at what has come since. What is set aside and becomes
garbage that names itself later is found by a look at everything alone: once a day, and when memory has grown by half.
All answers wait for it, so it waits until few are asked for: half a day at most, an hour where memory has grown.

What there are hundreds of thousands of (claims to prefixes, what boxes hold, titles) is not for the collector to look
at: ``msgspec`` structs with ``gc=False``, compiled classes that name none of their kind, and tuples and dictionaries of
nothing else, which it lets go of itself.
"""

from __future__ import annotations

import asyncio
import gc
import mmap
from collections.abc import Callable
from math import inf
from pathlib import Path

from oca.common.clock import monotonic_s
from oca.common.log import get_logger

LOOK_S = 0.25
NEW_S = 3600.0
WHOLE_S = 24 * 3600.0
GROWTH_MAX = 8_000
"""Objects more than were freed: a look at them takes some 5 ms, and a whole table brings 50,000 a second. Caches come
to thirty times as many, once."""
GROWTH_BYTES_MAX = 128 * 2**20
"""Memory more than after the last look: what few objects name may be large."""
WHOLE_GROWTH = 1.5
"""Times the memory after the last look at everything: while a fleet is heard there are but a handful."""
WHOLE_WAITS_S, WHOLE_GROWTH_WAITS_S = 12 * 3600.0, 3600.0
"""How long a look at everything that is due waits for a quiet moment: one with a ``QUIET_RATIO`` of the most asked."""
QUIET_RATIO = 0.25
RESTS = 10
"""Times as long as a look took there is none for growth; the longer the rest, the more is there to look at."""
BEGIN_REST_S = 1.0
"""The first rest: what a start brings is mostly for good."""
STATM = Path("/proc/self/statm")
_log = get_logger("memory")


class Cycles:
    """In place of the collector's own rhythm, from ``begin`` to ``end``."""

    def __init__(self, asked: Callable[[], int] = lambda: 0) -> None:
        """``asked`` counts what has been asked for so far."""
        self._asked = asked
        self._asked_before = self._asked_most = 0
        self._looked_at_s = self._whole_at_s = monotonic_s()
        self._due_s = inf
        self._took_s = BEGIN_REST_S / RESTS
        self._held_bytes = self._whole_bytes = inf  # before ``begin`` nothing has grown

    def begin(self) -> None:
        """What is known by now is looked at no more, but by a look at everything."""
        gc.freeze()
        gc.disable()
        self._looked_at_s = self._whole_at_s = monotonic_s()
        self._held_bytes = self._whole_bytes = resident_bytes()
        self._asked_before = self._asked()

    async def look(self) -> None:
        """See whether it is time, and look at what has come since the last look, or at everything."""
        await asyncio.sleep(LOOK_S)
        began_s, growth, bytes_now = monotonic_s(), gc.get_count()[0], resident_bytes()
        since_s = began_s - self._looked_at_s
        grows = growth >= GROWTH_MAX or bytes_now - self._held_bytes >= GROWTH_BYTES_MAX
        whole = self._is_due(began_s, bytes_now, is_quiet=self._is_quiet())
        if not (whole or since_s >= NEW_S or (grows and since_s >= RESTS * self._took_s)):
            return
        if whole:
            gc.unfreeze()
        found = gc.collect()
        gc.freeze()
        self._looked_at_s, self._held_bytes = monotonic_s(), resident_bytes()
        if whole:
            self._whole_at_s, self._whole_bytes, self._due_s = self._looked_at_s, self._held_bytes, inf
            self._asked_most = 0
        self._took_s = self._looked_at_s - began_s
        took_s = round(self._took_s, 3)
        _log.info("looked for cycles", objects=found, growth=growth, bytes=bytes_now, whole=whole, took_s=took_s)

    def _is_quiet(self) -> bool:
        """Whether next to nobody has asked since the last time, beside the most since the last look at everything."""
        asked = self._asked()
        since, self._asked_before = asked - self._asked_before, asked
        self._asked_most = max(self._asked_most, since)
        return since <= QUIET_RATIO * self._asked_most

    def _is_due(self, now_s: float, bytes_now: int, *, is_quiet: bool) -> bool:
        """Whether to look at everything now."""
        has_grown = bytes_now >= WHOLE_GROWTH * self._whole_bytes
        if has_grown or now_s - self._whole_at_s >= WHOLE_S:
            self._due_s = min(self._due_s, now_s + (WHOLE_GROWTH_WAITS_S if has_grown else WHOLE_WAITS_S))
        return now_s >= self._due_s or (is_quiet and self._due_s < inf)

    @staticmethod
    def end() -> None:
        """Leave it to the collector again."""
        gc.unfreeze()
        gc.enable()


def resident_bytes() -> int:
    """Memory that this process holds."""
    return int(STATM.read_text().split()[1]) * mmap.PAGESIZE
