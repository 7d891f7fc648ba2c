"""``make demo-check``: plays a film without a browser, kills the nearest appliance mid-film, and reports.

Each segment's bytes are compared with the file that the origin has.
"""

from __future__ import annotations

import asyncio
import subprocess
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import imageio_ffmpeg

from demo.children import spawn_tied
from demo.compare import differences, packaged_segments
from demo.player import HeadlessPlayer, PlaybackError, Played
from demo.process import becomes_true
from demo.system import READY_S, System
from oca.common.clock import monotonic_s
from oca.common.units import format_bytes

FFMPEG_S = 120.0
PLAYED_S = 120.0
LEFT_OUT_S_MAX = 5.0


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

    wanted = packaged_segments(library, title)
    every = [path for paths in wanted.values() for path in paths]
    answer = await system.playback(title)
    ways = [way["pathway"] for way in answer["pathways"]]
    note("steering offers appliances first, the origin last", ways[-1] == "origin" and len(ways) > 1, ", ".join(ways))
    filled = _segments(await system.sent_by_origin())
    whole = await _play(system, answer["hls_url"])
    _note_played(note, "the whole film", whole, {ways[0]}, differences(whole, every, library))
    for name, url in (("HLS", answer["hls_url"]), ("DASH", answer["dash_url"])):
        code, said = await play_by_ffmpeg(url)
        seen = said or ("not a word" if code == 0 else f"exit code {code}")
        note(f"ffmpeg plays {name} without a warning", code == 0 and not said, seen)
    kill_at = len(wanted["video"]) // 2
    cut, late_s = await asyncio.gather(
        _play(system, answer["hls_url"], kill=ways[0], kill_at=kill_at), _last_viewer_s(system, title, ways[0])
    )
    _note_played(
        note,
        f"the film with {ways[0]} killed in the middle",
        cut,
        set(ways[:-1]),
        differences(cut, every, library),
    )
    _note_move(note, ways[1], [played for played in cut if played.moved_from and played.number >= kill_at])
    asked = _segments(await system.sent_by_origin()) - filled
    seen = f"{asked} while they played, {filled} to fill appliances"
    note("the origin was asked for no segment while films played", asked == 0, seen)
    seen = f"{late_s:.1f} s after SIGKILL, limit {LEFT_OUT_S_MAX:g} s"
    note(f"steering soon sends nobody to {ways[0]} any more", late_s <= LEFT_OUT_S_MAX, seen)
    await _steering_moves_on(system, title, ways[0], note)
    return all(finding.is_good for finding in findings)


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


async def _play(system: System, url: str, *, kill: str = "", kill_at: int = 0) -> list[Played]:
    player = HeadlessPlayer(system.session, url)
    await player.open()
    played: list[Played] = []
    try:
        async for segment in player.play():
            played.append(segment)
            if kill and segment.number == kill_at and segment.kind == "video":
                system.processes.pop(kill).kill()
    except PlaybackError:
        pass  # what arrived tells the story: the film is shorter than it should be
    return played


def _segments(sent: dict[str, int]) -> int:
    return sum(count for path, count in sent.items() if path.endswith(".m4s"))


def _note_played(note: Note, what: str, played: list[Played], expected: set[str], wrong: list[str]) -> None:
    by_pathway = Counter(segment.pathway for segment in played)
    seen = ", ".join(f"{count} segments from {pathway}" for pathway, count in by_pathway.items())
    total = format_bytes(sum(segment.bytes for segment in played))
    note(f"{what} came from {' or '.join(sorted(expected))} alone", set(by_pathway) <= expected and bool(played), seen)
    note(f"{what} is complete, byte for byte the origin's", not wrong, "; ".join(wrong[:3]) or f"{total} compared")


def _note_move(note: Note, next_way: str, moved: list[Played]) -> None:
    seen = "it never moved"
    if moved:
        seen = f"{moved[0].seconds * 1000:.0f} ms for the segment on which it moved"
        if moved[-1].pathway != next_way:
            seen = f"it moved to {moved[-1].pathway}"
    note(f"playback went on from {next_way}", bool(moved) and moved[-1].pathway == next_way, seen)


async def _last_viewer_s(system: System, title: str, killed: str) -> float:
    """How long after an appliance was killed steering still sent viewers there."""

    async def is_killed() -> bool:
        return killed not in system.processes

    async def left_out() -> bool:
        return killed not in [way["pathway"] for way in (await system.playback(title))["pathways"]]

    await system.until(f"{killed} is killed", is_killed, PLAYED_S)
    began_at = monotonic_s()
    await system.until(f"steering leaves {killed} out", left_out, READY_S)
    return monotonic_s() - began_at


async def _steering_moves_on(system: System, title: str, killed: str, note: Note) -> None:
    answer: dict[str, Any] = await system.playback(title)
    why = next((way["why"] for way in answer["rejected"] if way["pathway"] == killed), "")
    note(f"steering sends nobody to {killed} any more, and says why", bool(why), why)
    system.start_again(killed)

    async def back() -> bool:
        return killed in [way["pathway"] for way in (await system.playback(title))["pathways"]]

    await system.until(f"{killed} is back", back, READY_S)
    note(f"{killed}, started again, serves again", True, "its store was kept")
