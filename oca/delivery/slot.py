"""A worker's place: what outlives the process in it, and how the operator sees it."""

from __future__ import annotations

import socket
from collections.abc import Sequence

from msgspec import Struct

from oca.delivery.control import Cover
from oca.delivery.process import WorkerProcess


class WorkerState(Struct, frozen=True, kw_only=True):
    """One worker as the operator sees it; ``loop`` is its event loop, ``why`` what its last restart was for,
    ``sick`` numbers the devices that do not answer its reads.
    """

    worker: int
    pid: int
    ready: bool
    loop: str
    restarts: int
    why: str
    sick: list[int]


class Slot:
    """A worker's place: what outlives the process in it."""

    def __init__(self, number: int, listeners: list[socket.socket]) -> None:
        self.number = number
        self.listeners = listeners
        self.process: WorkerProcess | None = None
        self.restarts = 0
        self.why = ""

    def state(self) -> WorkerState:
        """As the operator sees it."""
        process = self.process
        return WorkerState(
            worker=self.number,
            pid=process.pid if process is not None else 0,
            ready=process is not None and process.ready.is_set(),
            loop=process.loop if process is not None else "",
            restarts=self.restarts,
            why=self.why,
            sick=process.sick if process is not None else [],
        )


def cover(slots: Sequence[Slot], *, secure: int) -> Cover:
    """What the workers that run are to accept for those that do not: nobody shall wait for a worker to start.

    Args:
        slots: Every worker's.
        secure: How many of each one's listeners, the last ones, speak TLS.
    """
    empty = [slot for slot in slots if slot.process is None or not slot.process.ready.is_set()]
    queues = [[listener.fileno() for listener in slot.listeners] for slot in empty]
    return Cover(
        plain=tuple(each for queue in queues for each in queue[: len(queue) - secure]),
        secure=tuple(each for queue in queues for each in queue[len(queue) - secure :]),
    )
