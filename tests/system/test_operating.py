"""What an operator does with a running box: look at it, take it out for a while, send a helper what it takes."""

from __future__ import annotations

import json
import os
import socket
import tarfile
from pathlib import Path

import pytest

from tests.system.test_serve import HOST, Box
from tests.waiting import WAIT_S, wait_until

pytestmark = pytest.mark.system

SECRET = "a-token-that-nobody-may-see"


@pytest.fixture
def box(tmp_path: Path) -> Box:
    made = Box(tmp_path)
    (tmp_path / "source").mkdir()
    (tmp_path / "source/1.m4s").write_bytes(os.urandom(2**20))
    asset = ("--asset", "film/video", "--mount", "/film", "--config", str(made.config))
    assert made.run("store", "import", str(tmp_path / "source"), *asset).returncode == 0
    return made


def test_top_shows_who_is_watching_what(box: Box) -> None:
    with box.serving(), socket.create_connection((HOST, box.delivery), timeout=WAIT_S) as viewer:
        viewer.sendall(b"GET /film/1.m4s HTTP/1.1\r\nHost: x\r\n\r\n")
        received = 0
        while received < 2**20:
            received += len(viewer.recv(65536))
        wait_until(lambda: bool(box.ask("/v1/hot")["assets"]))
        told = json.loads(box.run("top", "--json", "--config", str(box.config)).stdout)
        assert told["assets"][0]["asset"] == "film/video"
        assert [(one["prefix"], one["connections"]) for one in told["prefixes"]] == [("127.0.0.0/24", 1)]
        shown = box.run("top", "--once", "--config", str(box.config)).stdout
        assert "film/video" in shown
        assert "127.0.0.0/24" in shown


def test_drain_for_a_time_ends_by_itself(box: Box) -> None:
    with box.serving():
        said = box.run("drain", "--for", "1h", "--config", str(box.config)).stdout
        assert "it serves again at" in said
        assert " until " in box.run("status", "--config", str(box.config)).stdout
        box.run("drain", "--for", "1s", "--config", str(box.config))
        wait_until(lambda: box.ask("/v1/status")["serving"] == "serving")


def test_support_bundle_holds_what_helps_and_no_secret(box: Box) -> None:
    token = box.folder / "token"
    token.write_text(SECRET)
    steering = f'[steering]\nurl = "http://192.0.2.77:9"\ntoken_file = "{token}"\ntimeout_s = 0.5\n'
    box.config.write_text(box.config.read_text() + steering)
    out = box.folder / "bundle.tar.gz"
    with box.serving():
        wait_until(lambda: any("192.0.2.77" in line for line in box.ask("/v1/status")["lately"]))
        done = box.run("support-bundle", "--config", str(box.config), "--out", str(out))
    assert done.returncode == 0, done.stderr
    assert out.stat().st_mode & 0o777 == 0o600
    with tarfile.open(out) as bundle:
        parts = {name.partition("/")[2]: bundle.extractfile(name) for name in bundle.getnames()}
        texts = {name: file.read().decode() for name, file in parts.items() if file is not None}
    assert {"settings.toml", "status.json", "metrics.txt", "health.json", "check.txt", "versions.txt"} <= texts.keys()
    assert json.loads(texts["status.json"])["appliance"] == "box"
    assert "oca_delivery_responses_total" in texts["metrics.txt"]
    assert 'steering.url = "http://ADDRESS:9"' in texts["settings.toml"]
    assert not [name for name, text in texts.items() if SECRET in text or "192.0.2.77" in text]
    again = box.run("support-bundle", "--config", str(box.config), "--out", str(out))
    assert (again.returncode, again.stdout) == (78, "")


def test_support_bundle_needs_no_running_daemon(box: Box) -> None:
    out = box.folder / "bundle.tar.gz"
    assert box.run("support-bundle", "--config", str(box.config), "--out", str(out)).returncode == 0
    with tarfile.open(out) as bundle:
        (name,) = (name for name in bundle.getnames() if name.endswith("status.json"))
        file = bundle.extractfile(name)
        assert file is not None
        assert b"no appliance answers" in file.read()
