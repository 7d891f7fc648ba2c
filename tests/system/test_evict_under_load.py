"""Assets are evicted while they are being sent: every response is whole, and space counts as free once it is."""

from __future__ import annotations

import hashlib
import json
import os
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from oca.common.errors import StoreFullError
from oca.store.importing import describe_folder, import_folder
from oca.store.store import Store
from tests.system.test_device_faults import mounted
from tests.system.test_serve import HOST, Box
from tests.unit.store.made_up import make_contents, make_manifest
from tests.waiting import WAIT_S, wait_until

pytestmark = pytest.mark.system

ASSETS = 5
OBJECT_BYTES = 8 * 2**20
"""More than sockets buffer, so that a client that does not read keeps its response going."""
SLOW_CLIENTS = 2
LOAD_CLIENTS = 4
SLACK_BYTES = 2**20
"""What the index and the file system's own records take."""


class SlowClient:
    """Asks for an object, and takes no more than its beginning until it is told to."""

    def __init__(self, port: int, path: str) -> None:
        self._socket = socket.socket()
        self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 16_384)
        self._socket.settimeout(WAIT_S)
        self._socket.connect((HOST, port))
        self._socket.sendall(f"GET {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n".encode())
        self._received = bytearray(self._socket.recv(1024))

    def finish(self) -> bytes:
        """The body."""
        while part := self._socket.recv(2**20):
            self._received += part
        self._socket.close()
        return bytes(self._received.partition(b"\r\n\r\n")[2])


@contextmanager
def load(box: Box, bodies: dict[str, bytes]) -> Iterator[dict[str, Any]]:
    """Clients that ask for everything all the while; what came of them is there at the end."""
    digests = {path: [hashlib.sha256(body).hexdigest()] for path, body in bodies.items()}
    plan = {"host": HOST, "port": box.delivery, "digests": digests, "clients": LOAD_CLIENTS, "pause_s": 0.01}
    process = subprocess.Popen(
        [sys.executable, str(Path(__file__).with_name("segment_clients.py"))],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    outcome: dict[str, Any] = {}
    assert process.stdin is not None
    process.stdin.write(json.dumps(plan | {"absent_allowed": True}) + "\n")
    process.stdin.flush()
    try:
        yield outcome
    finally:
        said, _ = process.communicate(timeout=WAIT_S)
    outcome.update(json.loads(said))


def status_of(box: Box, path: str) -> int:
    with socket.create_connection((HOST, box.delivery), timeout=WAIT_S) as client:
        client.sendall(f"HEAD {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n".encode())
        return int(client.recv(1024).split(b" ")[1])


def test_eviction_under_load_cuts_no_response_and_counts_space_once_it_is_free(tmp_path: Path) -> None:
    box = Box(tmp_path)
    with mounted(tmp_path / "image", box.device) as mount:
        bodies = {f"/film-{number}/1.m4s": os.urandom(OBJECT_BYTES) for number in range(ASSETS)}
        store = Store.open([box.device], reserve_ratio=0.0)
        for number, (path, body) in enumerate(bodies.items()):
            source = tmp_path / f"film-{number}"
            source.mkdir()
            (source / "1.m4s").write_bytes(body)
            import_folder(store, *describe_folder(source, asset=f"film-{number}/v", mount=path.rpartition("/")[0]))
        large = make_manifest(make_contents("large/v", objects=1, size=ASSETS * OBJECT_BYTES - SLACK_BYTES), "large/v")
        with box.serving(), load(box, bodies) as outcome:
            wait_until(lambda: box.ask("/v1/status")["load"]["sent_bytes_per_s"] > OBJECT_BYTES)
            slow = [(path, SlowClient(box.delivery, path)) for path in bodies for _ in range(SLOW_CLIENTS)]
            free_bytes, used_bytes = store.free_bytes(), store.use().used_bytes
            for number, path in enumerate(bodies):
                freed = store.evict(f"film-{number}/v")
                assert freed > OBJECT_BYTES
                used_bytes -= freed
                assert store.use().used_bytes == used_bytes
                wait_until(lambda path=path: status_of(box, path) == 404)  # type: ignore[misc]
            if mount is not None:  # a file system of its own: nobody else takes or frees anything
                assert store.free_bytes() < free_bytes + SLACK_BYTES, "sends that run hold on to it"
                with pytest.raises(StoreFullError):
                    store.stage(large)
            for path, client in slow:
                assert client.finish() == bodies[path]
            if mount is not None:
                wait_until(lambda: store.free_bytes() >= free_bytes + ASSETS * OBJECT_BYTES - SLACK_BYTES)
                store.stage(large).close()
        store.close()
    assert outcome["failures"] == []
    assert outcome["answers"] >= ASSETS
    assert outcome["absent"] > 0
