from __future__ import annotations

import json
import socket
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

import pytest

from oca.common.box import ApplianceTable, Box, SteeringTable
from oca.turnup.remote import check_daemon, check_origin, check_steering

TOKEN = "0123456789abcdef"


class Peer:
    """A server that answers as it is told, and remembers what it was asked."""

    def __init__(self) -> None:
        self.status, self.body = 200, b"{}"
        self.asked: list[tuple[str, str, str]] = []
        peer = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                peer.asked.append((self.command, self.path, self.headers.get("Authorization", "")))
                self.send_response(peer.status)
                self.end_headers()
                if self.command != "HEAD":
                    self.wfile.write(peer.body)

            do_HEAD = do_GET  # noqa: N815 - the name that http.server looks for

            def log_message(self, *_: Any) -> None:
                pass

        self.server = HTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}"
        self.thread = threading.Thread(target=self.server.serve_forever)
        self.thread.start()


@pytest.fixture
def peer() -> Iterator[Peer]:
    made = Peer()
    yield made
    made.server.shutdown()
    made.thread.join()
    made.server.server_close()


def box(url: str, token_file: str = "") -> Box:
    return Box(
        appliance=ApplianceTable(id="fra1-a", site="fra1"), steering=SteeringTable(url=url, token_file=token_file)
    )


def closed_url() -> str:
    with socket.create_server(("127.0.0.1", 0)) as server:
        return f"http://127.0.0.1:{server.getsockname()[1]}"


def test_remote_asks_steering_for_plan_with_token(peer: Peer, tmp_path: Path) -> None:
    (tmp_path / "token").write_text(TOKEN)
    found = check_steering(box(peer.url, str(tmp_path / "token")))
    assert (found.state, found.why) == ("pass", f"{peer.url} knows fra1-a and gives it its plan")
    assert peer.asked == [("GET", "/v1/appliances/fra1-a/fill-plan", f"Bearer {TOKEN}")]


def test_remote_tells_why_steering_refuses(peer: Peer) -> None:
    peer.status, peer.body = 403, json.dumps({"title": "Unknown appliance", "status": 403}).encode()
    found = check_steering(box(peer.url))
    assert (found.state, found.why) == ("fail", f"{peer.url} answers 403: unknown appliance")
    assert "add fra1-a to its [[site]]" in found.mend
    peer.body = b"<html>"
    assert check_steering(box(peer.url)).why == f"{peer.url} answers 403"


def test_remote_is_known_before_its_first_report(peer: Peer) -> None:
    peer.status, peer.body = 409, json.dumps({"title": "No report yet", "status": 409}).encode()
    found = check_steering(box(peer.url))
    assert (found.state, found.why) == ("warn", f"{peer.url} knows fra1-a, and has no report of it")


def test_remote_tells_steering_that_is_away() -> None:
    url = closed_url()
    found = check_steering(box(url))
    assert (found.state, found.why) == ("fail", f"{url} cannot be reached: connection refused")
    assert found.mend.startswith(f"curl -v {url}/health")


def test_remote_needs_no_steering() -> None:
    assert check_steering(box("")).state == "pass"


def test_remote_tells_token_that_cannot_be_read() -> None:
    found = check_steering(box("http://s.example", "/no/such/token"))
    assert found.state == "fail"
    assert "/no/such/token" in found.why


@pytest.mark.parametrize(("status", "state"), [(200, "pass"), (404, "pass"), (500, "fail")])
def test_remote_asks_origin_for_any_answer(peer: Peer, status: int, state: str) -> None:
    peer.status = status
    found = check_origin(f"{peer.url}/vod")
    assert (found.state, found.why) == (state, f"{peer.url}/vod answers {status}")
    assert peer.asked == [("HEAD", "/vod", "")]


def test_remote_tells_origin_that_is_away() -> None:
    assert check_origin(closed_url()).state == "fail"
    assert "cannot be reached" in check_origin("https://127.0.0.1:1/").why


def test_remote_tells_daemon_that_does_not_run() -> None:
    found, worker = check_daemon(closed_url().removeprefix("http://"))
    assert (found.state, worker) == ("warn", 0)
    assert found.mend == "systemctl enable --now oca.service oca-fill.timer"
