"""A worker's place: what outlives the process in it, and how the operator sees it."""

from __future__ import annotations

import socket

from msgspec import Struct

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
