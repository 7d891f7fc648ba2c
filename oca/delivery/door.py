"""Whom the workers are to turn away: everyone once an operator has drained the box, new viewers under overload."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from oca.common import clock
from oca.common.log import get_logger
from oca.delivery.control import TurnAway, Welcome
from oca.delivery.miss_settings import OverloadTable, Turn
from oca.delivery.overload import Overload

_log = get_logger("door")


class Door:
    """What stands now; the supervisor asks and tells its workers."""

    def __init__(self, table: OverloadTable) -> None:
        self.take(table)
        self.drained: Turn | None = None
        """What everyone is answered; None while the box is not drained."""

    def take(self, table: OverloadTable) -> None:
        """Go by these settings from here on; an overload is found anew."""
        self._answer = table.answer
        self._overload = Overload(table)

    @property
    def overload(self) -> str:
        """What is too much, with its limit; empty while new viewers are welcome."""
        return self._overload.why

    def message(self) -> TurnAway | Welcome:
        """What a worker is to do."""
        if self.drained is not None:
            return TurnAway(cause="drained", answer=self.drained, everyone=True)
        if self.overload:
            return TurnAway(cause="overload", answer=self._answer, everyone=False)
        return Welcome()

    def observe(self, read: Callable[[], Mapping[str, int]]) -> bool:
        """Take note of what all workers count; whether an overload has begun or ended."""
        if not self._overload.watches:
            return False
        counters = read()
        changed = self._overload.observe(
            clock.monotonic_s(), sends=counters["delivery_sends"], sent_bytes=counters["delivery_sent_bytes"]
        )
        if changed and self._overload.why:
            _log.warning("new viewers are turned away", why=self._overload.why, answer=self._answer)
        elif changed:
            _log.info("new viewers are taken again")
        return changed
