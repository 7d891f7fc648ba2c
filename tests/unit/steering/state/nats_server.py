"""A real nats-server for tests, on a port that it finds itself."""

from __future__ import annotations

import json
import shutil
import signal
import time
from pathlib import Path

from demo.children import spawn_tied

START_S = 20.0
HOST = "127.0.101.1"


class NatsServer:
    """One server with JetStream, which can be stopped, killed and started again over what it kept."""

    def __init__(self, folder: Path, settings: str = "") -> None:
        """``settings`` are further ones, as its file has them."""
        program = shutil.which("nats-server", path="/usr/sbin:/usr/bin:/usr/local/bin")
        assert program, "the tests of shared state need nats-server: run scripts/debian.sh"
        self._folder = folder
        (folder / "nats.conf").write_text(settings)
        self._command = [program, "--config", str(folder / "nats.conf"), "--addr", HOST, "--jetstream"]
        self._command += ["--store_dir", str(folder / "kept")]
        self._port = -1
        self.start()

    @property
    def url(self) -> str:
        return f"nats://{HOST}:{self._port}"

    def start(self) -> None:
        ports = self._folder / "ports"
        shutil.rmtree(ports, ignore_errors=True)
        ports.mkdir()
        places = ["--port", str(self._port), "--ports_file_dir", str(ports), "--log", str(self._folder / "log")]
        self._child = spawn_tied([*self._command, *places])
        until = time.monotonic() + START_S
        while not (found := list(ports.glob("*.ports"))) or not found[0].read_text().strip():
            assert self._child.poll() is None, (self._folder / "log").read_text()
            assert time.monotonic() < until, "nats-server has not started"
            time.sleep(0.02)
        (place,) = json.loads(found[0].read_text())["nats"]
        self._port = int(place.rpartition(":")[2])

    def kill(self) -> None:
        self._child.kill()
        self._child.wait()

    def hang(self) -> None:
        self._child.send_signal(signal.SIGSTOP)

    def go_on(self) -> None:
        self._child.send_signal(signal.SIGCONT)
