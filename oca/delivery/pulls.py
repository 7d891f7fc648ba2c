"""Pulls through: brings what the store lacks from the origin, once however many ask, and keeps it for the next viewer.

All waiting is on the event loop; all that touches a device is in threads, so that one that hangs costs only its own
pulls. What is bounded: pulls at a time, waiters of each, bytes of an object, memory where no device takes it, time.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import suppress
from pathlib import Path

from oca.common import clock
from oca.common.errors import StoreError
from oca.common.log import get_logger
from oca.common.tasks import Tasks
from oca.delivery.lookup import SPOILT_S, Found, Lookup
from oca.delivery.metrics import DELIVERY_SLOTS, labelled
from oca.delivery.miss_settings import PULLED_OPEN_MAX, MissTable
from oca.delivery.origin import Origin, OriginFaultError
from oca.delivery.pull import Pull
from oca.delivery.pull_storage import Budget, Check, Storage, on_device
from oca.http1.response import Representation, cache_status, representation
from oca.store.pulled import Described, Following, Part, Pulled, PulledPool
from oca.store.reader import OpenPack

FOUND_S = 10.0
"""How long one stays at hand; so much later than the origin allowed it may still be sent."""
ABSENT_MAX = 4096
ERROR_S = 1.0
"""How long an object is not asked for again after its pull failed."""
UNSIZED_BYTES_MAX = 4 * 2**20
"""Bytes of an object whose length the origin does not tell: they are gathered in memory before anybody is answered."""
FOLLOW_S = 0.02
"""How often another worker's pull is looked at."""
LOOK_S = 1.0
"""How often it is looked for what has had its time."""
SWEEP_S = 5.0
FOLLOW_TRIES = 3

_FETCHES = DELIVERY_SLOTS["delivery_pulls"]
_RUNNING = DELIVERY_SLOTS["delivery_pulls_running"]
_BYTES = DELIVERY_SLOTS["delivery_pulled_bytes"]
_OUTCOMES = labelled("delivery_pull_outcomes")
_log = get_logger("pull")


