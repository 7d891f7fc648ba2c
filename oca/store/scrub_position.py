"""How far a device's scrub has come, which pack is next, and how long to wait between reads. Pure."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Annotated

import msgspec
from msgspec import Meta, Struct


class Position(Struct, frozen=True):
    """Kept on the device, so that a pass goes on over restarts.

    Attributes:
        began_at_ns: When this pass began; 0: none has.
        next_pack: Packs from this number on are still to be proved.
        passed_at_ns: When the last whole pass ended; 0: none has.
    """

    began_at_ns: Annotated[int, Meta(ge=0)] = 0
    next_pack: Annotated[int, Meta(ge=0)] = 0
    passed_at_ns: Annotated[int, Meta(ge=0)] = 0

    def next_of(self, packs: Iterable[int]) -> int | None:
        """The pack that comes next; None: the pass is at its end."""
        return min((number for number in packs if number >= self.next_pack), default=None)

    def after(self, number: int) -> Position:
        """Once that pack is proved."""
        return msgspec.structs.replace(self, next_pack=number + 1)

    def ended(self, now_ns: int) -> Position:
        """At the end of the pass."""
        return Position(began_at_ns=0, next_pack=0, passed_at_ns=now_ns)

    def begun(self, now_ns: int) -> Position:
        """At the start of a pass."""
        return msgspec.structs.replace(self, began_at_ns=now_ns, next_pack=0)

    def due_in_s(self, interval_s: float, now_ns: int) -> float:
        """Seconds until the next pass begins; 0 while one is under way, or where the clock has been set back."""
        if self.began_at_ns or not self.passed_at_ns or now_ns < self.passed_at_ns:
            return 0.0
        return max(0.0, interval_s - (now_ns - self.passed_at_ns) / 1e9)


encode = msgspec.json.Encoder().encode
_decode = msgspec.json.Decoder(Position).decode


def decode(raw: bytes) -> Position:
    """As kept; what cannot be read begins anew."""
    try:
        return _decode(raw)
    except msgspec.DecodeError:
        return Position()


class Pace:
    """Spreads reads in time. What was not read while there was nothing to read is not caught up with."""

    def __init__(self, bytes_per_s: float) -> None:
        self._bytes_per_s = bytes_per_s
        self._free_at_s = 0.0

    def wait_s(self, count: int, now_s: float) -> float:
        """How long to wait after a read of ``count`` bytes that has just ended."""
        self._free_at_s = max(self._free_at_s, now_s - 1.0) + count / self._bytes_per_s
        return max(0.0, self._free_at_s - now_s)
