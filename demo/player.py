"""A small headless HLS player: it follows pathways as a browser would, and says where each segment came from."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, field
from urllib.parse import urljoin, urlsplit

import aiohttp
import m3u8

from oca.common.clock import monotonic_s
from oca.common.digest import digest_hex
from oca.common.errors import OcaError
from oca.common.signed_url import TokenPlaces

TIMEOUT = aiohttp.ClientTimeout(total=20, sock_connect=2, sock_read=5)


class PlaybackError(OcaError):
    """The film cannot be played on from any pathway."""

    source = "upstream"


@dataclass(frozen=True, slots=True)
class Played:
    """One segment as it arrived.

    Attributes:
        kind: ``video`` or ``audio``.
        number: Its place in the film, from 0.
        pathway: Where it came from.
        path: Its URL without scheme, host and token.
        moved_from: Pathways that failed for this very segment.
    """

    kind: str
    number: int
    pathway: str
    path: str
    bytes: int
    digest: str
    seconds: float
    moved_from: tuple[str, ...] = ()


@dataclass(slots=True)
class _Way:
    """One pathway: the best rendition's playlist and its sound's."""

    pathway: str
    playlists: dict[str, str]
    segments: dict[str, list[str]] = field(default_factory=dict)


class HeadlessPlayer:
    """Plays the best rendition of one film from its multivariant playlist, pathway after pathway."""

    def __init__(self, session: aiohttp.ClientSession, master_url: str) -> None:
        self._session = session
        self._master_url = master_url
        self._ways: list[_Way] = []

    async def open(self) -> Sequence[str]:
        """Read the multivariant playlist.

        Returns:
            The pathways it declares, best first.

        Raises:
            PlaybackError: It declares none.
        """
        text = (await self._get(self._master_url)).decode()
        self._ways = declared_ways(text, self._master_url)
        if not self._ways:
            raise PlaybackError(
                f"{self._master_url} declares no variant", remedy="ask steering why: oca-steering explain"
            )
        return [way.pathway for way in self._ways]

    async def play(self) -> AsyncIterator[Played]:
        """Fetch the film's segments in order, sound beside picture, moving to the next pathway where one fails.

        Raises:
            PlaybackError: Every pathway has failed.
        """
        number = 0
        while True:
            for kind in ("video", "audio"):
                played = await self._segment(kind, number)
                if played is not None:
                    yield played
                elif kind == "video":
                    return
            number += 1

    async def _segment(self, kind: str, number: int) -> Played | None:
        left: list[str] = []
        began = monotonic_s()
        while self._ways:
            way = self._ways[0]
            try:
                segments = await self._segments_of(way, kind)
                if number >= len(segments):
                    return None
                body = await self._get(segments[number])
            except (aiohttp.ClientError, TimeoutError, OSError):
                left.append(way.pathway)
                self._ways.pop(0)
                continue
            path = TokenPlaces().take(urlsplit(segments[number]).path.encode(), b"").path.decode()
            seconds = monotonic_s() - began
            return Played(kind, number, way.pathway, path, len(body), digest_hex(body), seconds, tuple(left))
        raise PlaybackError(
            f"{kind} segment {number} cannot be had: {', '.join(left)} failed", remedy="see the logs under .demo/run"
        )

    async def _segments_of(self, way: _Way, kind: str) -> list[str]:
        if kind not in way.playlists:
            return []
        if kind not in way.segments:
            url = way.playlists[kind]
            way.segments[kind] = segment_urls((await self._get(url)).decode(), url)
        return way.segments[kind]

    async def _get(self, url: str) -> bytes:
        async with self._session.get(url, timeout=TIMEOUT) as response:
            response.raise_for_status()
            return await response.read()


def declared_ways(master: str, url: str) -> list[_Way]:
    """The pathways of a multivariant playlist in order, each with its best rendition."""
    playlist = m3u8.loads(master)
    best: dict[str, m3u8.Playlist] = {}
    for variant in playlist.playlists:
        pathway = variant.stream_info.pathway_id or "."
        kept = best.get(pathway)
        if kept is None or variant.stream_info.bandwidth > kept.stream_info.bandwidth:
            best[pathway] = variant
    sounds = {media.group_id: media.uri for media in playlist.media if media.type == "AUDIO" and media.uri}
    ways = []
    for pathway, variant in best.items():
        playlists = {"video": urljoin(url, variant.uri)}
        if variant.stream_info.audio in sounds:
            playlists["audio"] = urljoin(url, sounds[variant.stream_info.audio])
        ways.append(_Way(pathway, playlists))
    return ways


def segment_urls(playlist: str, url: str) -> list[str]:
    """The initialisation segment and the media segments of a media playlist, in play order."""
    parsed = m3u8.loads(playlist)
    heads = [part.uri for part in parsed.segment_map if part is not None]
    return [urljoin(url, uri) for uri in [*heads, *(segment.uri for segment in parsed.segments)]]
