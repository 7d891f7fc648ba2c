from __future__ import annotations

import socket

from oca.network.sockets import read_sent


def test_sockets_tell_what_clients_took() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server, socket.create_connection(server.getsockname()) as client:
        accepted, _ = server.accept()
        with accepted:
            accepted.sendall(b"x" * 50_000)
            received = 0
            while received < 50_000:
                received += len(client.recv(65536))
            port = server.getsockname()[1]
            assert read_sent({port}) == {client.getsockname(): 50_000}
            assert read_sent({port + 1}) == {}
