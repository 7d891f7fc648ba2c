"""Which assets of a title a device can play. Pure."""

from __future__ import annotations

from steering.api.messages import Device
from steering.titles.catalogue import Title, Variant

ANY = Device()
"""One that is not limited."""


def playable(title: Title, device: Device) -> frozenset[str] | None:
    """The assets that a device can use: renditions within its limits, tracks that go with them, what is no media.

    Returns:
        None where no rendition is within its limits.
    """
    within = [variant for variant in title.variants if _why_not(variant, device) == ""]
    if title.variants and not within:
        return None
    groups = {group for variant in within for group in (variant.audio, variant.subtitles)}
    left_out = {variant.asset for variant in title.variants}
    left_out |= {track.asset for track in title.tracks if track.group not in groups}
    taken = {variant.asset for variant in within}
    taken |= {track.asset for track in title.tracks if track.group in groups}
    return frozenset(asset.asset for asset in title.assets if asset.asset in taken or asset.asset not in left_out)


def why_none(title: Title, device: Device) -> str:
    """For each rendition why the device cannot play it."""
    return "; ".join(f"{variant.asset}: {_why_not(variant, device)}" for variant in title.variants)


def _why_not(variant: Variant, device: Device) -> str:
    codecs = [codec.strip() for codec in variant.codecs.split(",") if codec.strip()]
    for codec in codecs if device.codecs else ():
        if codec not in device.codecs and codec.partition(".")[0] not in device.codecs:
            return f"codec {codec}"
    if device.height_max and variant.height > device.height_max:
        return f"{variant.height} lines"
    if device.width_max and variant.width > device.width_max:
        return f"{variant.width} pixels wide"
    if device.frame_rate_max and variant.frame_rate > device.frame_rate_max:
        return f"{variant.frame_rate:g} frames per second"
    if device.video_ranges and (variant.video_range or "SDR") not in device.video_ranges:
        return f"dynamic range {variant.video_range or 'SDR'}"
    return ""
