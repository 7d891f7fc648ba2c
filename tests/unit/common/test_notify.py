import socket
from pathlib import Path

import pytest

from oca.common.notify import notify, notify_alive


def test_notify_sends_state_to_service_manager(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as manager:
        manager.bind(str(tmp_path / "n"))
        monkeypatch.setenv("NOTIFY_SOCKET", str(tmp_path / "n"))
        notify("READY=1")
        assert manager.recv(100) == b"READY=1"


def test_notify_reaches_abstract_socket(monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as manager:
        manager.bind("")  # the kernel picks an abstract name
        name = manager.getsockname()
        monkeypatch.setenv("NOTIFY_SOCKET", "@" + name[1:].decode())
        notify("STOPPING=1")
        assert manager.recv(100) == b"STOPPING=1"


@pytest.mark.parametrize("path", ["", "/nowhere/at/all"])
def test_notify_needs_no_service_manager(monkeypatch: pytest.MonkeyPatch, path: str) -> None:
    monkeypatch.setenv("NOTIFY_SOCKET", path)
    notify("READY=1")


def test_notify_says_it_is_alive_to_manager_that_watches(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as manager:
        manager.bind(str(tmp_path / "n"))
        manager.setblocking(False)
        monkeypatch.setenv("NOTIFY_SOCKET", str(tmp_path / "n"))
        monkeypatch.delenv("WATCHDOG_USEC", raising=False)
        notify_alive("serving")
        with pytest.raises(BlockingIOError):
            manager.recv(100)
        monkeypatch.setenv("WATCHDOG_USEC", "30000000")
        notify_alive("serving, health ok\nREADY=1")
        assert manager.recv(100) == b"WATCHDOG=1\nSTATUS=serving, health ok"
        notify_alive("")
        assert manager.recv(100) == b"WATCHDOG=1\nSTATUS="
