import asyncio

import pytest

from oca.common.log import configure_logging
from oca.common.tasks import Tasks


async def _fail() -> None:
    raise ValueError("broken")


async def test_tasks_log_failure_with_its_name(capsys: pytest.CaptureFixture[str]) -> None:
    configure_logging(style="json")
    tasks = Tasks()
    task = tasks.start(_fail(), name="pump")
    await asyncio.wait([task])
    await tasks.close()
    logged = capsys.readouterr().err
    assert '"task": "pump"' in logged
    assert "broken" in logged


async def test_tasks_close_cancels_what_still_runs() -> None:
    tasks = Tasks()
    task = tasks.start(asyncio.Event().wait(), name="wait")
    await tasks.close()
    assert task.cancelled()


async def test_tasks_forget_what_has_ended(capsys: pytest.CaptureFixture[str]) -> None:
    tasks = Tasks()
    done = tasks.start(asyncio.sleep(0), name="short")
    await done
    await tasks.close()
    assert not capsys.readouterr().err
