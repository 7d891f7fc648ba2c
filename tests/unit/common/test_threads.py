from __future__ import annotations

import asyncio
import subprocess
import sys
import threading
from typing import Any

import pytest

from oca.common.threads import in_thread


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
    subprocess.run([sys.executable, "-c", script], check=True, timeout=10)
