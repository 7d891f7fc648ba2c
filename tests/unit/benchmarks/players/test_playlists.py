from __future__ import annotations

from benchmarks.players.playlists import Rendition, Rung, read_pathways, read_rendition

MASTER = """#EXTM3U
#EXT-X-CONTENT-STEERING:SERVER-URI="http://steer.test/steer/hls",PATHWAY-ID="b"
#EXT-X-MEDIA:TYPE=AUDIO,GROUP-ID="s@b",NAME="s",URI="http://b.test/s.m3u8"
#EXT-X-STREAM-INF:BANDWIDTH=5000,AUDIO="s@b",PATHWAY-ID="b"
http://b.test/high.m3u8
#EXT-X-STREAM-INF:BANDWIDTH=1000,AUDIO="s@b",PATHWAY-ID="b"
http://b.test/low.m3u8
#EXT-X-STREAM-INF:BANDWIDTH=1000,PATHWAY-ID="a"
low.m3u8
"""
MEDIA = """#EXTM3U
#EXT-X-TARGETDURATION:4
#EXT-X-MAP:URI="init.m4s"
#EXTINF:4.0,
1.m4s
#EXTINF:2.5,
2.m4s
#EXT-X-ENDLIST
"""


def test_pathways_keep_declared_order() -> None:
    first, second = read_pathways(MASTER, "http://steer.test/f/master.m3u8")
    assert first.pathway == "b"
    assert first.ladder == (
        Rung(1000, "http://b.test/low.m3u8", "http://b.test/s.m3u8"),
        Rung(5000, "http://b.test/high.m3u8", "http://b.test/s.m3u8"),
    )
    assert second.pathway == "a"
    assert second.ladder == (Rung(1000, "http://steer.test/f/low.m3u8", ""),)


def test_pathways_have_one_without_steering() -> None:
    (only,) = read_pathways("#EXTM3U\n#EXT-X-STREAM-INF:BANDWIDTH=1\nv.m3u8\n", "http://a.test/m.m3u8")
    assert only.pathway == "."


def test_pathways_are_none_elsewhere() -> None:
    assert read_pathways("<html>not found</html>", "http://a.test/") == ()


def test_rendition_names_head_and_segments() -> None:
    assert read_rendition(MEDIA, "http://a.test/f/v.m3u8") == Rendition(
        "http://a.test/f/init.m4s", ("http://a.test/f/1.m4s", "http://a.test/f/2.m4s"), (4.0, 2.5)
    )


def test_rendition_needs_no_head() -> None:
    assert read_rendition("#EXTM3U\n#EXTINF:4,\n1.ts\n", "http://a.test/v.m3u8").head == ""
