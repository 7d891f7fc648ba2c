from __future__ import annotations

import asyncio
import subprocess
import sys
import threading
from typing import Any

import pytest

from oca.common.threads import Crew, in_thread
from tests.waiting import WAIT_S


async def test_thread_gives_what_its_work_returns() -> None:
    assert await in_thread(threading.get_ident, name="t") != threading.get_ident()
    assert await in_thread(lambda: threading.current_thread().name, name="t") == "t"


async def test_thread_raises_what_its_work_raises() -> None:
    with pytest.raises(ZeroDivisionError):
        await in_thread(lambda: 1 // 0, name="t")


async def test_thread_drops_result_nobody_waits_for() -> None:
    faults: list[dict[str, Any]] = []
    asyncio.get_running_loop().set_exception_handler(lambda _, context: faults.append(context))
    gate = threading.Event()
    future = in_thread(lambda: gate.wait(10), name="abandoned")
    future.cancel()
    gate.set()
    for thread in threading.enumerate():
        if thread.name == "abandoned":
            thread.join(5)
    await asyncio.sleep(0)
    assert faults == []


def test_thread_that_hangs_does_not_keep_process() -> None:
    script = (
        "import asyncio, threading\n"
        "from oca.common.threads import in_thread\n"
        "async def main():\n"
        "    await asyncio.wait([in_thread(threading.Event().wait, name='hung')], timeout=0.01)\n"
        "asyncio.run(main())\n"
    )
    subprocess.run([sys.executable, "-c", script], check=True, timeout=WAIT_S)


async def test_crew_brings_results_and_errors_back_to_the_loop() -> None:
    loop = asyncio.get_running_loop()
    crew = Crew(loop, name="test")
    told: list[object] = []
    ended = asyncio.Event()
    places: set[int] = set()

    def done(result: object) -> None:
        places.add(threading.get_ident())
        told.append(result)
        if len(told) == 3:
            ended.set()

    error = ValueError("x")

    def fail() -> None:
        raise error

    for work in (lambda: 1, fail, lambda: 3):
        crew.run(work, done)
    async with asyncio.timeout(WAIT_S):
        await ended.wait()
    assert sorted(told, key=str) == [1, 3, error]
    assert places == {threading.get_ident()}
    crew.close()


async def test_crew_has_as_many_threads_as_work_in_hand_and_no_more() -> None:
    crew = Crew(asyncio.get_running_loop(), name="crew-size")
    gate = threading.Event()
    told = asyncio.Queue[object]()
    for _ in range(3):
        crew.run(lambda: gate.wait(10), told.put_nowait)
    assert sum(thread.name.startswith("crew-size") for thread in threading.enumerate()) == 3
    gate.set()
    async with asyncio.timeout(WAIT_S):
        for _ in range(3):
            await told.get()
        for _ in range(20):
            crew.run(lambda: None, told.put_nowait)
            await told.get()
    threads = [thread for thread in threading.enumerate() if thread.name.startswith("crew-size")]
    assert len(threads) == 3
    crew.close()
    for thread in threads:
        await asyncio.to_thread(thread.join, 10)
        assert not thread.is_alive()


def test_crew_that_hangs_does_not_keep_the_process_from_ending() -> None:
    script = (
        "import asyncio, threading\n"
        "from oca.common.threads import Crew\n"
        "async def main():\n"
        "    crew = Crew(asyncio.get_running_loop(), name='x')\n"
        "    begun = threading.Event()\n"
        "    crew.run(lambda: (begun.set(), threading.Event().wait()), print)\n"
        "    begun.wait()\n"
        "    crew.close()\n"
        "asyncio.run(main())\n"
    )
    subprocess.run([sys.executable, "-c", script], check=True, timeout=WAIT_S)
