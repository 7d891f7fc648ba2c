from __future__ import annotations

import os
import select
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from demo.process import Process, becomes_true, stop

PARENT = """
import signal, sys
from demo.children import spawn_tied
child = spawn_tied([sys.executable, "-c", "import time; print('up', flush=True); time.sleep(60)"])
print(child.pid, flush=True)
signal.pause()
"""


def test_child_ends_with_killed_parent() -> None:
    parent = subprocess.Popen([sys.executable, "-c", PARENT], stdout=subprocess.PIPE)
    assert parent.stdout is not None
    try:
        first, second = parent.stdout.readline().strip(), parent.stdout.readline().strip()
        child = os.pidfd_open(int(first if first.isdigit() else second))
        try:
            parent.send_signal(signal.SIGKILL)
            ended, _, _ = select.select([child], [], [], 10)
            assert ended, "the child outlived its parent"
        finally:
            os.close(child)
    finally:
        parent.kill()
        parent.wait()
        parent.stdout.close()


async def test_stop_ends_children_of_stubborn_process(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("demo.process.STOP_S", 0.2)
    script = "trap '' TERM; sleep 60 & echo $!; wait; wait"
    process = Process("stubborn", ["sh", "-c", script], tmp_path / "log")
    assert await becomes_true(lambda: (tmp_path / "log").read_text().strip().isdigit(), 5)
    grandchild = os.pidfd_open(int((tmp_path / "log").read_text()))
    try:
        await stop([process])
        assert process.exit_code == -signal.SIGKILL
        assert select.select([grandchild], [], [], 5)[0], "its child was left running"
    finally:
        os.close(grandchild)


async def test_failure_quotes_last_words_of_this_run(tmp_path: Path) -> None:
    log = tmp_path / "log"
    log.write_text("from an earlier run\n")
    process = Process("speaker", ["sh", "-c", "echo first; echo 'port taken' >&2; exit 3"], log)
    assert await becomes_true(lambda: process.exit_code is not None, 5)
    assert str(process.failure()) == f"speaker ended with exit code 3: port taken; its log is {log}"
    silent = Process("silent", ["sh", "-c", "exit 1"], log)
    assert await becomes_true(lambda: silent.exit_code is not None, 5)
    assert silent.last_words() == "it said nothing"
