"""One object on its way from the origin: what is known of it, how much is here, and who waits for more."""

from __future__ import annotations

from typing import Protocol

from oca.delivery.origin_head import Fault
from oca.http1.response import Representation
from oca.store.reader import OpenPack


class Waiter(Protocol):
    """An answer that is sent as the object arrives."""

    def advance(self) -> None:
        """More is known, or here; or it has ended."""


class Pull:
    """What waiters look at; ``Pulls`` fills it in. Its bytes lie in a file, so a slow waiter holds up nobody.

    Attributes:
        about: Size and validators; None until the origin's head is here.
        pack: The file, open; the object begins at ``offset``.
        have: How many of its bytes are there.
        fault: Why it ended before the last byte; empty while it goes well.
        hit: Whether it was here before.
    """

    def __init__(self, path: bytes) -> None:
        self.path = path
        self.about: Representation | None = None
        self.pack: OpenPack | None = None
        self.offset = 0
        self.have = 0
        self.fault: Fault | None = None
        self.ended = False
        self.stored = False
        self.hit = False
        self._waiters: set[Waiter] = set()

    @property
    def waiters(self) -> int:
        """How many wait."""
        return len(self._waiters)

    def join(self, waiter: Waiter) -> None:
        """``waiter`` is told of every step from now on."""
        self._waiters.add(waiter)

    def leave(self, waiter: Waiter) -> None:
        """``waiter`` has what it wanted, or is gone."""
        self._waiters.discard(waiter)
        self._close_unused()

    def begin(self, about: Representation, pack: OpenPack, offset: int) -> None:
        """The head is here."""
        self.about, self.pack, self.offset = about, pack, offset
        self._tell()

    def grow(self, have: int) -> None:
        """So many bytes are here."""
        if have > self.have:
            self.have = have
            self._tell()

    def fail(self, fault: Fault) -> None:
        """No more comes."""
        self.fault = fault
        self._tell()

    def end(self, *, stored: bool) -> None:
        """Nobody fills it in any more; ``stored``: its file is somebody else's to close."""
        self.ended, self.stored = True, stored
        self._close_unused()

    def _tell(self) -> None:
        for waiter in list(self._waiters):
            waiter.advance()

    def _close_unused(self) -> None:
        if self.ended and not self.stored and not self._waiters and self.pack is not None:
            self.pack.close()
            self.pack = None
