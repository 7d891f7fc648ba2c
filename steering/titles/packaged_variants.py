"""What a multivariant playlist says of its renditions, as the catalogue keeps it. Their files are packaged's."""

from __future__ import annotations

from typing import Any

from steering.titles.catalogue import Track, Variant
from steering.titles.unservable import UnservableError

INTEGER_MAX = 2**53
FRAME_RATE_MAX = 1000


def read_variant(master: str, entry: Any, label: str) -> Variant:
    """An ``EXT-X-STREAM-INF``.

    Raises:
        UnservableError: A figure of it is no figure.
    """
    info = entry.stream_info
    width, height = info.resolution or (0, 0)
    bandwidth, average, rate = info.bandwidth or 0, info.average_bandwidth or 0, float(info.frame_rate or 0)
    for name, value, limit in (
        ("BANDWIDTH", bandwidth, INTEGER_MAX),
        ("AVERAGE-BANDWIDTH", average, INTEGER_MAX),
        ("RESOLUTION", width, INTEGER_MAX),
        ("RESOLUTION", height, INTEGER_MAX),
        ("FRAME-RATE", rate, FRAME_RATE_MAX),
    ):
        if not 0 <= value <= limit:
            raise UnservableError(f"{master}: {name} {value}, limit 0 to {limit}", remedy="package it again")
    return Variant(
        asset=label,
        bandwidth=bandwidth,
        average_bandwidth=average,
        codecs=info.codecs or "",
        width=width,
        height=height,
        frame_rate=rate,
        audio=info.audio or "",
        subtitles=info.subtitles or "",
        video_range=info.video_range or "",
    )


def read_track(media: Any, label: str) -> Track:
    """An ``EXT-X-MEDIA`` with a playlist of its own."""
    return Track(
        asset=label,
        type=media.type,
        group=media.group_id or "",
        name=media.name or label,
        language=media.language or "",
        channels=media.channels or "",
        characteristics=media.characteristics or "",
        default=media.default == "YES",
        autoselect=media.autoselect == "YES" or media.default == "YES",
        forced=media.forced == "YES",
    )


def refuse_silence(master: str, variants: list[Variant], tracks: list[Track]) -> None:
    """See that every variant has sound.

    Raises:
        UnservableError: One has none.
    """
    groups = {track.group for track in tracks if track.type == "AUDIO"}
    for variant in variants:
        if variant.audio and variant.audio not in groups:
            raise UnservableError(
                f"{master}: {variant.asset} wants the audio group {variant.audio!r}, which has no playlist",
                remedy="package the audio track too",
            )
        if not variant.audio and not any(codec in variant.codecs for codec in ("mp4a", "ac-3", "ec-3", "opus", "fLaC")):
            raise UnservableError(f"{master}: {variant.asset} has no audio", remedy="package it with an audio track")


def video_label(entry: Any) -> str:
    """What a video rendition is called: by its height, or else its bandwidth."""
    resolution = entry.stream_info.resolution
    return f"video-{resolution[1]}p" if resolution else f"video-{(entry.stream_info.bandwidth or 0) // 1000}k"
