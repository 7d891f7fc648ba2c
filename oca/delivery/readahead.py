"""Brings what is not in memory into it before it is sent, so that the event loop never waits for a device.

``at_hand`` asks whether a slice can be sent at once; if not, ``fetch`` has a thread of its device read it. What to
read next and when a device counts as sick is decided by ``lane``.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Collection
from functools import partial
from threading import get_native_id

from oca.common import clock
from oca.common.log import get_logger
from oca.common.silence import is_starved
from oca.common.threads import Crew
from oca.delivery.device_read import BLOCK_BYTES, PROBE_BYTES, read_anew, read_in
from oca.delivery.lane import Ended, Lane, Outcome, Read, Refusal, Waiter
from oca.delivery.metrics import DELIVERY_SLOTS, labelled
from oca.delivery.reads_metrics import READ_WAITS_MS
from oca.delivery.reads_settings import ReadsTable
from oca.delivery.residency import PageCache
from oca.store.pack import page_end
from oca.store.reader import OpenPack

ReadIn = Callable[[int, int, int], int]
SLICE_BYTES = 4 * 2**20
"""Most that is looked for, read, and sent at a time: any usual segment whole, and the most that Linux buffers for a
socket by default (``tcp_wmem``); a smaller slice costs a segment of 2.5 MB one more call and two changes of what epoll
watches."""
RUN_BYTES = BLOCK_BYTES
"""Read ahead at least, of objects in a row that a player does take in a row: small ones then cost a read in many."""
FOLLOWED_MAX = 4096
"""Reads ahead that are remembered until a viewer comes to them."""
EPOCH_S = 1.0
"""How long a slice that was found in memory counts as being there: the kernel lets go first of what was not used."""

_HOT = DELIVERY_SLOTS["delivery_probes:memory"]
_COLD = DELIVERY_SLOTS["delivery_probes:device"]
_READS = labelled("delivery_reads")
_AWAITED = DELIVERY_SLOTS["delivery_reads_awaited"]
_BYTES = DELIVERY_SLOTS["delivery_read_bytes"]
_AHEAD_BYTES = DELIVERY_SLOTS["delivery_read_ahead_bytes"]
_WAITED = [DELIVERY_SLOTS[f"delivery_read_waits:{limit}"] for limit in (*READ_WAITS_MS, "more")]
_WAITED_US = DELIVERY_SLOTS["delivery_read_wait_seconds"]
_SICK = DELIVERY_SLOTS["delivery_devices_sick"]
_log = get_logger("reads")


class Wait:
    """A session's wait for a read."""

    __slots__ = ("_asked_at_s", "_counts", "_done", "_read")

    def __init__(self, counts: memoryview[int], done: Waiter) -> None:
        self._counts = counts
        self._done = done
        self._read: Read[OpenPack] | None = None
        self._asked_at_s = 0.0

    def begin(self, read: Read[OpenPack], now_s: float) -> None:
        """It is asked for."""
        self._read, self._asked_at_s = read, now_s
        self._counts[_AWAITED] += 1

    def cancel(self) -> None:
        """Forget it: the viewer is gone."""
        if self._read is not None and self.tell in self._read.waiters:
            self._read.waiters.remove(self.tell)
            self._counts[_AWAITED] -= 1

    def tell(self, outcome: Outcome) -> None:
        """It is over."""
        self._counts[_AWAITED] -= 1
        waited_ms = (clock.monotonic_s() - self._asked_at_s) * 1000
        self._counts[_WAITED_US] += int(waited_ms * 1000)
        self._counts[_WAITED[sum(waited_ms > limit for limit in READ_WAITS_MS)]] += 1
        self._counts[_READS[outcome]] += 1
        self._done(outcome)


