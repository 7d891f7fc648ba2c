"""Writes into the audit log when a box begins or ends a drain: its operator did that on the box itself."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from oca.common.errors import OcaError
from oca.common.log import get_logger
from oca.common.messages import Serving
from oca.common.threads import in_thread
from steering.state.store import StateStore
from steering.trust.audit import Actor, append

_log = get_logger("audit")


class ServingAudit:
    """What each box last said; the first word after a start is no change."""

    def __init__(self, state: StateStore, now_ns: Callable[[], int]) -> None:
        self._state = state
        self._now_ns = now_ns
        self._said: dict[str, Serving] = {}

    def seen(self, appliance: str, serving: Serving) -> None:
        """Remember what a box said to another instance, which notes it."""
        self._said[appliance] = serving

    async def heard(self, appliance: str, serving: Serving, *, address: str) -> None:
        """Note a change. A log that cannot be written is no reason to refuse a report."""
        before = self._said.get(appliance)
        self._said[appliance] = serving
        if before in (None, serving) or serving == "drained":
            return
        action = "undrain" if serving == "serving" else "drain"
        try:
            await in_thread(partial(self._note, Actor(appliance, address), action, appliance), name="audit")
        except OcaError as error:
            _log.error("the audit log cannot be written", appliance=appliance, action=action, why=str(error))

    def _note(self, actor: Actor, action: str, what: str) -> None:
        with self._state.write() as transaction:
            append(transaction, actor, action, what, now_ns=self._now_ns())
