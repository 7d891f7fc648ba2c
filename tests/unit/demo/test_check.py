from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer

from demo.check import Finding, check, play_by_ffmpeg
from demo.places import Instance, Places
from demo.system import System

SEGMENTS = 6
STREAMS = {"high": "picture", "low": "small picture", "sound": "sound"}
Play = Callable[["Stage"], Awaitable[tuple[bool, dict[str, str]]]]


def _playlist(stream: str, *, lost: str = "") -> str:
    names = [name for n in range(1, SEGMENTS + 1) if (name := f"{stream}-{n}.m4s") != lost]
    return f'#EXTM3U\n#EXT-X-MAP:URI="{stream}-init.m4s"\n' + "".join(f"#EXTINF:4,\n{name}\n" for name in names)


def _master(bases: dict[str, str], *, has_sound: bool = True) -> str:
    """A multivariant playlist with all pathways in it, as steering writes it, or one without, as a packager does."""
    lines = ["#EXTM3U"]
    for pathway, base in bases.items():
        sound = f',AUDIO="sound@{pathway}"' if has_sound else ""
        if has_sound:
            lines.append(f'#EXT-X-MEDIA:TYPE=AUDIO,GROUP-ID="sound@{pathway}",NAME="s",URI="{base}sound.m3u8"')
        for stream, rate in (("low", 1000), ("high", 5000)):
            lines.append(f'#EXT-X-STREAM-INF:BANDWIDTH={rate},PATHWAY-ID="{pathway}"{sound}')
            lines.append(f"{base}{stream}.m3u8")
    return "\n".join(lines) + "\n"


@dataclass
class Stage:
    """What the played system does, and does wrong."""

    has_sound: bool = True
    lost: str = ""
    spoilt: str = ""
    is_immortal: bool = False
    never_serves: set[str] = field(default_factory=set)
    ways: tuple[str, ...] = ("near", "far", "origin")
    ffmpeg: tuple[int, str] = (0, "")
    origin_asked: str = ""
    killed: list[str] = field(default_factory=list)


class PlayedProcess:
    exit_code = None

    def __init__(self, name: str, stage: Stage) -> None:
        self._name, self._stage = name, stage

    def kill(self) -> None:
        if not self._stage.is_immortal:
            self._stage.killed.append(self._name)


class PlayedSystem(System):
    """Two appliances, an origin and steering, each a server in this process."""

    def __init__(self, folder: Path, stage: Stage) -> None:
        super().__init__(Places("127.0.0", folder), folder / "library", [], {}, workers=1)
        self.stage = stage
        self.bases: dict[str, str] = {}
        self.started: list[str] = []
        for appliance in (way for way in stage.ways if way != "origin"):
            self.start_again(appliance)

    def application(self, pathway: str) -> web.Application:
        async def serve(request: web.Request) -> web.Response:
            name = request.match_info["name"]
            if pathway in self.stage.killed or pathway in self.stage.never_serves:
                assert request.transport is not None
                request.transport.abort()
            if name.endswith(".m3u8"):
                return web.Response(text=_playlist(name.removesuffix(".m3u8"), lost=self.stage.lost))
            body = (self._library / "film" / name).read_bytes()
            return web.Response(body=body[:-1] if name == self.stage.spoilt else body)

        async def multivariant(_: web.Request) -> web.Response:
            return web.Response(text=_master(self.bases, has_sound=self.stage.has_sound))

        app = web.Application()
        app.router.add_get("/film/{name}", serve)
        app.router.add_get("/master.m3u8", multivariant)
        return app

    async def playback(self, title: str, client: str = "", *, at: Instance | None = None) -> Any:
        alive = [way for way in self.stage.ways if way == "origin" or way in self.processes]
        gone = [way for way in self.stage.ways if way not in alive]
        return {
            "hls_url": next(iter(self.bases.values())).removesuffix("film/") + "master.m3u8",
            "dash_url": "not asked for",
            "pathways": [{"pathway": way} for way in alive],
            "rejected": [{"pathway": way, "why": "no report"} for way in gone],
        }

    async def sent_by_origin(self) -> dict[str, int]:
        begun = {"/film/high-1.m4s": 3, "/film/high.m3u8": 3}
        if self.stage.killed and self.stage.origin_asked:
            begun[self.stage.origin_asked] = begun.get(self.stage.origin_asked, 0) + 1
        return begun

    def start_again(self, appliance: str) -> None:
        self.processes[appliance] = PlayedProcess(appliance, self.stage)  # type: ignore[assignment]
        self.started.append(appliance)