class Pulls:
    """One worker's pulls."""

    def __init__(
        self,
        table: MissTable,
        devices: Sequence[Path],
        lookup: Lookup,
        counts: memoryview[int],
        *,
        appliance: str,
    ) -> None:
        self._table = table
        self._lookup = lookup
        self._counts = counts
        self._appliance = appliance
        self.name = f"oca-{appliance}"
        """What it calls itself in CDN-Loop (RFC 8586)."""
        self._origin = Origin(table)
        self._pool = PulledPool(devices, space_ratio=table.space_ratio)
        self._tasks = Tasks()
        self._running: dict[bytes, Pull] = {}
        self._absent: dict[bytes, float] = {}
        self._found: dict[bytes, tuple[Found, float]] = {}
        self._leaving: list[OpenPack] = []
        self._budget = Budget(table.memory_bytes_max)
        self._sweeping = False
        """Whether a sweep of the devices is under way, maybe hanging in one."""
        self._tasks.start(self._sweep(), name="pulled objects")

    def ask(self, path: bytes, loop_field: str) -> Found | Pull | str:
        """The object, or how it comes; or why it is not even asked for."""
        found = self._found.get(path)
        if found is not None:
            if not self._lookup.is_spoilt(found[0].pack.asset):
                self._lookup.keep(found[0])
                return found[0]
            self._let_go(path)
            self._put_off(path, SPOILT_S)
            self._tasks.start(self._remove(path), name="removal of a pulled object")
        pull = self._running.get(path)
        if pull is not None:
            return pull if pull.waiters < self._table.waiters_max else "crowded"
        if self._absent.get(path, 0.0) > clock.monotonic_s():
            return "known-absent"
        if len(self._running) >= self._table.fetches_max:
            return "busy"
        pull = self._running[path] = Pull(path)
        self._counts[_RUNNING] += 1
        self._tasks.start(self._bring(pull, loop_field), name="pull")
        return pull

    def leave_out(self, out: Mapping[int, bool]) -> None:
        """Touch these devices no more, unless the value is True: what they hold is brought anew."""
        self._pool.leave_out(out)
        for path in [path for path, (found, _) in self._found.items() if not out.get(found.pack.device, True)]:
            self._let_go(path)

    async def close(self) -> None:
        """End what runs; its waiters are told."""
        await self._tasks.close()
        await self._origin.close()
        for found, _ in self._found.values():
            self._lookup.let_go(found)
            found.pack.close()
        self._found.clear()

    async def _bring(self, pull: Pull, loop_field: str) -> None:
        outcome, stored, fault = "cancelled", False, None
        try:
            stored = await self._bring_by_any_way(pull, loop_field)
            outcome = "here" if pull.hit else "stored" if stored else "not-stored"
        except OriginFaultError as error:
            outcome = fault = error.fault
            self._put_off(pull.path, self._table.absent_s if fault == "absent" else ERROR_S)
            _log.info("not brought from the origin", path=pull.path.decode(), why=fault)
        except (StoreError, OSError, TimeoutError) as error:
            outcome = fault = "device"
            _log.warning("a pulled object cannot be written", path=pull.path.decode(), why=str(error) or "time-out")
        finally:
            self._running.pop(pull.path, None)
            self._counts[_OUTCOMES[outcome]] += 1
            self._counts[_RUNNING] -= 1
            if fault is not None or outcome == "cancelled":
                pull.fail(fault or "device")
            pull.end(stored=stored)

    async def _bring_by_any_way(self, pull: Pull, loop_field: str) -> bool:
        part = None
        try:
            for _ in range(FOLLOW_TRIES):
                claim = await self._claim(pull)
                if not isinstance(claim, Following):
                    part = claim
                    break
                if await self._follow(pull, claim):
                    return False
        except (StoreError, TimeoutError) as error:
            if pull.about is not None:
                raise
            _log.warning("pulled objects cannot be kept; sent on all the same", why=str(error) or "time-out")
        return pull.hit or await self._fetch(pull, part, loop_field)

    async def _claim(self, pull: Pull) -> Part | Following | None:
        """Take up the object if it is here; else the right to write it, or whoever has that; None: no device does."""
        path = pull.path.decode()
        pulled = await on_device(lambda: self._pool.find(path, clock.now_s()))
        if pulled is None:
            return await on_device(lambda: self._pool.claim(path))
        self._take_up(pull, pulled)
        return None

    def _take_up(self, pull: Pull, pulled: Pulled) -> None:
        """The object was here already."""
        pull.hit = True
        pack = OpenPack(pulled.descriptor, pulled.asset, pulled.device)
        found = self._keep(pull.path, pack, pulled.described, pulled.digest, pulled.fresh_until_s)
        pull.begin(found.about, pack, found.offset)
        pull.grow(pulled.described.bytes)

    async def _follow(self, pull: Pull, following: Following) -> bool:
        """Send on what another worker brings; False: it ended before its head, and we may try ourselves."""
        pack = OpenPack(following.descriptor, "", following.device)
        try:
            while True:
                described, have, alive = await on_device(following.look)
                if described is not None:
                    if pull.about is None:
                        pull.begin(self._streamed(described, collapsed=True), pack, following.offset)
                    pull.grow(have)
                    if have == described.bytes:
                        return True
                if not alive:
                    if pull.about is None:
                        return False
                    raise OriginFaultError("short")
                await asyncio.sleep(FOLLOW_S)
        finally:
            if pull.pack is None:
                pack.close()

    async def _fetch(self, pull: Pull, part: Part | None, loop_field: str) -> bool:
        self._counts[_FETCHES] += 1
        storage = Storage(part, self._budget)
        try:
            async with self._origin.ask(pull.path.decode(), loop_field) as (head, chunks):
                first = await _gather(chunks) if head.size is None else b""
                size = head.size if head.size is not None else len(first)
                described = Described(pull.path.decode(), size, head.media_type, head.modified_at_s, head.fresh_s)
                await storage.begin(described, keep=head.fresh_s >= FOUND_S)
                about = self._streamed(described, stored=storage.kept)
                pull.begin(about, storage.pack, Part.offset)
                check = Check(head.digests)
                got = 0
                async for data in _after(first, chunks):
                    if got + len(data) > size:
                        raise OriginFaultError("too-long")
                    check.update(data)
                    await storage.write(data, got)
                    got += len(data)
                    self._counts[_BYTES] += len(data)
                    if got < size:  # the last bytes are held back until all are known to be right
                        pull.grow(got)
            if got < size:
                raise OriginFaultError("short")
            if not check.right:
                raise OriginFaultError("digest")
            pull.grow(got)
            now_s = clock.now_s()
            asset = await storage.commit(described, check.digest, now_s=now_s, fresh_until_s=now_s + head.fresh_s)
            if asset:
                self._keep(pull.path, storage.pack, described, check.digest, now_s + head.fresh_s)
            return bool(asset)
        finally:
            await storage.close(used=pull.pack is not None)

    def _keep(self, path: bytes, pack: OpenPack, described: Described, digest: bytes, fresh_until_s: float) -> Found:
        left_s = fresh_until_s - clock.now_s()
        about = representation(
            digest,
            size=described.bytes,
            modified_at_s=described.modified_at_s,
            media_type=described.media_type,
            said=cache_status(self._appliance),
            fresh_s=max(0, int(left_s)),
        )
        found = self._lookup.pulled(path, pack, Part.offset, about)
        if len(self._found) >= PULLED_OPEN_MAX:
            self._let_go(next(iter(self._found)))
        self._found[path] = (found, clock.monotonic_s() + min(FOUND_S, left_s))
        self._lookup.keep(found)
        return found

    def _let_go(self, path: bytes) -> None:
        found, _ = self._found.pop(path)
        self._lookup.let_go(found)
        self._leaving.append(found.pack)

    def _streamed(self, described: Described, *, stored: bool = False, collapsed: bool = False) -> Representation:
        said = "fwd=miss" + (";stored" if stored else "") + (";collapsed" if collapsed else "")
        return Representation(
            described.bytes,
            b"",
            described.modified_at_s,
            described.media_type,
            cache_status(self._appliance, said),
            described.fresh_s,
        )

    async def _remove(self, path: bytes) -> None:
        """Its file cannot be sent."""
        try:
            await on_device(lambda: self._pool.remove(path.decode()))
        except (StoreError, TimeoutError) as error:
            _log.warning("a pulled object that cannot be sent stays", path=path.decode(), why=str(error) or "time-out")

    def _put_off(self, path: bytes, span_s: float) -> None:
        if len(self._absent) >= ABSENT_MAX:
            self._absent.clear()
        self._absent[path] = clock.monotonic_s() + span_s

    async def _sweep(self) -> None:
        swept_s = 0.0
        while True:
            await asyncio.sleep(LOOK_S)
            now_s = clock.monotonic_s()
            for path in [path for path, (_, until_s) in self._found.items() if until_s < now_s]:
                self._let_go(path)
            for pack in self._leaving:
                if pack.sends == 0:
                    pack.close()
            self._leaving = [pack for pack in self._leaving if pack.sends > 0]
            for path in [path for path, until_s in self._absent.items() if until_s < now_s]:
                del self._absent[path]
            if now_s - swept_s > SWEEP_S and not self._sweeping:
                swept_s, self._sweeping = now_s, True
                with suppress(TimeoutError):  # one that hangs is still at it, and the next is not begun before
                    await on_device(self._sweep_devices, most_s=SWEEP_S)

    def _sweep_devices(self) -> None:
        try:
            self._pool.sweep(clock.now_s())
        finally:
            self._sweeping = False


async def _gather(chunks: AsyncIterator[bytes]) -> bytes:
    """All of a body whose length is not told."""
    whole = bytearray()
    async for data in chunks:
        whole += data
        if len(whole) > UNSIZED_BYTES_MAX:
            raise OriginFaultError("too-large")
    return bytes(whole)


async def _after(first: bytes, chunks: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
    if first:
        yield first
    async for data in chunks:
        yield data
