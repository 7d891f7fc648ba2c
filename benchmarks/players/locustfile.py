"""What locust runs: a user is a seat before a screen, in which one viewer follows another. ``__main__`` starts this.

locust replaces sockets, threads and time by gevent's on import, so nothing that uses asyncio may share its process.
"""

from __future__ import annotations

import random
import uuid
from collections.abc import Callable
from itertools import count
from pathlib import Path
from typing import Any, NoReturn
from urllib.parse import urlsplit

import gevent  # type: ignore[import-untyped]
import msgspec
import psutil
from locust import FastHttpUser, events, task
from locust.contrib.fasthttp import FAILURE_EXCEPTIONS

from benchmarks.players.experience import Outcome, Sample, Served, Viewing
from benchmarks.players.viewer import draw_title, draw_viewer
from benchmarks.players.watching import Lost, Watching
from oca.common.clock import monotonic_s

READ_BYTES = 64 * 1024
LOOK_S = 1.0
TICK_S = 0.02
SEAT_EMPTY_S = 1.0
"""Between two viewers; also what keeps a fleet that refuses everybody from being asked without pause."""


class _Title(msgspec.Struct):
    title: str
    duration_s: float


class _Titles(msgspec.Struct):
    titles: list[_Title]


class _Way(msgspec.Struct):
    pathway: str
    url: str


class _Answer(msgspec.Struct):
    pathways: list[_Way]


class _Run:
    """What one run records; a run started anew from the page begins with a fresh one."""

    def __init__(self, steering: str = "") -> None:
        self.began_at = monotonic_s()
        self.numbers = count()
        self.viewings: list[Viewing] = []
        self.served: dict[str, Served] = {}
        self.samples: list[Sample] = []
        self.names = {urlsplit(steering).netloc: "steering"}

    def source(self, url: str) -> str:
        """Who answers at ``url``: the pathway as steering named it, else the host."""
        host = urlsplit(url).netloc
        return self.names.get(host, host)

    def served_by(self, url: str) -> Served:
        return self.served.setdefault(self.source(url), Served())

    def look(self) -> None:
        """Look at this process once a second: its CPU, the machine's, and how late timers come."""
        process = psutil.Process()
        process.cpu_percent()
        psutil.cpu_percent()
        while True:
            lag_s, until = 0.0, monotonic_s() + LOOK_S
            while (due_at := monotonic_s() + TICK_S) < until:
                gevent.sleep(TICK_S)
                lag_s = max(lag_s, monotonic_s() - due_at)
            self.samples.append(Sample(process.cpu_percent() / 100, psutil.cpu_percent() / 100, lag_s))


_run = _Run()
_looker: Any = None


