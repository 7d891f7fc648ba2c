"""What a worker does with requests that its store does not serve: counts them by class, and answers by the settings."""

from __future__ import annotations

from typing import TYPE_CHECKING

from oca.delivery.control import TurnAway
from oca.delivery.lookup import Found
from oca.delivery.metrics import labelled
from oca.delivery.miss_policy import OBJECT_PATH_BYTES_MAX, MissClass, MissPolicy, extend_loop, is_object_path
from oca.delivery.pull import Pull
from oca.delivery.settings import DeliveryTable
from oca.http1.request import Request
from oca.http1.response import Reply

if TYPE_CHECKING:
    from oca.delivery.pulls import Pulls  # loads an HTTP client, which is not needed without

_MISSES = labelled("delivery_misses")
_PULLS_REFUSED = labelled("delivery_pulls_refused")
_TURNED = labelled("delivery_turned_away")


class Misses:
    """One worker's. ``turning`` is what the supervisor told last about viewers who are not to be served."""

    def __init__(self, settings: DeliveryTable, counts: memoryview[int], *, appliance: str) -> None:
        self._counts = counts
        self._retry_after_s = settings.overload.retry_after_s
        self._policy = MissPolicy(settings.miss, appliance=appliance)
        self.passes_token = settings.miss.redirect_token
        """Whether what is answered here is told a request as it came; else without its token."""
        self.pulls: Pulls | None = None
        """Set where misses are fetched from the origin."""
        self.turning: TurnAway | None = None

    def count(self, missed: MissClass) -> None:
        """Count a miss that is answered elsewhere."""
        self._counts[_MISSES[missed]] += 1

    def step(self, request: Request, asked: Request, missed: MissClass) -> Found | Pull | Reply:
        """A missed object that an earlier miss brought; or how it comes from the origin; or the answer by the settings.

        Args:
            request: A GET or HEAD, without its token.
            asked: As a redirect is to have it.
            missed: Why it missed.
        """
        pulls, fields = self.pulls, request.fields
        # A fill agent asks a peer for what that holds: nothing is fetched for it.
        if (
            pulls is not None
            and is_object_path(request.path, bytes_max=OBJECT_PATH_BYTES_MAX)
            and not (fields.fill and fields.cdn_loop is None)
        ):
            chain = extend_loop(fields.cdn_loop, pulls.name)
            step = pulls.ask(request.path, chain) if chain else "loop"
            if isinstance(step, Found):
                return step
            if isinstance(step, Pull):
                self.count(missed)
                return step
            self._counts[_PULLS_REFUSED[step]] += 1
        self.count(missed)
        return self._policy.reply(asked, missed)

    def instead(self, asked: Request) -> Reply:
        """Answer a GET or HEAD whose object the origin did not bring."""
        return self._policy.reply(asked, "content")

    def unread(self, asked: Request) -> Reply:
        """Answer a GET whose object is held and cannot be read."""
        self.count("health")
        return self._policy.reply(asked, "health")

    def turn_away(self, request: Request, turning: TurnAway) -> Reply:
        """Answer a viewer who is not to be served."""
        self._counts[_TURNED[turning.cause]] += 1
        return self._policy.turned_away(request, turning.answer, retry_after_s=self._retry_after_s)
