"""Takes a share of what comes: of each hundred one, say, and evenly so. Pure."""

from __future__ import annotations


class Evenly:
    """``share``, from 0 to 1, of what it is asked about; with ``first`` the first one is taken, unless none is."""

    __slots__ = ("_due", "_share")

    def __init__(self, share: float, *, first: bool = False) -> None:
        self._share = share
        self._due = 1.0 - share if first and share else 0.0

    def takes(self) -> bool:
        """Whether what comes now is taken."""
        self._due += self._share
        if self._due < 1:
            return False
        self._due -= 1
        return True
