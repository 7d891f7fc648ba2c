"""Media types by suffix."""

from __future__ import annotations

import pytest

from oca.common.media_types import media_type_of


@pytest.mark.parametrize(
    ("name", "media_type"),
    [
        ("/harbour/master.m3u8", "application/vnd.apple.mpegurl"),
        ("manifest.MPD", "application/dash+xml"),
        ("seg-1.m4s", "video/iso.segment"),
        ("init.mp4", "video/mp4"),
        ("subtitles.en.vtt", "text/vtt"),
        ("audio.ec3", "audio/eac3"),
        ("thumbs/1.JPG", "image/jpeg"),
        ("a.dir/file", "application/octet-stream"),
        ("noidea.xyz", "application/octet-stream"),
        ("", "application/octet-stream"),
    ],
)
def test_media_type_follows_suffix(name: str, media_type: str) -> None:
    assert media_type_of(name) == media_type
