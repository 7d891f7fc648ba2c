import asyncio
import threading

import pytest

from oca.common.errors import StoreError
from oca.report.probe import Probe
from tests.waiting import WAIT_S


async def test_probe_gives_answer_of_thread() -> None:
    probe = Probe(threading.get_ident, name="p")
    assert await probe.answer(5) != threading.get_ident()


async def test_probe_says_how_long_answer_is_outstanding() -> None:
    gate = threading.Event()
    asked: list[int] = []

    def hang() -> str:
        asked.append(1)
        gate.wait(10)
        return "at last"

    probe = Probe(hang, name="p")
    first = await probe.answer(0.01)
    second = await probe.answer(0.01)
    assert isinstance(first, float)
    assert isinstance(second, float)
    assert second > first > 0
    assert asked == [1]  # no second thread while the first hangs
    gate.set()
    assert await probe.answer(5) == "at last"
    assert await probe.answer(5) == "at last"
    assert asked == [1, 1]


async def test_probe_raises_what_question_raises() -> None:
    def fail() -> None:
        raise StoreError("gone", remedy="plug it in")

    probe = Probe(fail, name="p")
    for _ in range(2):
        with pytest.raises(StoreError, match="gone"):
            await probe.answer(5)


def test_probe_outlives_loop_that_asked() -> None:
    gate, done = threading.Event(), threading.Event()

    def hang() -> None:
        gate.wait(10)
        done.set()

    async def ask() -> None:
        assert isinstance(await Probe(hang, name="p").answer(0.01), float)

    asyncio.run(ask())
    gate.set()
    assert done.wait(WAIT_S)


async def test_probe_gives_all_who_ask_meanwhile_the_same_answer() -> None:
    gate, asked = threading.Event(), list[int]()

    def count() -> int:
        gate.wait(10)
        asked.append(1)
        return len(asked)

    probe = Probe(count, name="p")
    assert isinstance(await probe.answer(0.01), float)
    gate.set()
    assert list(await asyncio.gather(probe.answer(5), probe.answer(5))) == [1, 1]
    assert await probe.answer(5) == 2
