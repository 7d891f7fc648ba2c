"""Whose turn it is: assets in order, and those that wait for a source, looked at again in between. Pure."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable

from msgspec import Struct

from fill.diff import Fetch

LOOKS_PER_S_MAX = 5
"""However many assets wait: each look costs steering a manifest."""


class Turn(Struct, frozen=True):
    """An asset whose turn it is; ``since_s`` tells when it first was."""

    fetch: Fetch
    since_s: float


class Turns:
    """Hands out each asset until it is done; an asset that was put back comes again.

    Args:
        fetches: What is to be fetched, in order.
        look_interval_s: An asset that waits is looked at no oftener.
    """

    def __init__(self, fetches: Iterable[Fetch], *, look_interval_s: float) -> None:
        self._look_interval_s = look_interval_s
        self._fresh = deque(fetches)
        self._waiting: deque[tuple[float, Turn]] = deque()

    def next(self, now_s: float) -> Turn | float | None:
        """The next asset, or how many seconds there is none, or None once all have been handed out."""
        if self._waiting and self._waiting[0][0] <= now_s:
            return self._waiting.popleft()[1]
        if self._fresh:
            return Turn(self._fresh.popleft(), now_s)
        return self._waiting[0][0] - now_s if self._waiting else None

    def put_back(self, turn: Turn, now_s: float, *, more_in_s: float | None) -> None:
        """Look at an asset again later: when more sources may be asked, or a peer may have it by then."""
        look_s = max(self._look_interval_s, (len(self._waiting) + 1) / LOOKS_PER_S_MAX)
        at_s = now_s + min(look_s, more_in_s if more_in_s is not None else look_s)
        index = len(self._waiting)
        while index and self._waiting[index - 1][0] > at_s:
            index -= 1
        self._waiting.insert(index, (at_s, turn))
