"""Against a server that speaks as BIRD does; tests/system/test_bgp.py asks the real one."""

from __future__ import annotations

import socketserver
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from oca.common.errors import OcaError
from oca.network import bird as bird_module
from oca.network.bird import Bird
from tests.unit.network.bird_said import NO_ROUTES, ROUTES, SESSIONS

ANSWERS: dict[str, bytes] = {}
ASKED: list[str] = []


class Handler(socketserver.StreamRequestHandler):
    def handle(self) -> None:
        self.wfile.write(ANSWERS["hello"])
        for line in self.rfile:
            asked = line.decode().strip()
            ASKED.append(asked)
            answer = b"0016 Access restricted\n" if asked == "restrict" else ANSWERS.get(asked)
            if answer is None:
                return
            self.wfile.write(answer)


@pytest.fixture
def path(tmp_path: Path) -> Iterator[str]:
    ANSWERS.clear()
    ASKED.clear()
    route = "show route table {} all primary where source = RTS_BGP"
    ANSWERS.update(
        {
            "hello": b"0001 BIRD 2.0.12 ready.\n",
            "show protocols all": SESSIONS,
            route.format("master4"): ROUTES,
            route.format("master6"): NO_ROUTES,
        }
    )
    place = str(tmp_path / "bird.ctl")
    with socketserver.ThreadingUnixStreamServer(place, Handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield place
        server.shutdown()
        thread.join()


def make(path: str, routes_max: int = 10) -> Bird:
    return Bird(path, ("master4", "master6"), routes_max=routes_max)


def test_bird_is_asked_for_sessions_and_routes(path: str) -> None:
    bird = make(path)
    assert [session.name for session in bird.sessions()] == ["isp", "backup"]
    first = bird.routes()
    assert list(first) == ["45.10.0.0/16", "45.11.0.0/16", "45.12.0.0/16"]
    assert all(bird.routes()[prefix] is route for prefix, route in first.items())
    assert ASKED[0] == "restrict"
    with pytest.raises(OcaError, match="more than 2 routes"):
        make(path, 2).routes()


def test_bird_that_is_away_or_no_bird_is_told_of(path: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(OcaError, match="cannot be asked: no such file") as told:
        make(str(tmp_path / "nowhere")).sessions()
    assert "group bird" in told.value.remedy
    del ANSWERS["show protocols all"]
    with pytest.raises(OcaError, match="hung up"):
        make(path).sessions()
    ANSWERS["show protocols all"] = b"1002-isp"
    with monkeypatch.context() as hasty:
        hasty.setattr(bird_module, "TIMEOUT_S", 0.05)
        with pytest.raises(OcaError, match="is silent"):
            make(path).sessions()
    monkeypatch.setattr(bird_module, "SESSIONS_BYTES_MAX", 5)
    with pytest.raises(OcaError, match="answers without end"):
        make(path).sessions()
    ANSWERS["hello"] = b"220 smtp\n"
    with pytest.raises(OcaError, match="is not BIRD 2"):
        make(path).sessions()
