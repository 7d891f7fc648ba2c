"""Asks the box's BIRD 2 daemon by its control socket, and owns that socket. It may block: call it in a thread."""

from __future__ import annotations

import socket
from collections.abc import Callable, Sequence

from oca.common.errors import OcaError
from oca.network.bird_output import (
    TAIL_BYTES,
    HeardRoute,
    RouteReply,
    RouteTable,
    Session,
    at_end,
    read_sessions,
    refuse_fault,
)

TIMEOUT_S = 10.0
"""How long BIRD may be silent within an answer."""
CHUNK_BYTES = 2**18
SESSIONS_BYTES_MAX = 4 * 2**20


class Bird:
    """A BIRD daemon; each question goes over a connection of its own, that only may look."""

    def __init__(self, path: str, tables: Sequence[str], *, routes_max: int) -> None:
        self._path = path
        self._tables = tables
        self._routes_max = routes_max
        self._known: dict[bytes, HeardRoute] = {}

    def sessions(self) -> list[Session]:
        """The BGP sessions; takes a millisecond.

        Raises:
            OcaError: BIRD does not answer as it should.
        """
        reply = bytearray()

        def feed(data: bytes) -> bool:
            reply.extend(data)
            if len(reply) > SESSIONS_BYTES_MAX:
                raise OcaError(f"{self._path} answers without end", remedy="check [routes] bird_socket")
            return at_end(bytes(reply[-TAIL_BYTES:]))

        self._ask("show protocols all", feed)
        refuse_fault(b"\n" + bytes(reply))
        return read_sessions(bytes(reply))

    def routes(self) -> RouteTable:
        """The best BGP route of each prefix; a million take seconds.

        Raises:
            OcaError: BIRD does not answer as it should, or has too many.
        """
        table: RouteTable = {}
        seen: dict[bytes, HeardRoute] = {}
        for name in self._tables:
            reply = RouteReply(self._known, routes_max=self._routes_max - len(table))
            self._ask(f"show route table {name} all primary where source = RTS_BGP", reply.feed)
            table |= reply.table
            seen |= reply.seen
        self._known = seen
        return table

    def _ask(self, command: str, feed: Callable[[bytes], bool]) -> None:
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as connection:
            connection.settimeout(TIMEOUT_S)
            try:
                connection.connect(self._path)
                self._expect(connection, b"0001 ")
                connection.sendall(b"restrict\n")
                self._expect(connection, b"0016 ")
                connection.sendall(command.encode() + b"\n")
                while True:
                    data = connection.recv(CHUNK_BYTES)
                    if not data:
                        raise OcaError(f"BIRD at {self._path} hung up", remedy="see BIRD's log")
                    if feed(data):
                        return
            except TimeoutError:
                raise OcaError(f"BIRD at {self._path} is silent", remedy="see whether it hangs") from None
            except OSError as error:
                raise OcaError(
                    f"BIRD at {self._path} cannot be asked: {(error.strerror or str(error)).lower()}",
                    remedy="start it, let this user use the socket (group bird), or correct [routes] bird_socket",
                ) from None

    def _expect(self, connection: socket.socket, code: bytes) -> None:
        said = b""
        while not said.endswith(b"\n"):
            data = connection.recv(CHUNK_BYTES)
            said += data
            if not data or len(said) > CHUNK_BYTES:
                break
        if not said.startswith(code):
            raise OcaError(f"what answers at {self._path} is not BIRD 2", remedy="check [routes] bird_socket")
