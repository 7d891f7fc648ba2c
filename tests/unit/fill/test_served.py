from __future__ import annotations

from pathlib import Path

import aiohttp
import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer

from fill.night import Night
from fill.served import note_served, viewers_bytes
from fill.state import FillState
from oca.common import clock

METRICS = """# HELP oca_delivery_sent_bytes_total Bytes.
# TYPE oca_delivery_sent_bytes_total counter
oca_delivery_sent_bytes_total {sent}
oca_delivery_fill_sent_bytes_total 400.0
oca_delivery_sent_bytes_created 1.7e9
"""


@pytest.mark.parametrize(
    ("text", "found"),
    [(METRICS.format(sent="1.0e3"), 600), ("oca_delivery_sent_bytes_total 5.0\n", 5), ("other 3\n", None), ("", None)],
)
def test_served_bytes_are_those_of_viewers_alone(text: str, found: int | None) -> None:
    assert viewers_bytes(text) == found


async def test_served_bytes_are_added_to_the_night(device: Path, session: aiohttp.ClientSession) -> None:
    state, sent = FillState(device), 1000
    state.keep([Night(night="2026-01-10", started_at_ns=0, ended_at_ns=clock.now_ns(), bytes_in=100)])

    async def answer(_request: web.Request) -> web.Response:
        return web.Response(text=METRICS.format(sent=sent))

    application = web.Application()
    application.router.add_get("/metrics", answer)
    async with TestServer(application, host="127.0.0.1") as server:
        listen = f"127.0.0.1:{server.port}"
        await note_served(session, listen, state)
        sent = 1250
        await note_served(session, listen, state)
    assert state.nights()[0].efficiency == 2.5
    await note_served(session, listen, state)
    assert state.nights()[0].efficiency == 2.5, "a daemon that is away tells nothing"
