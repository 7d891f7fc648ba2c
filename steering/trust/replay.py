"""Which signed requests were seen already, in bounded memory. Pure: the clock comes in."""

from __future__ import annotations

from typing import Literal

NONCES_MAX = 20_000
"""Of one key in one span: a full table of routes is told in far fewer requests."""


class Replays:
    """Nonces by key, remembered for at least ``span_s``: what is older must be refused by its time."""

    def __init__(self, span_s: float, *, nonces_max: int = NONCES_MAX) -> None:
        self._span_s = span_s
        self._nonces_max = nonces_max
        self._began_s = 0.0
        self._now: dict[str, set[int]] = {}
        self._before: dict[str, set[int]] = {}

    def take(self, keyid: str, nonce: str, *, now_s: float) -> Literal["fresh", "replayed", "too-many"]:
        """Remember ``nonce`` of ``keyid``; ``now_s`` never steps back."""
        if now_s - self._began_s >= self._span_s:
            self._before = self._now if now_s - self._began_s < 2 * self._span_s else {}
            self._now, self._began_s = {}, now_s
        number = int(nonce, 16)
        seen = self._now.setdefault(keyid, set())
        if number in seen or number in self._before.get(keyid, ()):
            return "replayed"
        if len(seen) >= self._nonces_max:
            return "too-many"
        seen.add(number)
        return "fresh"
