"""Where the bytes of a pull lie while they come: a part on a device, or memory where nothing can or may be kept."""

from __future__ import annotations

import asyncio
import hashlib
import os
from collections.abc import Callable, Sequence
from typing import TypeVar

from oca.common.digest import hasher
from oca.common.errors import StoreError, StoreFullError
from oca.common.log import get_logger
from oca.common.threads import in_thread
from oca.delivery.origin import OriginFaultError
from oca.store.pulled import Described, Part
from oca.store.reader import OpenPack

DEVICE_S_MAX = 2.0
"""How long a device may take for one step; it is then passed over, and the pull goes by memory."""
AT_WORK_MAX = 64
"""Steps on devices at a time; more only if devices hang, and then nobody waits for them."""
_at_work: set[object] = set()
_log = get_logger("pull")
Result = TypeVar("Result")


async def on_device(work: Callable[[], Result], *, most_s: float = 0) -> Result:
    """What ``work`` returns, done in a thread; ``most_s`` is how long it may take, 0: ``DEVICE_S_MAX``.

    Raises:
        TimeoutError: It takes too long, or too many before it do.
    """
    if len(_at_work) >= AT_WORK_MAX:
        raise TimeoutError
    token = object()
    _at_work.add(token)

    def run() -> Result:
        try:
            return work()
        finally:
            _at_work.discard(token)

    async with asyncio.timeout(most_s or DEVICE_S_MAX):
        return await in_thread(run, name="pull")


class Budget:
    """Memory that all pulls of a worker may take together."""

    def __init__(self, bytes_max: int) -> None:
        self._left = bytes_max

    def take(self, count: int) -> bool:
        """Whether there is so much, which is then taken."""
        if count > self._left:
            return False
        self._left -= count
        return True

    def give_back(self, count: int) -> None:
        """No longer needed."""
        self._left += count


class PulledPack(OpenPack):
    """The file that a pull is sent from; memory that it takes is given back when it is closed."""

    __slots__ = ("_budget", "taken")

    def __init__(self, part: Part | None, budget: Budget) -> None:
        super().__init__(*((part.descriptor, "", part.device) if part is not None else (-1, "")))
        self._budget = budget
        self.taken = 0

    def close(self) -> None:
        """As any pack."""
        super().close()
        self._budget.give_back(self.taken)
        self.taken = 0


class Storage:
    """One pull's. ``kept`` tells whether it will be found again, should all go well."""

    def __init__(self, part: Part | None, budget: Budget) -> None:
        self._part = part
        self._budget = budget
        self._size = 0
        self._committed = False
        self.pack = PulledPack(part, budget)

    @property
    def kept(self) -> bool:
        """Whether it lies on a device."""
        return self._part is not None

    async def begin(self, described: Described, *, keep: bool) -> None:
        """Make ready for all of its bytes.

        Raises:
            OriginFaultError: It is more than memory may take.
        """
        part, self._size = self._part, described.bytes
        if part is not None and keep:
            try:
                await on_device(lambda: part.begin(described))
            except (StoreError, TimeoutError) as error:
                _log.warning("pulled objects cannot be kept; sent on all the same", why=str(error) or "time-out")
            else:
                return
        await self._leave_device(0)

    async def write(self, data: bytes, at: int) -> None:
        """Put bytes where they belong; a device that is full now is left for memory.

        Raises:
            StoreError: The device fails.
            TimeoutError: It hangs.
            OriginFaultError: It is full, and so is memory.
        """
        part = self._part
        if part is not None:
            try:
                await on_device(lambda: part.write(data, at), most_s=2 * DEVICE_S_MAX)
            except StoreFullError:
                await self._leave_device(at)
            else:
                return
        os.pwrite(self.pack.descriptor, data, Part.offset + at)

    async def commit(self, described: Described, digest: bytes, *, now_s: float, fresh_until_s: float) -> str:
        """Make it one that is found again; its asset id, empty where it is not kept."""
        part = self._part
        if part is None:
            return ""
        try:
            self.pack.asset = await on_device(
                lambda: part.commit(described, digest, now_s=now_s, fresh_until_s=fresh_until_s),
                most_s=5 * DEVICE_S_MAX,
            )
        except (StoreError, TimeoutError) as error:
            _log.warning("a pulled object cannot be kept", path=described.path, why=str(error) or "time-out")
            return ""
        self._committed = True
        return self.pack.asset

    async def close(self, *, used: bool) -> None:
        """Remove what is not to be found again; ``used``: others close the descriptor."""
        if self._part is not None and not self._committed:
            part = self._part
            try:
                await on_device(part.discard)
            except (StoreError, TimeoutError) as error:
                _log.warning("what was pulled in part is removed later", why=str(error) or "time-out")
        if not used and self.pack.descriptor >= 0:
            self.pack.close()

    async def _leave_device(self, have: int) -> None:
        """Go on in memory with the first ``have`` bytes; the descriptor's number stays, for those who send from it."""
        if not self._budget.take(self._size):
            raise OriginFaultError("too-large")
        self.pack.taken = self._size
        memory = os.memfd_create("oca-pulled", os.MFD_CLOEXEC)
        part, self._part = self._part, None
        if part is None:
            self.pack.descriptor = memory
            return
        for at in range(0, have, 2**20):
            os.pwrite(memory, os.pread(part.descriptor, min(2**20, have - at), Part.offset + at), Part.offset + at)
        os.dup2(memory, part.descriptor, inheritable=False)
        os.close(memory)
        try:
            await on_device(part.discard)
        except (StoreError, TimeoutError) as error:
            _log.warning("what was pulled in part is removed later", why=str(error) or "time-out")


class Check:
    """Our own digest of an object, and those that the origin stated (RFC 9530)."""

    def __init__(self, stated: Sequence[tuple[str, bytes]]) -> None:
        self._own = hasher()
        self._stated = [(hashlib.new(algorithm), value) for algorithm, value in stated]

    def update(self, data: bytes) -> None:
        """Take in ``data``."""
        self._own.update(data)
        for state, _ in self._stated:
            state.update(data)

    @property
    def right(self) -> bool:
        """Whether all that was stated holds."""
        return all(state.digest() == value for state, value in self._stated)

    @property
    def digest(self) -> bytes:
        """Ours, 16 bytes."""
        return self._own.digest()
