"""Misses as viewers meet them: a real ``oca serve`` with two workers, in front of a real origin."""

from __future__ import annotations

import hashlib
import os
import signal
import socket
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from tests.system.test_serve import HOST, Box
from tests.waiting import WAIT_S, wait_until

pytestmark = pytest.mark.system

BODY = os.urandom(2**20) * 8
LEAVES_S, TRIES_MAX = 1.0, 20
"""Within this a player has to be told to go elsewhere; an idle machine takes some milliseconds."""


class Origin(ThreadingHTTPServer):
    """Has every path below /film; holds the second half of a body back until ``rest`` is set."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__((HOST, 0), _Handler)
        self.asked: list[str] = []
        self.rest = threading.Event()
        self.half_sent = threading.Event()


class _Handler(BaseHTTPRequestHandler):
    server: Origin

    def do_GET(self) -> None:
        self.server.asked.append(self.path)
        if not self.path.startswith("/film/"):
            self.send_error(404)
            return
        self.send_response(200)
        self.send_header("Content-Type", "video/mp4")
        self.send_header("Content-Length", str(len(BODY)))
        self.send_header("Cache-Control", "max-age=600")
        self.end_headers()
        self.wfile.write(BODY[: len(BODY) // 2])
        self.server.half_sent.set()
        self.server.rest.wait(WAIT_S)
        self.wfile.write(BODY[len(BODY) // 2 :])

    def log_message(self, *_: object) -> None:
        """Say nothing."""


@pytest.fixture
def origin() -> Iterator[Origin]:
    server = Origin()
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield server
    server.rest.set()
    server.shutdown()
    server.server_close()
    thread.join()


@pytest.fixture
def box(tmp_path: Path) -> Box:
    return Box(tmp_path)


def settle(box: Box, **miss: str) -> None:
    lines = "".join(f'{key} = "{value}"\n' for key, value in miss.items())
    text = box.config.read_text().replace("workers = 1", "workers = 2")
    box.config.write_text(f"{text}[delivery.miss]\n{lines}")


def ask(box: Box, path: str) -> tuple[bytes, bytes]:
    """Head and body; the body is what came before the connection ended, however it did."""
    received = bytearray()
    with socket.create_connection((HOST, box.delivery), timeout=WAIT_S) as viewer:
        viewer.sendall(f"GET {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n".encode())
        try:
            while part := viewer.recv(2**20):
                received += part
        except ConnectionResetError:
            pass
    head, _, body = bytes(received).partition(b"\r\n\r\n")
    return head, body


def pulled(box: Box) -> list[str]:
    return sorted(file.suffix for file in (box.device / "pulled").iterdir())


def test_fetch_costs_one_origin_request_over_workers_and_is_kept(box: Box, origin: Origin) -> None:
    settle(box, policy="fetch", origin_url=f"http://{HOST}:{origin.server_port}")
    with box.serving(), ThreadPoolExecutor(100) as viewers:
        answers = [viewers.submit(ask, box, "/film/1.m4s") for _ in range(100)]
        assert origin.half_sent.wait(WAIT_S)
        origin.rest.set()
        digests = {hashlib.sha256(answer.result()[1]).digest() for answer in answers}
        assert digests == {hashlib.sha256(BODY).digest()}
        wait_until(lambda: pulled(box) == [".pack"])
        for _ in range(8):  # by either worker
            assert ask(box, "/film/1.m4s")[1] == BODY
        assert origin.asked == ["/film/1.m4s"]
        assert ask(box, "/other")[0].startswith(b"HTTP/1.1 404 ")
        assert box.run("store", "ls", "--config", str(box.config)).returncode == 0
    with box.serving():  # kept over a restart
        assert ask(box, "/film/1.m4s")[1] == BODY
        assert len(origin.asked) == 2


def test_fetch_leaves_nothing_of_worker_that_is_killed(box: Box, origin: Origin) -> None:
    settle(box, policy="fetch", origin_url=f"http://{HOST}:{origin.server_port}")
    with box.serving(), ThreadPoolExecutor(8) as viewers:
        answers = [viewers.submit(ask, box, "/film/1.m4s") for _ in range(8)]
        assert origin.half_sent.wait(WAIT_S)
        assert pulled(box) == [".part"]
        for worker in box.ask("/v1/status")["workers"]:
            os.kill(worker["pid"], signal.SIGKILL)
        assert all(answer.result()[1] != BODY for answer in answers)
        wait_until(lambda: pulled(box) == [])
        origin.rest.set()
        assert ask(box, "/film/1.m4s")[1] == BODY
        wait_until(lambda: pulled(box) == [".pack"])


@pytest.mark.parametrize(
    ("miss", "status"),
    [
        ({}, b"404"),
        ({"policy": "redirect", "fallback_url": "http://next.example"}, b"302"),
        ({"policy": "fetch", "origin_url": f"http://{HOST}:9"}, b"404"),
        ({"policy": "fetch", "origin_url": f"http://{HOST}:9", "fallback_url": "http://next.example"}, b"302"),
    ],
)
def test_misses_send_player_elsewhere_at_once(box: Box, miss: dict[str, str], status: bytes) -> None:
    settle(box, **miss)
    with box.serving():
        ask(box, "/film/0.m4s")  # whatever is loaded at first is loaded
        number, took_s = 0, LEAVES_S
        while took_s >= LEAVES_S and number < TRIES_MAX:  # each may be late, on a busy machine
            number, begun_s = number + 1, time.monotonic()
            head, _ = ask(box, f"/film/{number}.m4s")
            took_s = time.monotonic() - begun_s
            assert head.split(b" ")[1] == status
            place = b"\r\nLocation: http://next.example/film/%d.m4s?oca-redirected\r\n" % number
            assert (place in head) == (status == b"302")
        assert took_s < LEAVES_S
