"""One device's reads: which is next, which have waited too long, and whether the device is sick.

Decides only: ``readahead`` carries the reads out and tells here how they ended. A viewer waits ``timeout_s`` at most,
whatever the device does. The device is *sick* when a read has taken that long and no other has ended meanwhile: then
nothing more is asked of it, but one probe at a time, until it answers.
"""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Callable, Iterator
from operator import itemgetter
from typing import Generic, Literal, TypeVar

Pack = TypeVar("Pack")
Ended = Literal["ready", "failed", "short"]
"""How a read ends: all of it is in memory, the device fails, the pack ends before it."""
Refusal = Literal["slow", "sick", "overloaded"]
"""Why no read is waited for: it takes too long, its device hangs, too many are before it."""
Outcome = Ended | Refusal
Waiter = Callable[[Outcome], None]

AHEAD_MAX = 64
"""Reads ahead that may wait; the oldest give way, for their viewers have come nearest to asking themselves."""
HELD_FACTOR_MAX = 4
"""Reads in hand at most, those that hang included, as a multiple of ``threads``."""
PROBE_INTERVAL_S = 1.0


class Read(Generic[Pack]):
    """One range of one pack, and who waits for it; ``at_s`` is when it was asked for, then when it was begun.

    Those who wait need its first ``needed`` bytes: a read ahead may reach past the end of the pack. ``client`` is who
    alone waits for it, and may be refused for others' sake; None: nobody, several, or one whose response has begun.
    """

    __slots__ = ("at_s", "client", "length", "needed", "offset", "pack", "stuck", "thread", "waiters")

    def __init__(self, pack: Pack, offset: int, length: int, at_s: float, client: str | None = None) -> None:
        self.pack = pack
        self.offset = offset
        self.length = length
        self.at_s = at_s
        self.client = client
        self.needed = 0
        self.waiters: list[Waiter] = []
        self.stuck = False
        self.thread = 0
        """Native id of the one that is at it; 0: none is yet."""

    def settle(self, outcome: Outcome) -> None:
        """Tell all who wait."""
        waiters, self.waiters = self.waiters, []
        for waiter in waiters:
            waiter(outcome)


