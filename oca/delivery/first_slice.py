"""Before a head goes out: whether the first slice of its body is in memory, and what is answered if it cannot be read.

A device's failure found here is still a 404, which players leave at once; amid a body it would be a reset.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

from oca.delivery.lane import Outcome
from oca.delivery.lookup import Found
from oca.delivery.readahead import SLICE_BYTES
from oca.delivery.service import Service
from oca.delivery.transport import Transport
from oca.http1.request import Request
from oca.http1.response import Reply, refusal

SPOILT = {
    "device": "its device fails",
    "failed": "its device fails",
    "pack": "shorter than its index says",
    "short": "shorter than its index says",
}
"""Outcomes, and causes of cut responses, that tell against the pack itself."""


class Send(Protocol):
    """How a session sends a reply; False when it goes on in the background or the connection is gone."""

    def __call__(self, reply: Reply, found: Found | None) -> bool:
        """Send it."""


def read_first(
    service: Service,
    transport: Transport,
    request: Request,
    reply: Reply,
    found: Found,
    *,
    send: Send,
    sent: Callable[[], None],
) -> bool:
    """Send ``reply`` once the first slice of its body is in memory, or another to ``request`` as it came.

    Returns:
        True when all is sent. Otherwise it goes on in the background; ``sent`` is told if the answer then leaves whole.
    """
    begun_ns = service.timings.begun_ns
    slices = iter(
        [(piece.first, piece.length) for piece in reply.pieces if piece.length] or [(reply.first, reply.length)]
    )

    def go_on(outcome: Outcome | None) -> bool:
        while outcome == "ready":
            first, length = next(slices, (0, 0))
            if not length:
                if not (reply.first or reply.pieces) and reply.length >= min(found.size, SLICE_BYTES):
                    found.epoch = service.reads.epoch_for(found.pack)
                    if found.epoch >= 0:
                        service.lookup.take_in(found)
                return send(reply, found)
            outcome = look(found.offset + first, length)
        return outcome is not None and send(_instead(service, request, found, outcome), None)

    def look(offset: int, length: int) -> Outcome | None:
        at_hand = service.reads.at_hand(found.pack, offset, length)
        outcome: Outcome | None = "ready" if at_hand else transport.fetch(found.pack, offset, length, on_read)
        if offset + length == found.offset + found.size:
            service.reads.follow(found.pack, found.offset, found.size, at_hand=at_hand)
        return outcome

    def on_read(outcome: Outcome) -> None:
        service.timings.begun_ns = begun_ns
        if go_on(outcome):
            sent()

    return go_on("ready")


def _instead(service: Service, request: Request, found: Found, outcome: Outcome) -> Reply:
    """The answer for an object that is held but cannot be read."""
    if outcome == "overloaded":
        return refusal(429, b"too much is being read\n", to=request)
    if outcome in SPOILT:
        service.lookup.spoil(found.pack.asset, SPOILT[outcome])
    return service.misses.unread(request)
