from __future__ import annotations

import aiohttp
import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer

from demo.player import HeadlessPlayer, PlaybackError, declared_ways, segment_urls

MASTER = """#EXTM3U
#EXT-X-MEDIA:TYPE=AUDIO,GROUP-ID="s@a",NAME="s",URI="http://a.test/s.m3u8"
#EXT-X-MEDIA:TYPE=AUDIO,GROUP-ID="s@b",NAME="s",URI="http://b.test/s.m3u8"
#EXT-X-STREAM-INF:BANDWIDTH=1000,AUDIO="s@a",PATHWAY-ID="a"
http://a.test/low.m3u8
#EXT-X-STREAM-INF:BANDWIDTH=5000,AUDIO="s@a",PATHWAY-ID="a"
http://a.test/high.m3u8
#EXT-X-STREAM-INF:BANDWIDTH=5000,AUDIO="s@b",PATHWAY-ID="b"
high.m3u8
"""
PLAYLIST = """#EXTM3U
#EXT-X-TARGETDURATION:4
#EXT-X-MAP:URI="init.m4s"
#EXTINF:4,
1.m4s
#EXTINF:4,
2.m4s
#EXT-X-ENDLIST
"""


def test_ways_keep_order_and_best_rendition() -> None:
    first, second = declared_ways(MASTER, "http://steer.test/x/master.m3u8")
    assert first.pathway == "a"
    assert first.playlists == {"video": "http://a.test/high.m3u8", "audio": "http://a.test/s.m3u8"}
    assert second.pathway == "b"
    assert second.playlists["video"] == "http://steer.test/x/high.m3u8"


def test_segments_begin_with_initialisation() -> None:
    assert segment_urls(PLAYLIST, "http://a.test/f/v.m3u8") == [
        "http://a.test/f/init.m4s",
        "http://a.test/f/1.m4s",
        "http://a.test/f/2.m4s",
    ]


def _source(*, dies_at: str = "") -> web.Application:
    async def serve(request: web.Request) -> web.Response:
        path = request.match_info["path"]
        if path == dies_at:
            assert request.transport is not None
            request.transport.abort()
        return web.Response(text=PLAYLIST if path.endswith(".m3u8") else f"{path} body")

    app = web.Application()
    app.router.add_get("/{path:.*}", serve)
    return app


async def _play(first: web.Application, second: web.Application) -> list[tuple[str, str, tuple[str, ...]]]:
    async with TestServer(first) as one, TestServer(second) as two, aiohttp.ClientSession() as session:
        master = "#EXTM3U\n" + "".join(
            f'#EXT-X-STREAM-INF:BANDWIDTH=1,PATHWAY-ID="{name}"\n{server.make_url("/v.m3u8")}\n'
            for name, server in (("one", one), ("two", two))
        )

        async def multivariant(_: web.Request) -> web.Response:
            return web.Response(text=master)

        steering = web.Application()
        steering.router.add_get("/master.m3u8", multivariant)
        async with TestServer(steering) as steer:
            player = HeadlessPlayer(session, str(steer.make_url("/master.m3u8")))
            assert await player.open() == ["one", "two"]
            return [(part.pathway, part.path, part.moved_from) async for part in player.play()]


async def test_player_stays_on_best_pathway() -> None:
    assert await _play(_source(), _source()) == [
        ("one", "/init.m4s", ()),
        ("one", "/1.m4s", ()),
        ("one", "/2.m4s", ()),
    ]


async def test_player_moves_where_source_dies() -> None:
    assert await _play(_source(dies_at="1.m4s"), _source()) == [
        ("one", "/init.m4s", ()),
        ("two", "/1.m4s", ("one",)),
        ("two", "/2.m4s", ()),
    ]


async def test_player_gives_up_where_all_sources_die() -> None:
    with pytest.raises(PlaybackError, match="one, two failed"):
        await _play(_source(dies_at="1.m4s"), _source(dies_at="1.m4s"))


async def test_player_refuses_empty_playlist() -> None:
    async def empty(_: web.Request) -> web.Response:
        return web.Response(text="#EXTM3U\n")

    app = web.Application()
    app.router.add_get("/master.m3u8", empty)
    async with TestServer(app) as server, aiohttp.ClientSession() as session:
        with pytest.raises(PlaybackError, match="declares no variant"):
            await HeadlessPlayer(session, str(server.make_url("/master.m3u8"))).open()
