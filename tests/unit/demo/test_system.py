from __future__ import annotations

import os
import signal
import socket
from pathlib import Path

import pytest

from demo.claim import StartError, claim
from demo.live import shown
from demo.places import Places
from demo.system import System

NETWORK = "127.61.9"


def _system(folder: Path) -> System:
    return System(Places(NETWORK, folder), folder / "library", [], {}, workers=1)


async def test_system_names_address_that_is_taken(tmp_path: Path) -> None:
    system = _system(tmp_path)
    with socket.socket() as other:
        other.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        other.bind((f"{NETWORK}.12", 8080))
        other.listen()
        with pytest.raises(StartError, match=rf"{NETWORK}\.12:8080, for metro-b: Address already in use; .*--net"):
            await system.start()
    await system.stop()
    assert system.processes == {}


async def test_stop_ends_every_process_and_frees_folder(tmp_path: Path) -> None:
    system = _system(tmp_path)
    system._lock = claim(system.places)
    running = [system._spawn(name, ["sleep", "60"]) for name in ("one", "two")]
    await system.stop()
    assert [process.exit_code for process in running] == [-signal.SIGTERM] * 2
    assert system.processes == {}
    os.close(claim(system.places))


def test_command_is_shown_as_one_would_type_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert shown([str(tmp_path / "bin" / "oca"), "drain", "two words"]) == "bin/oca drain 'two words'"
    assert shown(["/opt/bin/oca"]) == "/opt/bin/oca"