@pytest.fixture
async def play(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Play]:
    folder = tmp_path / "library" / "film"
    folder.mkdir(parents=True)
    for stream, body in STREAMS.items():
        (folder / f"{stream}.m3u8").write_text(_playlist(stream))
        for part in ("init", *range(1, SEGMENTS + 1)):
            (folder / f"{stream}-{part}.m4s").write_text(f"{body} {part}")
    (folder / "master.m3u8").write_text(_master({"": ""}))
    async with AsyncExitStack() as stack:

        async def run(stage: Stage) -> tuple[bool, dict[str, str]]:
            system = PlayedSystem(tmp_path, stage)
            for way in stage.ways:
                server = await stack.enter_async_context(TestServer(system.application(way)))
                system.bases[way] = str(server.make_url("/film/"))
            system._session = await stack.enter_async_context(aiohttp.ClientSession())

            async def ffmpeg(_: str) -> tuple[int, str]:
                return stage.ffmpeg

            monkeypatch.setattr("demo.check.play_by_ffmpeg", ffmpeg)
            told: list[Finding] = []
            is_good = await check(system, "film", tmp_path / "library", told.append)
            assert system.started == ["near", "far", "near"]
            return is_good, {finding.what: finding.seen for finding in told if finding.is_good is not True}

        yield run


async def test_check_passes_system_that_works(play: Play) -> None:
    stage = Stage()
    assert await play(stage) == (True, {})
    assert stage.killed == ["near"]


WHOLE, CUT = "the whole film", "the film with near killed in the middle"
COMPLETE = "is complete, byte for byte the origin's"
MOVED = "playback went on from far"


@pytest.mark.parametrize(
    ("stage", "found"),
    [
        (
            Stage(has_sound=False),
            {
                f"{WHOLE} {COMPLETE}": "7 of 14 never came, the first of them /film/sound-init.m4s",
                f"{CUT} {COMPLETE}": "7 of 14 never came, the first of them /film/sound-init.m4s",
            },
        ),
        (
            Stage(lost="sound-5.m4s"),
            {
                f"{WHOLE} {COMPLETE}": "1 of 14 never came, the first of them /film/sound-5.m4s",
                f"{CUT} {COMPLETE}": "1 of 14 never came, the first of them /film/sound-5.m4s",
            },
        ),
        (
            Stage(spoilt="sound-2.m4s"),
            {
                f"{WHOLE} {COMPLETE}": "/film/sound-2.m4s has other bytes",
                f"{CUT} {COMPLETE}": "/film/sound-2.m4s has other bytes",
            },
        ),
        (Stage(is_immortal=True), {MOVED: "it never moved"}),
        (
            Stage(never_serves={"far"}),
            {
                f"{CUT} came from far or near alone": "7 segments from near, 7 segments from origin",
                MOVED: "it moved to origin",
            },
        ),
        (
            Stage(never_serves={"near"}),
            {f"{WHOLE} came from near alone": "14 segments from far", MOVED: "it never moved"},
        ),
        (
            Stage(ways=("near", "far")),
            {
                "steering offers appliances first, the origin last": "near, far",
                f"{CUT} came from near alone": "7 segments from near, 7 segments from far",
            },
        ),
        (
            Stage(ffmpeg=(0, "corrupt packet")),
            {f"ffmpeg plays {kind} without a warning": "corrupt packet" for kind in ("HLS", "DASH")},
        ),
        (
            Stage(ffmpeg=(1, "")),
            {f"ffmpeg plays {kind} without a warning": "exit code 1" for kind in ("HLS", "DASH")},
        ),
        (
            Stage(origin_asked="/film/high-1.m4s"),
            {"the origin was asked for no segment while films played": "1 while they played, 3 to fill appliances"},
        ),
    ],
    ids=lambda value: "" if isinstance(value, dict) else None,
)
async def test_check_fails_system_that_does_not(play: Play, stage: Stage, found: dict[str, str]) -> None:
    assert await play(stage) == (False, found)


async def test_check_lets_origin_serve_playlists(play: Play) -> None:
    assert await play(Stage(origin_asked="/film/high.m3u8")) == (True, {})


@pytest.mark.parametrize(
    ("script", "answer"),
    [
        ("exit 0", (0, "")),
        ("echo 'corrupt packet' >&2; exit 0", (0, "corrupt packet")),
        ("echo 'no such film' >&2; exit 8", (8, "no such film")),
    ],
)
async def test_ffmpeg_answers_exit_code_and_warnings(
    script: str, answer: tuple[int, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    program = tmp_path / "ffmpeg"
    program.write_text(f"#!/bin/sh\n{script}\n")
    program.chmod(0o755)
    monkeypatch.setattr("imageio_ffmpeg.get_ffmpeg_exe", lambda: str(program))
    assert await play_by_ffmpeg("http://127.0.0.1/film") == answer
