"""``make demo-check`` and ``make demo`` as one runs them, with short films of their own; both leave nothing running."""

from __future__ import annotations

import asyncio
import contextlib
import os
import re
import signal
import sys
import uuid
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import psutil
import pytest
import pytest_asyncio

from tests.system.test_reload import time_to_load_worker

pytestmark = [pytest.mark.system, pytest.mark.asyncio(loop_scope="module")]

NETWORK = "127.61.8"
READY_S_MAX = 15
READY_LOADS_MAX = 25
"""The same in the time that a worker takes to load: on an idle machine less, on a busy one the larger."""
PROCESSES_MIN = 6  # the demo itself, origin, steering, three appliances
MARK = "DEMO_TEST_MARK"
OPTIONS = ["--titles", "2", "--seconds", "12", "--workers", "1", "--net", NETWORK]


class Demo:
    """One run of ``python -m demo``; whatever it starts carries its mark in the environment."""

    def __init__(self, folder: Path, *options: str) -> None:
        self._command = ["-m", "demo", *OPTIONS, "--dir", str(folder), *options]
        self._mark = uuid.uuid4().hex

    @asynccontextmanager
    async def running(self) -> AsyncIterator[asyncio.subprocess.Process]:
        process = await asyncio.create_subprocess_exec(
            sys.executable,
            *self._command,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
            env={**os.environ, MARK: self._mark},
            cwd=Path(__file__).parents[2],
            # A shell that is not interactive starts what it runs with & like this.
            preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_IGN),
        )
        try:
            yield process
        finally:
            for left in self.processes():
                left.kill()
            await process.wait()

    def processes(self) -> list[psutil.Process]:
        """Everything alive that this run started, and itself."""
        found = []
        for process in psutil.process_iter():
            with contextlib.suppress(psutil.Error):
                if process.environ().get(MARK) == self._mark and process.status() != psutil.STATUS_ZOMBIE:
                    found.append(process)
        return found


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def checked(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, int | None, str, list[str]]:
    """A first run, which encodes the films and checks: its folder, its exit code, what it said, what it left alive."""
    folder = tmp_path_factory.mktemp("demo")
    demo = Demo(folder, "--check")
    async with demo.running() as process, asyncio.timeout(250):
        said, _ = await process.communicate()
        return folder, process.returncode, said.decode(), [left.name() for left in demo.processes()]


async def test_demo_check_finds_all_good_and_leaves_nothing(
    checked: tuple[Path, int | None, str, list[str]],
) -> None:
    _, code, said, left = checked
    assert (code, left) == (0, []), said
    assert "BAD" not in said
    for what in (
        "is complete, byte for byte",
        "playback went on",
        "no segment while films played: 0 while they played",
    ):
        assert what in said


async def test_demo_with_kept_films_is_ready_soon_and_ends_on_interrupt(
    checked: tuple[Path, int | None, str, list[str]],
) -> None:
    demo = Demo(checked[0])
    async with demo.running() as process, asyncio.timeout(90):
        assert process.stdout is not None
        said = ""
        while not (ready := re.search(r"Ready after (\d+) s", said)):
            line = await process.stdout.readline()
            assert line, said
            said += line.decode()
        assert int(ready[1]) < max(READY_S_MAX, READY_LOADS_MAX * time_to_load_worker()), said
        assert "Encoding" not in said
        assert len(demo.processes()) >= PROCESSES_MIN
        process.send_signal(signal.SIGINT)
        said += (await process.communicate())[0].decode()
        assert (process.returncode, [left.name() for left in demo.processes()]) == (0, []), said
