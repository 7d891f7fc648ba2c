"""What a delivery worker really asks of the kernel, seen by strace: bodies leave by ``sendfile``, on uvloop."""

from __future__ import annotations

import http.client
import os
import re
from collections import Counter
from pathlib import Path

import pytest

from tests.system.test_serve import HOST, Box, box
from tests.waiting import WAIT_S, wait_until

pytestmark = pytest.mark.system

__all__ = ["box"]
SIZES = {"small.m4s": 4096, "middle.m4s": 300_000, "large.m4s": 5_000_000}
HEAD_BYTES_MAX = 1024
CALL = re.compile(r"(\d+) +(?:<\.\.\. )?(sendfile|sendto|sendmsg|write|writev)\b.* = (\d+)$")


def traced(text: str) -> dict[int, Counter[str]]:
    """Bytes moved by each call of each process, and the most that one call moved, as ``NAME max``."""
    moved: dict[int, Counter[str]] = {}
    for line in text.splitlines():
        if found := CALL.match(line):
            counts = moved.setdefault(int(found[1]), Counter())
            counts[found[2]] += int(found[3])
            counts[f"{found[2]} max"] = max(counts[f"{found[2]} max"], int(found[3]))
    return moved


def test_worker_sends_bodies_by_sendfile(box: Box, tmp_path: Path) -> None:
    bodies = {name: os.urandom(size) for name, size in SIZES.items()}
    for name, body in bodies.items():
        path = tmp_path / "film" / name
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(body)
    imported = box.run(
        *("store", "import", str(tmp_path / "film"), "--asset", "film/all", "--mount", "/film"),
        *("--config", str(box.config)),
    )
    assert imported.returncode == 0, imported.stderr
    log = tmp_path / "trace"
    calls = "trace=sendfile,sendto,sendmsg,write,writev"
    under = ["strace", "-D", "-f", "-q", "-s", "0", "-e", "signal=none", "-e", calls, "-o", str(log)]
    with box.serving(under=under):
        (worker,) = box.ask("/v1/status")["workers"]
        assert worker["loop"] == "uvloop"
        viewer = http.client.HTTPConnection(HOST, box.delivery, timeout=WAIT_S)
        for name, body in bodies.items():
            viewer.request("GET", f"/film/{name}")
            assert viewer.getresponse().read() == body
        viewer.request("GET", "/film/middle.m4s", headers={"Range": "bytes=1000-200999"})
        assert viewer.getresponse().read() == bodies["middle.m4s"][1000:201_000]
        viewer.close()
    wait_until(lambda: f"{worker['pid']} +++ exited" in re.sub(" +", " ", log.read_text()))
    moved = traced(log.read_text())[worker["pid"]]
    assert moved["sendfile"] == sum(SIZES.values()) + 200_000
    assert max(moved[f"{call} max"] for call in ("sendto", "sendmsg", "write", "writev")) <= HEAD_BYTES_MAX
