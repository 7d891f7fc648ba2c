"""The multivariant playlist made for one viewer: every candidate a pathway with the full ladder, best first.

Players that know no content steering take the first variants, so those are on the best source. Of some we know that
they mix pathways, or read every playlist before they start; they are given the best one alone.
"""

from __future__ import annotations

from steering.decision.ranking import Pathway
from steering.players.answer import source_of
from steering.titles.catalogue import Title, Track, Variant

_WITHOUT_STEERING = ("Lavf/", "VLC/", "LibVLC/")


def follows_steering(user_agent: str) -> bool:
    """Whether a player may know content steering: ffmpeg and VLC do not; browsers' own HLS cannot be told apart."""
    return not user_agent.startswith(_WITHOUT_STEERING)


def multivariant_playlist(title: Title, pathways: tuple[Pathway, ...], steering_url: str) -> str:
    """The playlist, RFC 8216bis §4.4.6, with absolute URLs.

    Args:
        title: What is played.
        pathways: Where from, best first; not empty.
        steering_url: What the player polls; empty: it does not, so only the first pathway is declared.
    """
    entries = {asset.asset: asset for asset in title.assets}
    lines = ["#EXTM3U", "#EXT-X-VERSION:7"]
    if title.independent_segments:
        lines.append("#EXT-X-INDEPENDENT-SEGMENTS")
    declared = pathways if steering_url else pathways[:1]
    if steering_url:
        lines.append(f'#EXT-X-CONTENT-STEERING:SERVER-URI="{steering_url}",PATHWAY-ID="{pathways[0].pathway}"')
    track_ids, variant_ids = _stable_ids(title)
    tracks = [(track, _media(track, stable_id)) for track, stable_id in zip(title.tracks, track_ids, strict=True)]
    variants = [
        (variant, _stream(title, variant, stable_id))
        for variant, stable_id in zip(title.variants, variant_ids, strict=True)
    ]
    for index, pathway in enumerate(declared):
        name = pathway.pathway
        for track, attributes in tracks:
            url = source_of(track.asset, pathways, index).base + entries[track.asset].entry
            lines.append(f'{attributes},GROUP-ID="{_quoted(track.group)}@{name}",URI="{url}"')
    for index, pathway in enumerate(declared):
        name = pathway.pathway
        for variant, attributes in variants:
            groups = "".join(
                f',{key}="{_quoted(group)}@{name}"'
                for key, group in (("AUDIO", variant.audio), ("SUBTITLES", variant.subtitles))
                if group
            )
            lines.append(f'{attributes}{groups},PATHWAY-ID="{name}"')
            lines.append(source_of(variant.asset, pathways, index).base + entries[variant.asset].entry)
    return "\n".join(lines) + "\n"


def _media(track: Track, stable_id: str) -> str:
    attributes = [
        f"TYPE={track.type}",
        f'NAME="{_quoted(track.name)}"',
        f'STABLE-RENDITION-ID="{stable_id}"',
        *([f'LANGUAGE="{_quoted(track.language)}"'] if track.language else []),
        f"DEFAULT={'YES' if track.default else 'NO'}",
        f"AUTOSELECT={'YES' if track.autoselect else 'NO'}",
        *(["FORCED=YES"] if track.forced else []),
        *([f'CHANNELS="{_quoted(track.channels)}"'] if track.channels else []),
        *([f'CHARACTERISTICS="{_quoted(track.characteristics)}"'] if track.characteristics else []),
    ]
    return "#EXT-X-MEDIA:" + ",".join(attributes)


def _stream(title: Title, variant: Variant, stable_id: str) -> str:
    average, peak = _measured(title, variant)
    attributes = [
        # Packagers often declare what they aimed at; the RFC wants an upper bound of what is there.
        f"BANDWIDTH={max(variant.bandwidth, peak)}",
        f"AVERAGE-BANDWIDTH={variant.average_bandwidth or average}",
        *([f'CODECS="{_quoted(variant.codecs)}"'] if variant.codecs else []),
        *([f"RESOLUTION={variant.width}x{variant.height}"] if variant.height else []),
        *([f"FRAME-RATE={variant.frame_rate:.3f}"] if variant.frame_rate else []),
        *([f"VIDEO-RANGE={variant.video_range}"] if variant.video_range else []),
        f'STABLE-VARIANT-ID="{stable_id}"',
    ]
    return "#EXT-X-STREAM-INF:" + ",".join(attributes)


def _measured(title: Title, variant: Variant) -> tuple[int, int]:
    """Average and peak bits per second as measured: the rendition with the costliest track of its audio group."""
    assets = {asset.asset: asset for asset in title.assets}
    video = assets[variant.asset]
    audio = [assets[track.asset] for track in title.tracks if track.group == variant.audio and track.type == "AUDIO"]
    return (
        video.bitrate_bits_per_s + max((track.bitrate_bits_per_s for track in audio), default=0),
        video.peak_bits_per_s + max((track.peak_bits_per_s for track in audio), default=0),
    )


def _stable_ids(title: Title) -> tuple[list[str], list[str]]:
    """Ids equal on all pathways and unique within one: an asset's name, numbered where it comes twice."""
    return _numbered([track.asset for track in title.tracks]), _numbered([item.asset for item in title.variants])


def _numbered(assets: list[str]) -> list[str]:
    counts: dict[str, int] = {}
    ids = []
    for asset in assets:
        counts[asset] = counts.get(asset, 0) + 1
        label = asset.partition("/")[2]
        ids.append(label if counts[asset] == 1 else f"{label}.{counts[asset]}")
    return ids


def _quoted(text: str) -> str:
    """A quoted-string holds no quote and no line break (RFC 8216 §4.2)."""
    return text.replace('"', "'").replace("\n", " ").replace("\r", " ")