class Reads:
    """What one worker reads from its devices."""

    def __init__(self, loop: asyncio.AbstractEventLoop, settings: ReadsTable, counts: memoryview[int]) -> None:
        self.epoch = 0
        """Moves every ``EPOCH_S``; who has found something in memory keeps the epoch with it."""
        self._loop = loop
        self._settings = settings
        self._counts = counts
        self._page_cache = PageCache()
        self._lanes: dict[int, Lane[OpenPack]] = {}
        self._crew = Crew(loop, name="read")
        self._epoch_at_s = 0.0
        self._timer: asyncio.TimerHandle | None = None
        self._sick: dict[int, OpenPack] = {}
        self._followed: dict[tuple[OpenPack, int], bool] = {}
        """Where reads ahead begin that no viewer has come to."""

    def at_hand(self, pack: OpenPack, offset: int, length: int) -> bool:
        """Whether the first slice of a range can be sent without waiting for the device."""
        length = min(length, SLICE_BYTES)
        lane = self._lanes.get(pack.device)
        known = lane is not None and lane.covers(pack, offset, length)
        at_hand = not known and self._page_cache.holds(pack.descriptor, offset, length)
        self._counts[_HOT if at_hand else _COLD] += 1
        return at_hand

    def epoch_for(self, pack: OpenPack) -> int:
        """The epoch, for as long as the pack's device is well: of a sick one every slice is looked for before it is
        sent, since a page that has gone meanwhile would hold up all viewers.
        """
        return self.epoch if pack.device not in self._sick else -1

    def follow(self, pack: OpenPack, offset: int, length: int, *, at_hand: bool) -> None:
        """An object is sent to its end: read the next one ahead, if this one had to be read or was read ahead itself.

        Players ask for the objects of a pack in order. For one that came to what was read ahead a run of them is read.
        """
        ahead = min(length, self._settings.ahead_bytes_max)
        followed = self._followed.pop((pack, offset), False)
        if ahead and (followed or not at_hand):
            if len(self._followed) >= FOLLOWED_MAX:
                del self._followed[next(iter(self._followed))]
            following = page_end(offset + length)
            self._followed[(pack, following)] = True
            if followed and not self._page_cache.holds(pack.descriptor, following, 1):
                ahead = max(ahead, min(RUN_BYTES, self._settings.ahead_bytes_max))
            self.ahead(pack, following, ahead)

    def fetch(
        self, pack: OpenPack, offset: int, length: int, done: Waiter, *, client: str | None = None
    ) -> Wait | Refusal:
        """Have the first slice of a range read into memory; ``done`` is told how that ended, if it is not refused.

        In a full queue ``client`` has its place for one of whoever has most; None: the response has begun, and is not
        refused for the length of the queue.
        """
        lane = self._lane(pack.device)
        length = min(length, SLICE_BYTES)
        now_s = clock.monotonic_s()
        wait = Wait(self._counts, done)
        read = lane.ask(pack, offset, length, wait.tell, now_s, client=client)
        gone = lane.give_way(client) if read == "overloaded" and client is not None else None
        if gone is not None:
            read = lane.ask(pack, offset, length, wait.tell, now_s, client=client)
            gone.settle("overloaded")
        if not isinstance(read, Read):
            self._counts[_READS[read]] += 1
            return read
        wait.begin(read, now_s)
        self._go_on(lane, now_s)
        return wait

    def ahead(self, pack: OpenPack, offset: int, length: int) -> None:
        """Read a range for whoever may want it next, when the device has nothing else to do."""
        length = min(length, SLICE_BYTES)
        if not self._page_cache.holds(pack.descriptor, offset, length):
            lane = self._lane(pack.device)
            now_s = clock.monotonic_s()
            lane.ask_ahead(pack, offset, length, now_s)
            self._go_on(lane, now_s)

    @property
    def unwell(self) -> Collection[int]:
        """Devices that hang, by number, as they come and go."""
        return self._sick.keys()

    def sick(self) -> list[int]:
        """Devices that hang, by number; without those whose reads are short of a processor."""
        return [device for device in sorted(self._sick) if not any(map(is_starved, self._lanes[device].at_work()))]

    def tick(self, now_s: float) -> None:
        """Call it at least once a second."""
        if now_s - self._epoch_at_s >= EPOCH_S:
            self._epoch_at_s = now_s
            self.epoch += 1
        for device in self._sick:
            probe = self._lanes[device].probe(PROBE_BYTES, now_s)
            if probe is not None:
                self._run(self._lanes[device], probe, read_anew)

    def close(self) -> None:
        """Begin no more reads."""
        if self._timer is not None:
            self._timer.cancel()
        self._crew.close()

    def _lane(self, device: int) -> Lane[OpenPack]:
        lane = self._lanes.get(device)
        if lane is None:
            table = self._settings
            lane = self._lanes[device] = Lane(
                threads=table.threads, queue_max=table.queue_max, timeout_s=table.timeout_s
            )
        return lane

    def _go_on(self, lane: Lane[OpenPack], now_s: float) -> None:
        while (read := lane.take(now_s)) is not None:
            self._run(lane, read, read_in)
        self._set_timer(now_s)

    def _run(self, lane: Lane[OpenPack], read: Read[OpenPack], how: ReadIn) -> None:
        read.pack.sends += 1  # so that it stays open for as long as a thread may be at it

        def work() -> int:
            read.thread = get_native_id()
            return how(read.pack.descriptor, read.offset, read.length)

        self._crew.run(work, partial(self._ended, lane, read))

    def _ended(self, lane: Lane[OpenPack], read: Read[OpenPack], result: int | Exception) -> None:
        read.pack.sends -= 1
        now_s = clock.monotonic_s()
        lane.done(read, now_s, answered=isinstance(result, int))
        self._note(read.pack.device, lane)
        outcome: Ended = "failed"
        if isinstance(result, int):
            self._counts[_BYTES if read.waiters else _AHEAD_BYTES] += result
            outcome = "ready" if result >= read.needed else "short"
        read.settle(outcome)
        self._go_on(lane, now_s)

    def _set_timer(self, now_s: float) -> None:
        """Wake when the first wait is over; a timer that goes off too early sets itself anew."""
        if self._timer is None:
            dues = [due for lane in self._lanes.values() if (due := lane.due_at_s) is not None]
            if dues:
                self._timer = self._loop.call_later(max(0.0, min(dues) - now_s), self._expire)

    def _expire(self) -> None:
        self._timer = None
        now_s = clock.monotonic_s()
        for device, lane in list(self._lanes.items()):  # whoever is told may go on to a device that had no lane
            expired = list(lane.expire(now_s))
            self._note(device, lane)
            for read, refusal in expired:
                read.settle(refusal)
        self._set_timer(now_s)

    def _note(self, device: int, lane: Lane[OpenPack]) -> None:
        """Count and tell when a device turns sick or well; the suspect pack is kept open for the probe."""
        suspect, known = lane.suspect, self._sick.get(device)
        if suspect is known:
            return
        if known is not None:
            known.sends -= 1
            del self._sick[device]
        if suspect is not None:
            suspect.sends += 1
            self._sick[device] = suspect
        self._counts[_SICK] = len(self._sick)
        if suspect is None:
            _log.info("the device answers again", device=device)
        else:
            _log.error(
                "a device does not answer; what is not in memory of it is answered 404",
                device=device,
                for_s=self._settings.timeout_s,
                asset=suspect.asset,
                remedy="see the kernel log; it is tried again every second",
            )
