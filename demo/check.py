"""``make demo-check``: plays a film without a browser, kills the nearest appliance mid-film, and reports.

Each segment's bytes are compared with the file that the origin has.
"""

from __future__ import annotations

import subprocess
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import imageio_ffmpeg

from demo.children import spawn_tied
from demo.player import HeadlessPlayer, PlaybackError, Played
from demo.process import becomes_true
from demo.system import READY_S, System
from oca.common.digest import digest_hex
from oca.common.units import format_bytes

KILL_AT_SEGMENT = 5
FFMPEG_S = 120.0


Note = Callable[[str, bool, str], None]


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that was looked at."""

    what: str
    is_good: bool
    seen: str


async def check(system: System, title: str, library: Path, tell: Callable[[Finding], None]) -> bool:
    """Look at everything that a viewer would notice; whether all of it was good."""
    findings: list[Finding] = []

    def note(what: str, is_good: bool, seen: str) -> None:
        findings.append(Finding(what, is_good, seen))
        tell(findings[-1])

    answer = await system.playback(title)
    ways = [way["pathway"] for way in answer["pathways"]]
    note("steering offers appliances first, the origin last", ways[-1] == "origin" and len(ways) > 1, ", ".join(ways))
    whole = await _play(system, answer["hls_url"], kill="")
    _note_played(note, "the whole film", whole, library, {ways[0]})
    for name, url in (("HLS", answer["hls_url"]), ("DASH", answer["dash_url"])):
        code, said = await play_by_ffmpeg(url)
        note(f"ffmpeg plays {name} without a warning", code == 0 and not said, said or "not a word")
    cut = await _play(system, answer["hls_url"], kill=ways[0])
    _note_played(note, f"the film with {ways[0]} killed in the middle", cut, library, set(ways[:-1]))
    moved = [played for played in cut if played.moved_from]
    gap = f"{moved[0].seconds * 1000:.0f} ms for the segment on which it moved" if moved else "it never moved"
    note(f"playback went on from {ways[1]}", bool(moved) and moved[-1].pathway == ways[1], gap)
    await _steering_moves_on(system, title, ways[0], note)
    return all(finding.is_good for finding in findings)


def origin_differences(played: list[Played], library: Path) -> list[str]:
    """The paths whose bytes were not those of the origin's file."""
    different = []
    for segment in played:
        file = (library / segment.path.lstrip("/")).read_bytes()
        if len(file) != segment.bytes or digest_hex(file) != segment.digest:
            different.append(segment.path)
    return different


async def play_by_ffmpeg(url: str) -> tuple[int, str]:
    """Decode what ``url`` names to nowhere; ffmpeg's exit code, and all it had to warn of."""
    # Every rendition is decoded. Those it does not need ffmpeg drops in mid-segment and then complains of corrupt
    # packets, for a folder on disk no less than for a server.
    every = ["-map", "0", "-f", "null", "-"]
    command = [imageio_ffmpeg.get_ffmpeg_exe(), "-hide_banner", "-nostdin", "-v", "warning", "-i", url, *every]
    with spawn_tied(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE) as child:
        try:
            if not await becomes_true(lambda: child.poll() is not None, FFMPEG_S):
                return 1, f"still not done after {FFMPEG_S:.0f} s"
        finally:
            child.kill()
        assert child.stderr is not None
        return child.wait(), child.stderr.read().decode(errors="replace").strip()


async def _play(system: System, url: str, *, kill: str) -> list[Played]:
    player = HeadlessPlayer(system.session, url)
    await player.open()
    played: list[Played] = []
    try:
        async for segment in player.play():
            played.append(segment)
            if kill and segment.number == KILL_AT_SEGMENT and segment.kind == "video":
                system.processes.pop(kill).kill()
    except PlaybackError:
        pass  # what arrived tells the story: the film is shorter than it should be
    return played


def _note_played(note: Note, what: str, played: list[Played], library: Path, expected: set[str]) -> None:
    by_pathway = Counter(segment.pathway for segment in played)
    seen = ", ".join(f"{count} segments from {pathway}" for pathway, count in by_pathway.items())
    total = format_bytes(sum(segment.bytes for segment in played))
    note(f"{what} came from {' or '.join(sorted(expected))} alone", set(by_pathway) <= expected and bool(played), seen)
    different = origin_differences(played, library)
    complete = _expected_segments(played, library)
    note(f"{what} is complete, byte for byte the origin's", not different and complete, f"{total} compared")


def _expected_segments(played: list[Played], library: Path) -> bool:
    folders = {(library / segment.path.lstrip("/")).parent for segment in played}
    streams = {Path(segment.path).name.split("-")[1].removesuffix(".m4s") for segment in played}
    wanted = {f"/{folder.name}/{file.name}" for folder in folders for file in folder.glob("*.m4s")}
    mine = {path for path in wanted if Path(path).name.split("-")[1].removesuffix(".m4s") in streams}
    return mine == {segment.path for segment in played}


async def _steering_moves_on(system: System, title: str, killed: str, note: Note) -> None:
    async def left_out() -> bool:
        return killed not in [way["pathway"] for way in (await system.playback(title))["pathways"]]

    await system.until(f"steering leaves {killed} out", left_out, READY_S)
    answer: dict[str, Any] = await system.playback(title)
    why = next((way["why"] for way in answer["rejected"] if way["pathway"] == killed), "")
    note(f"steering sends nobody to {killed} any more, and says why", bool(why), why)
    system.start_again(killed)

    async def back() -> bool:
        return killed in [way["pathway"] for way in (await system.playback(title))["pathways"]]

    await system.until(f"{killed} is back", back, READY_S)
    note(f"{killed}, started again, serves again", True, "its store was kept")
