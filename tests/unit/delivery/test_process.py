import asyncio

import pytest

from oca.delivery import process
from tests.waiting import WAIT_S


async def test_silence_is_judged_after_its_whole_span_and_a_last_look(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(process, "LAST_WORD_S", 0.2)
    loop = asyncio.get_running_loop()
    began_s = loop.time()
    assert await process._next_line(asyncio.StreamReader(), 0.3) is None
    assert loop.time() - began_s >= 0.5


async def test_word_that_comes_within_the_last_look_is_taken(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(process, "LAST_WORD_S", WAIT_S)
    reader = asyncio.StreamReader()
    asyncio.get_running_loop().call_later(0.3, reader.feed_data, b"{}\n")
    assert await process._next_line(reader, 0.1) == b"{}\n"


async def test_end_is_no_silence() -> None:
    reader = asyncio.StreamReader()
    reader.feed_eof()
    assert await process._next_line(reader, WAIT_S) == b""


def test_bounds_of_silence_are_those_that_players_bear() -> None:
    """A worker ticks each second; hls.js leaves a silent server after 30 s, Shaka after 11."""
    assert 5 <= process.SILENCE_S_MAX <= 15
    assert process.SILENCE_S_MAX + process.LAST_WORD_S <= process.READY_S_MAX
