from __future__ import annotations

from typing import Any

import m3u8
import pytest
from msgspec.structs import replace

from steering.decision.ranking import Pathway
from steering.players.manifests_hls import follows_steering, multivariant_playlist
from steering.titles.catalogue import Title, Track
from tests.unit.steering.made_up import make_summary, make_title, way

STEERING = "http://s.example/steer/hls?title=harbour&pathways=a,origin"
LOW, HIGH, AUDIO = "harbour/video-240p", "harbour/video-1080p", "harbour/audio-en"


WHOLE = (way("a", LOW, HIGH, AUDIO), way("origin"))


def playlist(title: Title, pathways: tuple[Pathway, ...] = WHOLE, steering: str = STEERING) -> Any:
    return m3u8.loads(multivariant_playlist(title, pathways, steering))


def test_playlist_declares_every_pathway_with_full_ladder_best_first() -> None:
    text = multivariant_playlist(make_title(), WHOLE, STEERING)
    assert f'#EXT-X-CONTENT-STEERING:SERVER-URI="{STEERING}",PATHWAY-ID="a"' in text
    assert "#EXT-X-INDEPENDENT-SEGMENTS" in text
    parsed = m3u8.loads(text)
    assert [entry.uri for entry in parsed.playlists] == [
        f"http://{name}.example/harbour/harbour-{label}.m3u8"
        for name in ("a", "origin")
        for label in ("video-240p", "video-1080p")
    ]
    assert [entry.stream_info.pathway_id for entry in parsed.playlists] == ["a", "a", "origin", "origin"]
    assert [entry.stream_info.stable_variant_id for entry in parsed.playlists] == ["video-240p", "video-1080p"] * 2


def test_playlist_gives_each_pathway_its_audio_group() -> None:
    parsed = playlist(make_title())
    assert [(media.group_id, media.uri) for media in parsed.media] == [
        (f"aud@{name}", f"http://{name}.example/harbour/harbour-audio-en.m3u8") for name in ("a", "origin")
    ]
    assert {media.name for media in parsed.media} == {"English"}
    assert [entry.stream_info.audio for entry in parsed.playlists] == ["aud@a", "aud@a", "aud@origin", "aud@origin"]


def test_playlist_states_bandwidth_that_bounds_what_is_there() -> None:
    low, high = playlist(make_title()).playlists[:2]
    assert (low.stream_info.bandwidth, low.stream_info.average_bandwidth) == (350_000, 296_000)
    assert (high.stream_info.bandwidth, high.stream_info.average_bandwidth) == (7_000_000, 5_200_000)


def test_playlist_points_at_next_holder_for_what_a_pathway_lacks() -> None:
    parsed = playlist(make_title(), (way("a", LOW), way("b", LOW, HIGH), way("origin")))
    assert [entry.uri.split("/")[2] for entry in parsed.playlists] == [
        "a.example",
        "b.example",
        "b.example",
        "b.example",
        "origin.example",
        "origin.example",
    ]
    assert [media.uri.split("/")[2] for media in parsed.media] == ["origin.example"] * 3


def test_playlist_without_steering_declares_best_pathway_alone() -> None:
    text = multivariant_playlist(make_title(), (way("a", LOW), way("b", LOW, HIGH, AUDIO)), "")
    assert "CONTENT-STEERING" not in text
    assert [entry.uri.split("/")[2] for entry in m3u8.loads(text).playlists] == ["a.example", "b.example"]


def test_playlist_tells_subtitles_and_all_attributes() -> None:
    title = make_title(independent_segments=False)
    subtitles = Track(
        "harbour/text-de", "SUBTITLES", "sub", 'Say "hi"\n', language="de", characteristics="public.x", forced=True
    )
    variants = [
        replace(entry, subtitles="sub", video_range="PQ", codecs="", width=0, height=0) for entry in title.variants
    ]
    title = replace(
        title,
        tracks=[*title.tracks, subtitles],
        variants=variants,
        assets=[*title.assets, make_summary("harbour/text-de", "text")],
    )
    text = multivariant_playlist(title, WHOLE, STEERING)
    assert "NAME=\"Say 'hi' \"" in text
    assert 'SUBTITLES="sub@a"' in text
    assert "VIDEO-RANGE=PQ" in text
    assert "FORCED=YES" in text
    assert 'CHARACTERISTICS="public.x"' in text
    assert "INDEPENDENT" not in text
    assert "CODECS" not in text


def test_playlist_numbers_asset_that_comes_twice() -> None:
    title = make_title()
    low = title.variants[0]
    title = replace(title, variants=[low, replace(low, audio="")], tracks=[])
    parsed = playlist(title)
    assert [entry.stream_info.stable_variant_id for entry in parsed.playlists[:2]] == ["video-240p", "video-240p.2"]


@pytest.mark.parametrize(
    ("agent", "follows"),
    [("Lavf/62.3.100", False), ("VLC/3.0.20 LibVLC/3.0.20", False), ("Mozilla/5.0 Chrome/142", True), ("", True)],
)
def test_players_known_not_to_steer_are_told_apart(agent: str, follows: bool) -> None:
    assert follows_steering(agent) is follows
