from __future__ import annotations

import msgspec
import pytest

from benchmarks.steering.paced import signed_share
from steering.api.messages import PathwayAnswer, PlaybackAnswer


def answer(*ways: PathwayAnswer, urls: list[str]) -> bytes:
    return msgspec.json.encode(PlaybackAnswer("t1", "", "", "", "", "", "", "", list(ways), [], {"t1/video": urls}))


BOX = PathwayAnswer("s0-a", "https://s0-a.example", "regional", "s0", None, "")
ORIGIN = PathwayAnswer("origin", "https://origin.example", "fallback", "", None, "")


def test_share_of_signed_answers_is_of_those_that_name_a_box() -> None:
    signed = answer(BOX, ORIGIN, urls=["https://s0-a.example/t/abc/t1/x", "https://origin.example/t1/x"])
    unsigned = answer(ORIGIN, urls=["https://origin.example/t1/x"])
    assert signed_share([signed, unsigned, signed, signed]) == 0.75
    with pytest.raises(AssertionError, match="without a token"):
        signed_share([answer(BOX, urls=["https://s0-a.example/t1/x"])])
