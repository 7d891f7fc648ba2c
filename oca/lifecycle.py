"""Takes up changed settings, files and versions while viewers are served, and remembers how that went."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Awaitable, Callable
from typing import Literal

from msgspec import structs

from oca.admin.status import Renewal
from oca.changes import compare
from oca.common.clock import now_ns
from oca.common.errors import OcaError
from oca.common.log import get_logger
from oca.delivery.supervisor import Supervisor
from oca.settings import ApplianceSettings
from oca.succession import Predecessor, Successor

_log = get_logger("lifecycle")


class Lifecycle:
    """Reloads and upgrades of one run; one at a time."""

    def __init__(
        self,
        settings: ApplianceSettings,
        supervisor: Supervisor,
        *,
        load: Callable[[], ApplianceSettings],
        apply: Callable[[ApplianceSettings], None],
        succeed: Callable[[], Successor],
    ) -> None:
        """Make ready.

        Args:
            settings: Those that run.
            supervisor: Of the workers.
            load: Reads the settings anew; raises a ConfigError where they are wrong.
            apply: Takes up what the rest of the daemon has of them.
            succeed: Starts a daemon that is to follow this one.
        """
        self.settings = settings
        self.last = Renewal()
        self.alone = asyncio.Event()
        """No predecessor reports to steering, or serves viewers that come anew."""
        self._supervisor = supervisor
        self._load = load
        self._apply = apply
        self._succeed = succeed
        self.successor: Successor | None = None
        """The daemon that serves now; this one is about to end."""
        self._busy = asyncio.Lock()
        self._waiting = False

    async def reload(self) -> Renewal:
        """Read settings and files anew; a bad file changes nothing. Calls while one waits are one."""
        if self._waiting:
            async with self._busy:
                return self.last
        return await self._one("reload", self._reload)

    async def upgrade(self) -> Renewal:
        """Let a new daemon follow this one, which then ends; where that does not start, this one goes on.

        The new one reads all settings, also those that a reload leaves waiting.
        """
        return await self._one("upgrade", self._upgrade)

    async def _upgrade(self) -> Renewal:
        self._load()  # a bad file is told at once
        successor = self._succeed()
        await successor.until_ready()
        self.successor = successor
        return Renewal(said=f"process {successor.pid} serves; this one, {os.getpid()}, finishes what it is sending")

    async def follow(self, predecessor: Predecessor) -> None:
        """Add what a daemon that this one follows still counts to what is counted here, until it has ended."""
        async for told in predecessor.legacies():
            if not self.alone.is_set():
                said = f"this process, {os.getpid()}, follows {told.pid} (version {told.version})"
                self.last = Renewal(kind="upgrade", at_ns=now_ns(), said=said)
            self._supervisor.follow(told.counters, told.taken)
            self.alone.set()
        self._supervisor.follow_no_more()
        self.alone.set()

    async def _one(self, kind: Literal["reload", "upgrade"], work: Callable[[], Awaitable[Renewal]]) -> Renewal:
        self._waiting = True
        async with self._busy:
            self._waiting = False
            if self.successor is not None:
                return self.last
            try:
                outcome = await work()
            except OcaError as error:
                outcome = structs.replace(self.last, done=False, said=f"all goes on as before: {error}")
            self.last = structs.replace(outcome, kind=kind, at_ns=now_ns())
            tell = _log.info if self.last.done else _log.error
            tell(kind, done=self.last.done, said=self.last.said, waiting=self.last.waiting)
            return self.last

    async def _reload(self) -> Renewal:
        changes = compare(self.settings, self._load())
        log = changes.settings.log
        faults = await self._supervisor.reload(changes.settings.delivery, log_level=log.level, log_format=log.format)
        self.settings = changes.settings
        self._apply(changes.settings)
        said = f"changed {', '.join(changes.taken)}" if changes.taken else "no setting has changed; files are read anew"
        goes_on = "".join(f"; goes on as it was: {fault}" for fault in faults)
        return Renewal(done=not faults, said=said + goes_on, waiting=changes.waiting)
