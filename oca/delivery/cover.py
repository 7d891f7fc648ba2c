"""Accepts, in a worker, for others that have ended, until their successors do: who connects waits for no start."""

from __future__ import annotations

import os
import socket
from collections.abc import Sequence

from oca.delivery.acceptor import Acceptor, Begin
from oca.delivery.control import Cover
from oca.delivery.service import Service


class Covering:
    """One worker's part in it. ``siblings`` are its own descriptors of the others' listening sockets, inherited."""

    def __init__(self, service: Service, siblings: Sequence[int], *, plain: Begin, secure: Begin | None) -> None:
        self._service = service
        self.siblings = siblings
        self._plain = plain
        self._secure = secure
        self._acceptors: dict[int, Acceptor] = {}

    def take(self, wanted: Cover) -> None:
        """Accept from those sockets that are ``wanted`` and not this worker's own, and from no other."""
        begins = dict.fromkeys(wanted.plain, self._plain)
        if self._secure is not None:
            begins |= dict.fromkeys(wanted.secure, self._secure)
        begins = {number: begin for number, begin in begins.items() if number in self.siblings}
        for number in self._acceptors.keys() - begins.keys():
            self._acceptors.pop(number).close()
        for number in begins.keys() - self._acceptors.keys():
            listener = socket.socket(fileno=os.dup(number))
            self._acceptors[number] = Acceptor(listener, self._service, begins[number])

    def close(self) -> None:
        """For good: a socket that this worker kept open would let clients queue where nobody accepts."""
        self.take(Cover())
        for number in self.siblings:
            os.close(number)
        self.siblings = ()
