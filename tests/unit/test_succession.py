import asyncio
import os
import socket
import sys
from pathlib import Path

import pytest

from oca import succession
from oca.common.demand import Taken, Wanted
from oca.common.errors import OcaError
from oca.succession import Predecessor, Successor, legacy, own_command

FOLLOWS = """
import os, socket, sys
sys.path.insert(0, {root!r})
from oca.succession import PREDECESSOR, SOCKETS, Predecessor
channel = socket.socket(fileno=int(os.environ[PREDECESSOR]))
listener = socket.socket(fileno=int(os.environ[SOCKETS]))
{more}
"""
SERVES = """
Predecessor(channel).tell()
told = b"".join(iter(lambda: channel.recv(4096), b""))
listener.accept()[0].sendall(told)
"""
ROOT = str(Path(__file__).resolve().parents[2])


def program(monkeypatch: pytest.MonkeyPatch, more: str) -> None:
    text = FOLLOWS.format(root=ROOT, more=more)
    monkeypatch.setattr(succession, "own_command", lambda: [sys.executable, "-c", text])


async def test_successor_serves_on_our_sockets_and_hears_what_we_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    program(monkeypatch, SERVES)
    with socket.create_server(("127.0.0.1", 0)) as listener:
        address = listener.getsockname()
        successor = Successor([listener])
        await successor.until_ready()
    taken = Taken({"film/v": (1, 10)}, {"film/v": 1}, {"/film/2.m4s": Wanted(1, ranges=1, range_bytes=5)}, 2)
    successor.tell(legacy("0.1.0", {"delivery_sent_bytes": 7}, taken))
    await successor.close()
    reader, writer = await asyncio.open_connection(*address)
    said = await reader.read()
    writer.close()
    told = succession._legacy(said.rstrip())
    assert (told.pid, told.version) == (os.getpid(), "0.1.0")
    assert (told.counters, told.demand) == ({"delivery_sent_bytes": 7}, [("film/v", 1, 10)])
    assert told.taken == taken


@pytest.mark.parametrize(
    ("more", "why"),
    [
        ("Predecessor(channel).tell('appliance.toml: no')\nlistener.accept()", "appliance.toml: no"),
        ("sys.exit(3)", "it ended before it was ready"),
        ("listener.accept()", "it is not ready after"),
    ],
)
async def test_successor_that_does_not_start_is_ended_and_told_of(
    monkeypatch: pytest.MonkeyPatch, more: str, why: str
) -> None:
    monkeypatch.setattr(succession, "READY_S_MAX", 20 if "ended" in why or "toml" in why else 0.5)
    program(monkeypatch, more)
    with socket.create_server(("127.0.0.1", 0)) as listener:
        successor = Successor([listener])
        with pytest.raises(OcaError, match=why):
            await successor.until_ready()
        assert successor._process.poll() is not None


async def test_successor_that_is_not_there_is_told_of(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(succession, "own_command", lambda: ["/nowhere/oca"])
    with pytest.raises(OcaError, match="/nowhere/oca cannot be started: No such file"):
        Successor([])


async def test_predecessor_is_heard_until_it_ends() -> None:
    ours, theirs = socket.socketpair()
    predecessor = Predecessor(theirs)
    predecessor.tell()
    assert ours.recv(100) == b'{"fault":""}\n'
    ours.sendall(b'{"pid":5,"version":"9","counters":{"a":1},"demand":[],"new":true}\n{"pid":5')
    ours.close()
    assert [told.counters async for told in predecessor.legacies()] == [{"a": 1}]


def test_own_command_is_the_script_that_was_called(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    script = tmp_path / "oca"
    script.write_text("#!/bin/sh\n")
    monkeypatch.setattr(sys, "argv", [str(script), "serve"])
    monkeypatch.setattr(sys, "orig_argv", ["python", "-m", "oca.cli", "serve"])
    assert own_command() == [sys.executable, "-m", "oca.cli", "serve"]  # a module is no program of its own
    script.chmod(0o755)
    assert own_command() == [str(script), "serve"]
