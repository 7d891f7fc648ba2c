import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import msgspec
import pytest

from oca.admin.client import ask_quality, ask_status, change_serving, renew
from oca.admin.quality import quality_page
from oca.admin.status import Renewal, Status
from oca.common.errors import OcaError


@contextmanager
def answering(raw: bytes) -> Iterator[tuple[str, list[bytes]]]:
    """A server on loopback that answers one request with ``raw``."""
    asked: list[bytes] = []
    with socket.create_server(("127.0.0.1", 0)) as server:

        def answer() -> None:
            connection, _ = server.accept()
            with connection:
                asked.append(connection.recv(65536))
                connection.sendall(raw)

        thread = threading.Thread(target=answer, daemon=True)
        thread.start()
        yield f"127.0.0.1:{server.getsockname()[1]}", asked
        thread.join(5)


def http(body: bytes, status: str = "200 OK") -> bytes:
    return f"HTTP/1.1 {status}\r\nContent-Length: {len(body)}\r\nConnection: close\r\n\r\n".encode() + body


def test_client_reads_status(status: Status) -> None:
    with answering(http(msgspec.json.encode(status))) as (listen, _):
        assert ask_status(listen) == status


def test_client_asks_for_quality() -> None:
    page = quality_page([], is_on=False, window_s=900, by="asset", limit=7)
    with answering(http(msgspec.json.encode(page))) as (listen, asked):
        assert ask_quality(listen, "asset", 7) == page
    assert asked[0].startswith(b"GET /v1/quality?by=asset&limit=7 HTTP/1.1\r\n")


def test_client_asks_for_change_as_json() -> None:
    with answering(http(b'{"serving": "draining", "changed": true, "follows": ""}')) as (listen, asked):
        assert change_serving(listen, "drain").serving == "draining"
    assert asked[0].startswith(b"POST /v1/drain HTTP/1.1\r\n")
    assert b"content-type: application/json" in asked[0].lower()


def test_client_asks_for_reload_and_waits_for_its_outcome() -> None:
    with answering(http(b'{"kind": "reload", "done": false, "said": "why"}')) as (listen, asked):
        assert renew(listen, "reload") == Renewal(kind="reload", done=False, said="why")
    assert asked[0].startswith(b"POST /v1/reload HTTP/1.1\r\n")


def test_client_reaches_wildcard_address_by_loopback(status: Status) -> None:
    with answering(http(msgspec.json.encode(status))) as (listen, _):
        assert ask_status("0.0.0.0:" + listen.partition(":")[2]) == status


@pytest.mark.parametrize(
    ("raw", "message"),
    [
        (http(b'{"title": "Not now", "status": 409, "remedy": "wait"}', "409 Conflict"), "/v1/status: Not now; wait"),
        (http(b"<html>", "404 Not Found"), "no appliance of this version"),
        (http(b"{}"), "no appliance of this version"),
        (b"SSH-2.0-x\r\n", "no appliance answers at"),
        (b"", "no appliance answers at"),
    ],
)
def test_client_explains_answer_it_cannot_use(raw: bytes, message: str) -> None:
    with answering(raw) as (listen, _), pytest.raises(OcaError) as caught:
        ask_status(listen)
    assert message in str(caught.value)


@pytest.mark.parametrize("ask", [ask_status, lambda listen: change_serving(listen, "undrain")])
def test_client_says_when_no_appliance_runs(ask: Callable[[str], object]) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        listen = f"127.0.0.1:{server.getsockname()[1]}"
    with pytest.raises(OcaError) as caught:
        ask(listen)
    assert f"no appliance answers at http://{listen}: Connection refused" in caught.value.message
    assert "oca serve" in caught.value.remedy
