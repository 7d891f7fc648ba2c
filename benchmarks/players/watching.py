"""One viewing from click to end: asks steering, follows pathways, fetches at play speed. Sockets and time come in.

The player is a plain one: it holds one segment of sound and picture after the other, keeps no back buffer, leaves a
pathway for the rest of the viewing when anything on it fails, and does not poll content steering.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol
from urllib.parse import urlsplit

import msgspec

from benchmarks.players.abr import Throughput, choose_rung
from benchmarks.players.cmcd import cmcd_query
from benchmarks.players.experience import Viewing
from benchmarks.players.playback import Playback
from benchmarks.players.playlists import Pathway, Rendition, Rung, read_pathways, read_rendition
from benchmarks.players.viewer import Chance, Viewer


class Lost(Exception):  # noqa: N818 - it ends a pathway, not the program
    """A request failed: refused, reset, cut short, silent, or not 200."""


class Network(Protocol):
    """What a viewing needs of the outside."""

    def now(self) -> float: ...

    def pause(self, seconds: float) -> None: ...

    def ask(self, title: str) -> bytes:
        """``POST /v1/playback``; raises ``Lost``."""
        ...

    def text(self, url: str, kind: str) -> str:
        """A playlist; raises ``Lost``."""
        ...

    def media(
        self, url: str, kind: str, *, line_bits_per_s: float, is_wanted: Callable[[], bool]
    ) -> tuple[int, float] | None:
        """Bytes of an object and the seconds they took; None: given up as unwanted. Raises ``Lost``."""
        ...


class _Answer(msgspec.Struct):
    hls_url: str


class Watching:
    """One viewer of one film; ``watch`` runs it, ``viewing`` is its record at any time after.

    Args:
        network: The outside.
        title: What is watched.
        session: UUID of this playback.
        viewer: Who watches.
        chance: Varies the line.
    """

    def __init__(self, network: Network, title: str, *, session: str, viewer: Viewer, chance: Chance) -> None:
        self._network = network
        self._title = title
        self._session = session
        self._viewer = viewer
        self._chance = chance
        self._clicked_at = network.now()
        self._playback: Playback | None = None
        self._pathways: list[Pathway] = []
        self._renditions: dict[str, Rendition] = {}
        self._heads: set[str] = set()
        self._throughput = Throughput()
        self._rung: int | None = None
        self._stalls_told = 0
        self._arrived = [0, 0.0]  # bytes, and seconds of film in them
        self._changes = self._moves = 0
        self._failed = False

    def watch(self) -> None:
        """Watch until the film, the viewer's interest or patience, or every pathway has ended."""
        try:
            answer = msgspec.json.decode(self._network.ask(self._title), type=_Answer)
            self._pathways = list(read_pathways(self._network.text(answer.hls_url, "multivariant"), answer.hls_url))
        except (Lost, msgspec.DecodeError):
            self._pathways = []
        playback = self._open()
        while playback is not None and not playback.ending:
            now = self._network.now()
            playback.advance(now)
            fetch_at = playback.fetch_at
            if fetch_at is not None and fetch_at <= now:
                self._on_some_pathway(playback)
            elif (change_at := playback.change_at()) is not None:
                self._network.pause(max(0.0, min(change_at, change_at if fetch_at is None else fetch_at) - now))

    def viewing(self) -> Viewing:
        """The record; what still goes on counts as ended by the end of the run."""
        now = self._network.now()
        if self._playback is None:
            ending = "failed" if self._failed else "run over"
            return Viewing(self._title, ending, None, now - self._clicked_at, 0, [], [], 0, 0, self._moves)
        playback = self._playback
        playback.end(now, "run over")
        size, film_s = self._arrived
        return Viewing(
            title=self._title,
            ending=playback.ending,
            startup_s=playback.startup_s,
            unstarted_s=playback.unstarted_s,
            watched_s=playback.watched_s,
            stalls_s=playback.stalls_s,
            seek_waits_s=playback.seek_waits_s,
            bits_per_s=size * 8 / film_s if film_s else 0,
            changes=self._changes,
            moves=self._moves,
        )

    def _open(self) -> Playback | None:
        """Read a first media playlist, from the first pathway that gives one."""
        while self._pathways:
            try:
                segments_s = self._rendition(self._pathways[0].ladder[0].video).segments_s
            except Lost:
                self._leave_pathway()
                continue
            self._playback = Playback(self._viewer, segments_s, clicked_at=self._clicked_at)
            return self._playback
        self._failed = True
        return None

    def _on_some_pathway(self, playback: Playback) -> None:
        try:
            self._fetch(playback, self._pathways[0])
        except Lost:
            self._leave_pathway()
            if not self._pathways:
                playback.end(self._network.now(), "failed")

    def _leave_pathway(self) -> None:
        self._pathways.pop(0)
        self._moves += 1

    def _fetch(self, playback: Playback, pathway: Pathway) -> None:
        """The next segment, sound before picture, so that the picture's arrival completes it."""
        index = choose_rung([rung.bits_per_s for rung in pathway.ladder], self._rung, self._throughput.bits_per_s)
        rung, number = pathway.ladder[index], playback.number
        line = self._viewer.line_now(self._chance)
        is_starved = len(playback.stalls_s) + playback.is_stalled > self._stalls_told
        self._stalls_told = len(playback.stalls_s) + playback.is_stalled

        def is_wanted() -> bool:
            playback.advance(self._network.now())
            return not playback.ending and playback.number == number

        size = 0
        for kind, playlist in (("a", rung.audio), ("v", rung.video)):
            if not playlist:
                continue
            rendition = self._rendition(playlist)
            if number >= len(rendition.segments):
                continue  # sound that is a segment shorter than the picture
            for url in self._wanted_of(rendition, number):
                object_kind = "i" if url == rendition.head else kind
                told = url + self._cmcd(playback, rendition, object_kind, rung, pathway, is_starved=is_starved)
                taken = self._network.media(told, object_kind, line_bits_per_s=line, is_wanted=is_wanted)
                if taken is None:
                    return
                size += taken[0]
                self._heads.add(rendition.head)
                if object_kind == "v":
                    self._throughput.add(*taken)
        if playback.arrived(number, self._network.now()):
            self._arrived = [self._arrived[0] + size, self._arrived[1] + playback.segments_s[number]]
            self._changes += self._rung is not None and self._rung != index
            self._rung = index

    def _wanted_of(self, rendition: Rendition, number: int) -> tuple[str, ...]:
        segment = rendition.segments[number]
        return (segment,) if not rendition.head or rendition.head in self._heads else (rendition.head, segment)

    def _rendition(self, url: str) -> Rendition:
        if url not in self._renditions:
            query = cmcd_query("m", session=self._session, content=self._title, is_startup=self._playback is None)
            rendition = read_rendition(self._network.text(url + _joint(url) + query, "playlist"), url)
            if not rendition.segments:
                raise Lost(f"{url} names no segment")
            self._renditions[url] = rendition
        return self._renditions[url]

    def _cmcd(
        self, playback: Playback, rendition: Rendition, kind: str, rung: Rung, pathway: Pathway, *, is_starved: bool
    ) -> str:
        number = playback.number
        is_media = kind != "i"
        following = rendition.segments[number + 1 : number + 2]
        query = cmcd_query(
            kind,
            session=self._session,
            content=self._title,
            bits_per_s=rung.bits_per_s,
            top_bits_per_s=pathway.ladder[-1].bits_per_s,
            duration_s=rendition.segments_s[number] if is_media else 0,
            buffered_s=playback.buffered_s if is_media else None,
            throughput_bits_per_s=self._throughput.bits_per_s,
            is_starved=is_starved,
            is_startup=playback.is_waiting,
            next_name=urlsplit(following[0]).path.rpartition("/")[2] if is_media and following else "",
        )
        return _joint(rendition.segments[number]) + query


def _joint(url: str) -> str:
    return "&" if "?" in url else "?"
