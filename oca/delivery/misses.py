"""What a worker does with requests that its store does not serve: counts them by class, and answers by the settings."""

from __future__ import annotations

from typing import TYPE_CHECKING

from oca.common.demand import NOTHING, Wanted
from oca.delivery.control import TurnAway
from oca.delivery.demand import Demand
from oca.delivery.lookup import Found
from oca.delivery.metrics import labelled
from oca.delivery.miss_policy import (
    OBJECT_PATH_BYTES_MAX,
    Answered,
    Miss,
    MissClass,
    MissPolicy,
    extend_loop,
    is_object_path,
)
from oca.delivery.pull import Pull
from oca.delivery.settings import DeliveryTable
from oca.http1.ranges import named_bytes
from oca.http1.request import Request
from oca.http1.response import Reply

if TYPE_CHECKING:
    from oca.delivery.pulls import Pulls  # loads an HTTP client, which is not needed without

_MISSES = labelled("delivery_misses")
_PULLS_REFUSED = labelled("delivery_pulls_refused")
_TURNED = labelled("delivery_turned_away")
_REDIRECTS = labelled("delivery_redirects")


class Misses:
    """One worker's. ``turning`` is what the supervisor told last about viewers who are not to be served."""

    def __init__(self, settings: DeliveryTable, counts: memoryview[int], demand: Demand, *, appliance: str) -> None:
        self._counts = counts
        self._demand = demand
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

    def step(self, miss: Miss) -> Found | Pull | Reply:
        """A GET's or HEAD's object that an earlier miss brought; or how it comes from the origin; or the answer by the
        settings.
        """
        pulls, request, fields = self.pulls, miss.request, miss.request.fields
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
                self.count(miss.missed)
                return step
            self._counts[_PULLS_REFUSED[step]] += 1
        self.count(miss.missed)
        return self.instead(miss)

    def instead(self, miss: Miss) -> Reply:
        """Answer a GET or HEAD that nothing is fetched for, or whose object the origin did not bring."""
        counted = miss.missed == "content" and self._is_demand(miss.request)
        answered = self._policy.reply(miss.asked, miss.missed, counted=counted)
        if counted:
            part_bytes = named_bytes(miss.request.fields.range)
            part = Wanted(ranges=1, range_bytes=part_bytes) if part_bytes is not None else NOTHING
            became = Wanted(redirected=1) if answered.sent_on else Wanted(missed=1)
            self._demand.want(miss.request.path, became.plus(part))
        return self._sent(answered, miss.missed)

    def fetched(self, miss: Miss, sent_bytes: int) -> None:
        """A viewer was sent ``sent_bytes`` of what was fetched."""
        if sent_bytes and miss.missed == "content" and self._is_demand(miss.request):
            self._demand.want(miss.request.path, Wanted(fetched=1, fetched_bytes=sent_bytes))

    def _is_demand(self, request: Request) -> bool:
        """Whether it counts as demand that is not served: a viewer's does, but for what another box has counted."""
        return (
            request.method == "GET"
            and not request.fields.fill
            and is_object_path(request.path, bytes_max=OBJECT_PATH_BYTES_MAX)
            and not self._demand.was_counted(request.query)
        )

    def unread(self, asked: Request) -> Reply:
        """Answer a GET whose object is held and cannot be read."""
        self.count("health")
        return self._sent(self._policy.reply(asked, "health", counted=False), "health")

    def turn_away(self, request: Request, bare: Request, turning: TurnAway, *, granted: bool) -> Reply:
        """Answer a viewer who is not to be served, whatever he asks for: nothing is looked up for him.

        Args:
            request: As it came.
            bare: The same without its token; it is demand where it is ``granted``.
            turning: What he is told, and why.
            granted: Whether his token is good, or none is asked for.
        """
        self._counts[_TURNED[turning.cause]] += 1
        asked, retry_after_s = request if self.passes_token else bare, self._retry_after_s
        counted = granted and self._is_demand(bare)
        answered = self._policy.turned_away(asked, turning.answer, counted=counted, retry_after_s=retry_after_s)
        if counted:
            part_bytes = named_bytes(bare.fields.range)
            part = Wanted(away_ranges=1, away_range_bytes=part_bytes) if part_bytes is not None else NOTHING
            self._demand.want(bare.path, Wanted(turned_away=1).plus(part))
        return self._sent(answered, turning.cause)

    def _sent(self, answered: Answered, cause: str) -> Reply:
        """The reply, counted where it sends the viewer on."""
        if answered.sent_on:
            self._counts[_REDIRECTS[cause]] += 1
        return answered.reply
