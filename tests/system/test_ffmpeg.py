"""ffmpeg plays what steering answers, HLS and DASH, and has nothing to warn of."""

from __future__ import annotations

import pytest

from demo.check import play_by_ffmpeg
from demo.system import System

pytestmark = [pytest.mark.system, pytest.mark.asyncio(loop_scope="session")]


@pytest.mark.parametrize("kind", ["hls_url", "dash_url"])
async def test_ffmpeg_plays_without_warning(whole: System, kind: str) -> None:
    answer = await whole.playback(whole.films[0].title)
    assert await play_by_ffmpeg(answer[kind]) == (0, "")


async def test_ffmpeg_check_notices_missing_film(whole: System) -> None:
    answer = await whole.playback(whole.films[0].title)
    code, said = await play_by_ffmpeg(answer["hls_url"] + "-no-such-thing")
    assert (code != 0, "404" in said or "Not Found" in said) == (True, True)
