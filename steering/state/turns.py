"""Whose turn it is to write, as the log tells it. Pure: the clock comes in.

A turn ends with its commit, by its own word, or when nothing was heard of it for its lease. That clocks run apart does
no harm: whoever takes over writes an entry, and what the one before writes after it is void.

An entry holds if it names the last one that holds as the one before it. All read the same order, so all judge alike.
The server's own check spares most of the void ones, but in a cluster NATS 2.9 was seen to let two through.
"""

from __future__ import annotations

from collections import deque
from typing import Literal

from steering.state.entries import Entry

COMMITTED_REMEMBERED = 1000


class Turns:
    """What is known of turns up to the entry ``number``, the last that holds."""

    def __init__(self) -> None:
        self.number = 0
        self._open: Entry | None = None
        self._open_until_s = 0.0
        self._committed: deque[str] = deque(maxlen=COMMITTED_REMEMBERED)

    def judge(self, entry: Entry) -> Literal["holds", "void", "gap"]:
        """Whether the next entry of the log holds, is void, or tells that some before it were not seen."""
        if entry.after > self.number:
            return "gap"
        is_in_turn = entry.kind == "begin" or self.is_open(entry.turn)
        return "holds" if entry.after == self.number and is_in_turn else "void"

    def seen(self, number: int, entry: Entry, now_s: float) -> None:
        """Take up the next entry that holds."""
        self.number = number
        if entry.kind == "begin":
            self._open, self._open_until_s = entry, now_s + entry.lease_s
        else:
            self._open = None
        if entry.kind == "commit":
            self._committed.append(entry.turn)

    def ahead(self) -> Turns:
        """As this, to read on with while what was read is not taken in yet."""
        other = Turns()
        other.number, other._open = self.number, self._open
        return other

    def restart(self, number: int) -> None:
        """Begin anew behind the entry ``number`` of a log."""
        self.number, self._open = number, None

    def wait_s(self, now_s: float) -> float:
        """How long the turn of somebody may still last; 0: nobody writes."""
        return max(0.0, self._open_until_s - now_s) if self._open is not None else 0.0

    def holder(self) -> str:
        """Who is writing, or was last heard to be."""
        return self._open.writer if self._open is not None else ""

    def is_open(self, turn: str) -> bool:
        """Whether that turn has begun and nothing has come after it."""
        return self._open is not None and self._open.turn == turn

    def is_committed(self, turn: str) -> bool:
        """Whether what was written in that turn holds."""
        return turn in self._committed
