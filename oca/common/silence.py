"""How long a thread of this process has been silent, as far as that is the doing of what it waits for.

A device that hangs lets a thread sleep. A thread that gets no processor is silent, too, and says nothing of the
device: whoever judges by the clock alone takes a healthy device out on a box that is short of processors.
"""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

from oca.common.clock import monotonic_s

LOOK_S_MAX = 1.5
"""So much counts between two looks at most: whoever looks once a second and comes later got no processor either."""
TASKS = Path("/proc/self/task")
_RUNNABLE = b"R"


class Standing(NamedTuple):
    """Whether it runs or waits for a processor, and for how many seconds it has done either so far."""

    runnable: bool
    processor_s: float


def standing_of(thread: int) -> Standing:
    """How the thread of that native id stands (proc(5), ``stat`` and ``schedstat``); asleep where nothing tells."""
    folder = TASKS / str(thread)
    try:
        state = (folder / "stat").read_bytes().rpartition(b")")[2].split(maxsplit=1)[0]
    except (OSError, IndexError):  # it has ended, or the system does not say
        return Standing(runnable=False, processor_s=0.0)
    try:
        ran_ns, waited_ns, _ = map(int, (folder / "schedstat").read_bytes().split())
    except (OSError, ValueError):  # a kernel without SCHED_INFO, a container that shows an empty file
        ran_ns = waited_ns = 0
    return Standing(state == _RUNNABLE, (ran_ns + waited_ns) / 1e9)


def is_starved(thread: int) -> bool:
    """Whether a thread of that native id is short of a processor now; 0: one that has not begun is."""
    return not thread or standing_of(thread).runnable


class Silence:
    """The silence of one thread, from now on."""

    def __init__(self, thread: int) -> None:
        self._thread = thread
        self._seen_at_s = monotonic_s()
        self._before = standing_of(thread)
        self.for_s = 0.0

    def look(self) -> float:
        """How long it has slept since it was asked, as far as that is known; look once a second."""
        now_s, now, before = monotonic_s(), standing_of(self._thread), self._before
        passed_s = min(now_s - self._seen_at_s, LOOK_S_MAX)
        self._seen_at_s, self._before = now_s, now
        if not now.runnable:  # what a thread waits for a processor is added up when it gets one
            self.for_s += max(0.0, passed_s - max(0.0, now.processor_s - before.processor_s))
        return self.for_s
