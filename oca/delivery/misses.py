"""What a worker does with requests that its store does not serve: counts them by class, and answers by the settings."""

from __future__ import annotations

from oca.delivery.control import TurnAway
from oca.delivery.metrics import DELIVERY_SLOTS
from oca.delivery.miss_policy import MissClass, MissPolicy
from oca.delivery.settings import DeliveryTable
from oca.http1.request import Request
from oca.http1.response import Reply

_MISSES: dict[MissClass, int] = {
    "content": DELIVERY_SLOTS["delivery_misses:content"],
    "health": DELIVERY_SLOTS["delivery_misses:health"],
    "authorisation": DELIVERY_SLOTS["delivery_misses:authorisation"],
}
_TURNED = {key.partition(":")[2]: place for key, place in DELIVERY_SLOTS.items() if "turned_away:" in key}


class Misses:
    """One worker's. ``turning`` is what the supervisor told last about viewers who are not to be served."""

    def __init__(self, settings: DeliveryTable, counts: memoryview[int], *, appliance: str) -> None:
        self._counts = counts
        self._retry_after_s = settings.overload.retry_after_s
        self._policy = MissPolicy(settings.miss, appliance=appliance)
        self.turning: TurnAway | None = None

    def count(self, missed: MissClass) -> None:
        """Count a miss that is answered elsewhere."""
        self._counts[_MISSES[missed]] += 1

    def reply(self, request: Request, missed: MissClass, *, last: bool = False) -> Reply:
        """Answer a GET or HEAD that missed, ``request`` as it came: a redirect takes its token along."""
        self.count(missed)
        return self._policy.reply(request, missed, close=last)

    def turn_away(self, request: Request, turning: TurnAway) -> Reply:
        """Answer a viewer who is not to be served."""
        self._counts[_TURNED[turning.cause]] += 1
        return self._policy.turned_away(request, turning.answer, retry_after_s=self._retry_after_s)