class Lane(Generic[Pack]):
    """The reads of one device; at most ``threads`` at a time, not counting those that hang."""

    def __init__(self, *, threads: int, queue_max: int, timeout_s: float) -> None:
        self._threads = threads
        self._queue_max = queue_max
        self._timeout_s = timeout_s
        self._waiting: deque[Read[Pack]] = deque()
        self._ahead: deque[Read[Pack]] = deque(maxlen=AHEAD_MAX)
        self._running: dict[Read[Pack], None] = {}
        self._stuck = 0
        self._known: dict[tuple[Pack, int], Read[Pack]] = {}
        """What waits or runs, by where it begins: who wants the same joins it."""
        self._answered_at_s = -1.0
        self._probe: Read[Pack] | None = None
        self._probe_at_s = 0.0
        self.suspect: Pack | None = None
        """The pack whose read made the device sick; None while it is well."""

    @property
    def sick(self) -> bool:
        """Whether nothing is asked of the device."""
        return self.suspect is not None

    @property
    def due_at_s(self) -> float | None:
        """When ``expire`` has something to do, unless reads end before."""
        first = next((read.at_s for read in self._running if not read.stuck), None)
        queued = self._waiting[0].at_s if self._waiting else None
        asked = [at_s for at_s in (first, queued) if at_s is not None]
        return min(asked) + self._timeout_s if asked else None

    def at_work(self) -> Iterator[int]:
        """The threads that reads are with that nobody waits for any longer; 0 for one that no thread has begun."""
        return (read.thread for read in self._running if read.stuck)

    def covers(self, pack: Pack, offset: int, length: int) -> bool:
        """Whether a read from there on has begun: its pages count as cached before they hold anything."""
        known = self._known.get((pack, offset))
        return known is not None and known.length >= length and known in self._running

    def ask(
        self, pack: Pack, offset: int, length: int, waiter: Waiter, now_s: float, *, client: str | None
    ) -> Read[Pack] | Refusal:
        """Wait for a range.

        Args:
            pack: Which.
            offset: Its first byte.
            length: How many.
            waiter: Told the outcome, once, unless taken from the read's ``waiters`` before.
            now_s: The time.
            client: Who asks; None: whoever it is, the response has begun, and is finished whatever the length of the
                queue.
        """
        if self.sick:
            return "sick"
        read = self._known.get((pack, offset))
        if read is not None and read.stuck:
            return "slow"
        if read is None or read.length < length:
            if len(self._waiting) >= self._queue_max and client is not None:
                return "overloaded"
            read = self._known[(pack, offset)] = Read(pack, offset, length, now_s, client)
            self._waiting.append(read)
        elif read in self._ahead:
            self._ahead.remove(read)
            read.at_s, read.client = now_s, client
            self._waiting.append(read)
        elif read.client != client:
            read.client = None
        read.needed = max(read.needed, length)
        read.waiters.append(waiter)
        return read

    def give_way(self, client: str) -> Read[Pack] | None:
        """A read that gives its place in a full queue to ``client``: the latest of whoever has most there.

        Nobody then fills the queue alone. None: nobody has more there than ``client`` would. The caller tells its
        waiters "overloaded".
        """
        held = Counter(read.client for read in self._waiting if read.client is not None)
        most, reads = max(held.items(), key=itemgetter(1), default=("", 0))
        if reads <= held[client] + 1:
            return None
        gone = next(read for read in reversed(self._waiting) if read.client == most)
        self._waiting.remove(gone)
        self._forget(gone)
        return gone

    def ask_ahead(self, pack: Pack, offset: int, length: int, now_s: float) -> None:
        """Read a range when nothing else is to be read; nobody waits for it."""
        if self.sick or (pack, offset) in self._known:
            return
        if len(self._ahead) == AHEAD_MAX:
            self._forget(self._ahead.popleft())
        read = self._known[(pack, offset)] = Read(pack, offset, length, now_s)
        self._ahead.append(read)

    def take(self, now_s: float) -> Read[Pack] | None:
        """The next read to begin; None: none, or enough are running. Reads that nobody waits for any more are left."""
        free = self._free()
        while free > 0 and self._waiting:
            read = self._waiting.popleft()
            if read.waiters:
                return self._begin(read, now_s)
            self._forget(read)
        # One thread stays free for what a viewer waits for.
        if self._ahead and free > min(1, self._threads - 1):
            return self._begin(self._ahead.popleft(), now_s)
        return None

    def done(self, read: Read[Pack], now_s: float, *, answered: bool) -> None:
        """A begun read has ended; ``answered``: the device gave what was asked for, or told that there is no more."""
        del self._running[read]
        self._stuck -= read.stuck
        self._forget(read)
        if read is self._probe:
            self._probe = None
        if answered:
            self._answered_at_s = now_s
            if self._free() > 0:
                self.suspect = None

    def expire(self, now_s: float) -> Iterator[tuple[Read[Pack], Refusal]]:
        """The reads that nobody shall wait for any longer, and why; the caller tells their waiters."""
        limit_s = now_s - self._timeout_s
        for read in [read for read in self._running if not read.stuck and read.at_s <= limit_s]:
            read.stuck = True
            self._stuck += 1
            if self._answered_at_s <= read.at_s and self.suspect is None:
                self.suspect = read.pack
                self._probe_at_s = now_s + PROBE_INTERVAL_S
            yield read, "sick" if self.sick else "slow"
        while self._waiting and (self.sick or self._waiting[0].at_s <= limit_s):
            read = self._waiting.popleft()
            self._forget(read)
            yield read, "sick" if self.sick else "overloaded"
        while self.sick and self._ahead:
            self._forget(self._ahead.popleft())

    def probe(self, length: int, now_s: float) -> Read[Pack] | None:
        """A read of the first bytes of the suspect pack, already begun, if it is time for one. For the caller to
        carry out past the cache.
        """
        if self.suspect is None or self._probe is not None or now_s < self._probe_at_s:
            return None
        self._probe_at_s = now_s + PROBE_INTERVAL_S
        self._probe = Read(self.suspect, 0, length, now_s)
        return self._begin(self._probe, now_s)

    def _free(self) -> int:
        held = len(self._running)
        return min(self._threads - (held - self._stuck), self._threads * HELD_FACTOR_MAX - held)

    def _begin(self, read: Read[Pack], now_s: float) -> Read[Pack]:
        read.at_s = now_s
        self._running[read] = None
        return read

    def _forget(self, read: Read[Pack]) -> None:
        if self._known.get((read.pack, read.offset)) is read:
            del self._known[(read.pack, read.offset)]