class Seat(FastHttpUser):
    """Watches film after film. Connections end with each viewer."""

    connection_timeout = 4.0
    network_timeout = 10.0
    concurrency = 2
    default_headers = {"User-Agent": "open-appliance-players/1", "Accept-Encoding": "identity"}  # noqa: RUF012
    titles: list[_Title] = []  # noqa: RUF012 - asked once, by the first seat

    # ---- the network as a viewing needs it ----

    def now(self) -> float:
        return monotonic_s()

    def pause(self, seconds: float) -> None:
        gevent.sleep(seconds)

    def ask(self, title: str) -> bytes:
        asked, name = {"title": title}, "playback · steering"
        with self.client.post("/v1/playback", json=asked, name=name, catch_response=True) as response:
            body = self._whole(response)
        for way in msgspec.json.decode(body, type=_Answer).pathways:
            _run.names.setdefault(urlsplit(way.url).netloc, way.pathway)
        return body

    def text(self, url: str, kind: str) -> str:
        with self.client.get(url, name=f"{kind} · {_run.source(url)}", catch_response=True) as response:
            return self._whole(response).decode(errors="replace")

    def media(
        self, url: str, kind: str, *, line_bits_per_s: float, is_wanted: Callable[[], bool]
    ) -> tuple[int, float] | None:
        """Read no faster than the viewer's line, and no further than the viewer wants."""
        began_at = monotonic_s()
        name = f"{_KINDS[kind]} · {_run.source(url)}"
        with self.client.get(url, name=name, stream=True, catch_response=True) as response:
            if response.status_code != 200:
                self._lose(response, url)
            size = 0
            try:
                for chunk in response.iter_content(READ_BYTES, decode_content=False):
                    size += len(chunk)
                    gevent.sleep(max(0.0, began_at + size * 8 / line_bits_per_s - monotonic_s()))
                    if not is_wanted():
                        break
            except FAILURE_EXCEPTIONS as error:
                self._lose(response, url, error)
            took_s = monotonic_s() - began_at
            response.request_meta.update(response_time=took_s * 1000, response_length=size)
            served = _run.served_by(url)
            served.bytes += size
            if not is_wanted():
                response.release()  # closes the connection, as a player that gives a segment up does
                return None
            if size != int(response.headers.get("content-length", size)):
                self._lose(response, url, "cut short")
            served.segments += kind == "v"
            if kind == "v":
                served.times_s.append(took_s)
            return size, took_s

    def _whole(self, response: Any) -> bytes:
        if response.status_code != 200 or response.content is None:
            self._lose(response, response.request_meta["url"])
        body: bytes = response.content
        return body

    def _lose(self, response: Any, url: str, why: object = "") -> NoReturn:
        said = why or getattr(response, "error", None) or f"status {response.status_code}"
        response.failure(str(said))
        _run.served_by(url).failures += 1
        raise Lost(f"{url}: {said}")

    # ---- viewers ----

    @task
    def seat_viewer(self) -> None:
        run, options = _run, self.environment.parsed_options
        if not self._learn_titles():
            gevent.sleep(SEAT_EMPTY_S)
            return
        chance = random.Random(f"{options.seed}/{next(run.numbers)}")
        title = self.titles[draw_title(chance, len(self.titles))]
        session = str(uuid.UUID(int=chance.getrandbits(128), version=4))
        viewer = draw_viewer(chance, title.duration_s)
        watching = Watching(self, title.title, session=session, viewer=viewer, chance=chance)
        try:
            watching.watch()
        finally:  # the end of the run kills the seat wherever it is
            viewing = watching.viewing()
            run.viewings.append(viewing)
            self._tell(viewing)
            self.client.client.close()
        gevent.sleep(SEAT_EMPTY_S)

    def _learn_titles(self) -> bool:
        if not self.titles:
            try:
                body = self.text(f"{self.host}/v1/titles", "titles")
            except Lost:
                return False
            type(self).titles = msgspec.json.decode(body, type=_Titles).titles
        return bool(self.titles)

    def _tell(self, viewing: Viewing) -> None:
        """Onto locust's page: what the viewer felt, beside the requests."""
        waits = [("start-up", viewing.startup_s), *(("stall", stall_s) for stall_s in viewing.stalls_s)]
        waits += [("seek", wait_s) for wait_s in viewing.seek_waits_s]
        for name, seconds in waits:
            if seconds is not None:
                self.environment.events.request.fire(
                    request_type="viewer", name=name, response_time=seconds * 1000, response_length=0, exception=None
                )


_KINDS = {"v": "picture", "a": "sound", "i": "initialisation"}


@events.init_command_line_parser.add_listener  # type: ignore[untyped-decorator]
def _add_options(parser: Any) -> None:
    parser.add_argument("--seed", default="1", help="what viewers are drawn from")
    parser.add_argument("--outcome", default="", include_in_web_ui=False, help="file that a run's records go to")


@events.test_start.add_listener  # type: ignore[untyped-decorator]
def _begin(environment: Any, **_: Any) -> None:
    global _run, _looker  # noqa: PLW0603 - locust has one run at a time, and no place to keep it
    _run = _Run(environment.host or "")
    Seat.titles = []
    _looker = gevent.spawn(_run.look)


@events.test_stop.add_listener  # type: ignore[untyped-decorator]
def _end(environment: Any, **_: Any) -> None:
    _looker.kill()
    outcome = Outcome(_run.viewings, _run.served, _run.samples, monotonic_s() - _run.began_at)
    if environment.parsed_options.outcome:
        Path(environment.parsed_options.outcome).write_bytes(msgspec.json.encode(outcome))
