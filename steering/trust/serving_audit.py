"""Writes into the audit log when a box begins or ends a drain: its operator did that on the box itself.

No report waits for it: changes gather for one writer, and stay until they are written or the process ends.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable, Sequence
from functools import partial
from typing import NamedTuple

from oca.common.log import get_logger
from oca.common.messages import Serving
from oca.common.threads import in_thread
from steering.state.store import StateStore
from steering.trust.audit import Actor, append

_log = get_logger("audit")


class _Change(NamedTuple):
    actor: Actor
    action: str
    at_ns: int


class ServingAudit:
    """What each box last said; the first word after a start is no change."""

    def __init__(self, state: StateStore, now_ns: Callable[[], int], *, waiting_max: int = 20_000) -> None:
        self._state = state
        self._now_ns = now_ns
        self._waiting_max = waiting_max
        self._said: dict[str, Serving] = {}
        self._waiting: deque[_Change] = deque()
        self._news = asyncio.Event()

    def seen(self, appliance: str, serving: Serving) -> None:
        """Remember what a box said to another instance, which notes it."""
        self._said[appliance] = serving

    def heard(self, appliance: str, serving: Serving, *, address: str) -> None:
        """Note a change. Where too many wait to be written, the box's next report is to bring it again."""
        before = self._said.get(appliance)
        if before in (None, serving) or serving == "drained":
            self._said[appliance] = serving
            return
        action = "undrain" if serving == "serving" else "drain"
        if len(self._waiting) >= self._waiting_max:
            _log.error("too many entries of the audit log wait to be written", appliance=appliance, action=action)
            return
        self._said[appliance] = serving
        self._waiting.append(_Change(Actor(appliance, address), action, self._now_ns()))
        self._news.set()

    async def write_next(self) -> None:
        """Write what waits, or the next that comes.

        Raises:
            SteeringError: It cannot be written, and waits on; what the engine took without saying so is there twice
                then.
        """
        while not self._waiting:
            self._news.clear()
            await self._news.wait()
        gathered = list(self._waiting)
        await in_thread(partial(self._write, gathered), name="audit")
        for _ in gathered:
            self._waiting.popleft()

    def _write(self, changes: Sequence[_Change]) -> None:
        with self._state.write() as transaction:
            for actor, action, at_ns in changes:
                append(transaction, actor, action, actor.who, now_ns=at_ns)
