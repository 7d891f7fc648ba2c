from __future__ import annotations

import pytest

from steering.api.messages import Device
from steering.players.device import ANY, playable, why_none
from steering.titles.catalogue import Track, Variant
from tests.unit.steering.made_up import make_summary, make_title

LOW, HIGH, AUDIO, MANIFESTS = (f"harbour/{part}" for part in ("video-240p", "video-1080p", "audio-en", "manifests"))
TITLE = make_title()


@pytest.mark.parametrize(
    "device",
    [
        ANY,
        Device(codecs=("avc1", "mp4a")),
        Device(codecs=("avc1.42c015", "avc1.640028", "mp4a.40.2")),
        Device(height_max=1080, width_max=1920, frame_rate_max=24.0, video_ranges=("SDR",)),
        Device(protocols=("dash",)),
    ],
)
def test_device_plays_all_that_is_within_its_limits(device: Device) -> None:
    assert playable(TITLE, device) == frozenset({LOW, HIGH, AUDIO, MANIFESTS})


@pytest.mark.parametrize(
    "device", [Device(height_max=720), Device(width_max=1280), Device(codecs=("avc1.42c015", "mp4a"))]
)
def test_device_gets_no_rendition_beyond_its_limits(device: Device) -> None:
    assert playable(TITLE, device) == frozenset({LOW, AUDIO, MANIFESTS})


@pytest.mark.parametrize(
    ("device", "why"),
    [
        (Device(codecs=("hvc1", "mp4a")), "codec avc1.42c015"),
        (Device(codecs=("avc1",)), "codec mp4a.40.2"),
        (Device(height_max=144), "240 lines"),
        (Device(width_max=100), "426 pixels wide"),
        (Device(frame_rate_max=12.5), "24 frames per second"),
        (Device(video_ranges=("PQ", "HLG")), "dynamic range SDR"),
    ],
)
def test_device_that_plays_nothing_is_told_why(device: Device, why: str) -> None:
    title = make_title(variants=TITLE.variants[:1])
    assert playable(title, device) is None
    assert why_none(title, device) == f"{LOW}: {why}"


def test_tracks_go_with_the_renditions_that_use_them() -> None:
    surround = make_summary("harbour/audio-ec3", "audio")
    title = make_title(
        assets=[*TITLE.assets, surround],
        variants=[*TITLE.variants, Variant(LOW, 400_000, 0, "avc1.42c015,ec-3", 426, 240, 24.0, audio="surround")],
        tracks=[*TITLE.tracks, Track(surround.asset, "AUDIO", "surround", "English")],
    )
    assert playable(title, Device(codecs=("avc1", "mp4a"))) == frozenset({LOW, HIGH, AUDIO, MANIFESTS})
    assert playable(title, Device(codecs=("avc1", "ec-3"))) == frozenset({LOW, surround.asset, MANIFESTS})


def test_title_without_renditions_is_left_whole() -> None:
    title = make_title(variants=[], tracks=[])
    assert playable(title, Device(height_max=1)) == frozenset(asset.asset for asset in title.assets)
