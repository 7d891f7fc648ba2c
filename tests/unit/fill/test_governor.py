from __future__ import annotations

from collections.abc import AsyncIterator

import aiohttp
import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer

from fill.governor import Governor
from fill.pace import Pacer
from fill.tables import BusyTable


class Daemon:
    """The daemon's admin API, as far as a fill asks it."""

    def __init__(self) -> None:
        self.cpu_ratio = 0.1
        self.status = 200
        application = web.Application()
        application.router.add_get("/v1/status", self._status)
        self.server = TestServer(application, host="127.0.0.1")

    @property
    def listen(self) -> str:
        return f"0.0.0.0:{self.server.port}"

    async def _status(self, _request: web.Request) -> web.Response:
        load = {"connections": 3, "sent_bytes_per_s": 1e9, "link_bytes_per_s": 0, "cpu_ratio": self.cpu_ratio}
        return web.json_response({"appliance": "fra1-a", "load": load}, status=self.status)


@pytest.fixture
async def daemon() -> AsyncIterator[Daemon]:
    running = Daemon()
    await running.server.start_server()
    yield running
    await running.server.close()


async def test_governor_slows_stops_and_resumes_by_what_the_box_says(
    daemon: Daemon, session: aiohttp.ClientSession
) -> None:
    pacer = Pacer()
    governor = Governor(session, daemon.listen, pacer, BusyTable(cpu_ratio_slow=0.5, cpu_ratio_stop=0.9), lambda: 1000)
    await governor.look()
    assert (pacer.rate_bytes_per_s_max, governor.held_back) == (1000, "")
    daemon.cpu_ratio = 0.7
    await governor.look()
    assert pacer.rate_bytes_per_s_max == 500
    assert governor.held_back == "at most 4.0 kb/s: the box serves 8.0 Gb/s, CPU 70% busy"
    daemon.cpu_ratio = 0.95
    await governor.look()
    assert pacer.stopped
    assert governor.held_back == "stopped: the box serves 8.0 Gb/s, CPU 95% busy"
    daemon.cpu_ratio = 0.1
    await governor.look()
    assert (pacer.stopped, governor.held_back) == (False, "")


async def test_governor_fills_at_full_rate_while_no_daemon_answers_as_it_should(
    daemon: Daemon, session: aiohttp.ClientSession
) -> None:
    pacer = Pacer()
    governor = Governor(session, daemon.listen, pacer, BusyTable(), lambda: 1000)
    daemon.cpu_ratio, daemon.status = 1.0, 500
    await governor.look()
    assert pacer.rate_bytes_per_s_max == 1000
    daemon.cpu_ratio, daemon.status = 7.0, 200
    await governor.look()
    assert pacer.rate_bytes_per_s_max == 1000
    await daemon.server.close()
    await governor.look()
    assert pacer.rate_bytes_per_s_max == 1000
