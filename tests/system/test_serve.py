"""``oca serve`` as a service manager and an operator meet it: real processes on loopback."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from tests.system.side_by_side import WORKER
from tests.waiting import WAIT_S, wait_until

pytestmark = pytest.mark.system

HOST = f"127.0.0.{81 + WORKER}"


def free_port() -> int:
    with socket.create_server((HOST, 0)) as server:
        return int(server.getsockname()[1])


class Box:
    """One appliance in a folder of its own."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.device = folder / "nvme0"
        self.device.mkdir()
        self.delivery, self.admin = free_port(), free_port()
        self.config = folder / "appliance.toml"
        self.config.write_text(
            f'[appliance]\nid = "box"\nsite = "here"\n'
            f'[delivery]\nlisten = ["{HOST}:{self.delivery}"]\nworkers = 1\ndrain_s = 20\n'
            f'[admin]\nlisten = "{HOST}:{self.admin}"\n'
            f'[store]\ndevices = ["{self.device}"]\n'
        )

    def run(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-m", "oca.cli", *arguments], capture_output=True, text=True, timeout=WAIT_S, check=False
        )

    @contextmanager
    def serving(self, under: Sequence[str] = ()) -> Iterator[subprocess.Popen[str]]:
        """A running appliance, from READY on; ``under`` is what runs it, if anything does."""
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as manager:
            manager.bind(str(self.folder / "notify"))
            manager.settimeout(WAIT_S)
            process = subprocess.Popen(
                [*under, sys.executable, "-m", "oca.cli", "serve", "--config", str(self.config)],
                env={**os.environ, "NOTIFY_SOCKET": str(self.folder / "notify")},
                stderr=subprocess.PIPE,
                text=True,
            )
            try:
                assert manager.recv(100) == b"READY=1"
                yield process
                if process.poll() is None:
                    process.terminate()
                    assert manager.recv(100) == b"STOPPING=1"
            finally:
                if process.poll() is None:
                    process.send_signal(signal.SIGTERM)
                process.communicate(timeout=WAIT_S)
                (self.folder / "notify").unlink()

    def ask(self, path: str) -> Any:
        with urllib.request.urlopen(f"http://{HOST}:{self.admin}{path}", timeout=WAIT_S) as response:
            return json.load(response)

    def health(self) -> tuple[int, Any]:
        try:
            return 200, self.ask("/health")
        except urllib.error.HTTPError as error:
            with error:
                return error.code, json.load(error)


@pytest.fixture
def box(tmp_path: Path) -> Box:
    return Box(tmp_path)


def one_line(result: subprocess.CompletedProcess[str]) -> str:
    assert result.stderr.count("\n") == 1, result.stderr
    assert "Traceback" not in result.stderr
    return result.stderr


def test_serve_answers_operator_and_ends_on_sigterm(box: Box) -> None:
    with box.serving() as process:
        assert box.ask("/health") == {"verdict": "ok", "reasons": [], "weight": 1.0}
        status = box.ask("/v1/status")
        assert (status["appliance"], status["serving"], status["steering"]["state"]) == ("box", "serving", "alone")
        assert any("root runs this service" in line for line in status["lately"]) == (os.geteuid() == 0)
        shown = box.run("status", "--config", str(box.config))
        assert shown.stdout.startswith("box at here, oca ")
        assert json.loads(box.run("status", "--config", str(box.config), "--json").stdout)["site"] == "here"
    assert process.returncode == 0


def test_serve_stays_drained_over_restart(box: Box) -> None:
    with box.serving():
        assert box.run("drain", "--config", str(box.config)).stdout.startswith("draining: ")
        assert box.run("drain", "--config", str(box.config)).stdout.endswith("'oca undrain' ends it\n")
    with box.serving():
        assert box.ask("/v1/status")["serving"] in ("draining", "drained")
        assert box.run("undrain", "--config", str(box.config)).stdout == "serving\n"
    with box.serving():
        assert box.ask("/v1/status")["serving"] == "serving"


def test_serve_finishes_what_it_is_sending(box: Box) -> None:
    source = box.folder / "source"
    source.mkdir()
    body = os.urandom(2**20) * 64
    (source / "1.m4s").write_bytes(body)
    loaded = box.run(
        "store", "import", str(source), "--asset", "film/video", "--mount", "/film", "--config", str(box.config)
    )
    assert loaded.returncode == 0, loaded.stderr
    with box.serving() as process, socket.create_connection((HOST, box.delivery), timeout=WAIT_S) as viewer:
        viewer.sendall(b"GET /film/1.m4s HTTP/1.1\r\nHost: x\r\n\r\n")
        received = bytearray(viewer.recv(65536))  # the response is on its way, more of it than sockets buffer
        process.terminate()
        with pytest.raises(subprocess.TimeoutExpired):
            process.wait(0.5)
        while part := viewer.recv(2**20):
            received += part
        assert bytes(received).partition(b"\r\n\r\n")[2] == body
        assert process.wait(WAIT_S) == 0


def test_serve_ends_at_once_on_second_signal(box: Box) -> None:
    source = box.folder / "source"
    source.mkdir()
    (source / "1.m4s").write_bytes(bytes(2**26))
    box.run("store", "import", str(source), "--asset", "film/video", "--mount", "/film", "--config", str(box.config))
    with box.serving() as process, socket.create_connection((HOST, box.delivery), timeout=WAIT_S) as viewer:
        viewer.sendall(b"GET /film/1.m4s HTTP/1.1\r\nHost: x\r\n\r\n")
        viewer.recv(1)
        process.terminate()
        with pytest.raises(subprocess.TimeoutExpired):
            process.wait(0.5)
        process.terminate()
        assert process.wait(10) == 0


@pytest.mark.parametrize("taken", ["delivery", "admin"])
def test_serve_names_port_that_is_taken(box: Box, taken: str) -> None:
    port = getattr(box, taken)
    with socket.create_server((HOST, port)):
        said = one_line(box.run("serve", "--config", str(box.config)))
    assert f"{HOST}:{port}" in said
    assert "address already in use" in said
    assert "ss -ltnp" in said


def test_serve_names_device_that_is_missing(box: Box) -> None:
    box.device.rmdir()
    result = box.run("serve", "--config", str(box.config))
    assert result.returncode == 1
    assert str(box.device) in one_line(result)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ("delivery.workers=-1", "--set delivery.workers=-1: delivery.workers = -1: must be a whole number, 0 to 256"),
        ("delivery.wokers=1", "unknown key delivery.wokers; did you mean workers?"),
    ],
)
def test_serve_refuses_bad_configuration(box: Box, change: str, said: str) -> None:
    result = box.run("serve", "--config", str(box.config), "--set", change)
    assert result.returncode == 78
    assert said in one_line(result)


def test_health_fails_when_device_goes_away(box: Box) -> None:
    with box.serving():
        box.device.rename(box.folder / "gone")
        wait_until(lambda: box.health()[0] != 200)
        found = box.health()
        (box.folder / "gone").rename(box.device)
    status, health = found
    assert (status, health["verdict"]) == (503, "failed")
    assert any(str(box.device) in reason for reason in health["reasons"])
