"""What a player reads from HLS playlists: pathways in order, each with its ladder, and a rendition's segments. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from urllib.parse import urljoin

import m3u8


@dataclass(frozen=True, slots=True)
class Rung:
    """One variant on one pathway: its declared rate and its playlists' URLs; ``audio`` is empty where it has none."""

    bits_per_s: int
    video: str
    audio: str


@dataclass(frozen=True, slots=True)
class Pathway:
    """One pathway with its ladder, lowest rung first."""

    pathway: str
    ladder: tuple[Rung, ...]


@dataclass(frozen=True, slots=True)
class Rendition:
    """The segments of one media playlist, absolute URLs; ``head`` is the initialisation segment's, or empty."""

    head: str
    segments: tuple[str, ...]
    segments_s: tuple[float, ...]


def read_pathways(text: str, url: str) -> tuple[Pathway, ...]:
    """The pathways that a multivariant playlist declares, in its order; none if it is no such playlist."""
    playlist = m3u8.loads(text)
    sounds = {media.group_id: media.uri for media in playlist.media if media.type == "AUDIO" and media.uri}
    ladders: dict[str, list[Rung]] = {}
    for variant in playlist.playlists:
        stream = variant.stream_info
        sound = sounds.get(stream.audio, "")
        rung = Rung(stream.bandwidth, urljoin(url, variant.uri), urljoin(url, sound) if sound else "")
        ladders.setdefault(stream.pathway_id or ".", []).append(rung)
    return tuple(
        Pathway(name, tuple(sorted(ladder, key=lambda rung: rung.bits_per_s))) for name, ladder in ladders.items()
    )


def read_rendition(text: str, url: str) -> Rendition:
    """The segments that a media playlist names."""
    playlist = m3u8.loads(text)
    heads = [urljoin(url, part.uri) for part in playlist.segment_map if part is not None and part.uri]
    return Rendition(
        head=heads[0] if heads else "",
        segments=tuple(urljoin(url, segment.uri) for segment in playlist.segments),
        segments_s=tuple(segment.duration or 0.0 for segment in playlist.segments),
    )
