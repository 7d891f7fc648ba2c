"""Reads a packaged HLS (CMAF) folder: which files make up which rendition, and whether all of it can be served.

Looks only at playlists and file names; sizes and digests are publish's business, the MPD packaged_dash's.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import Any
from urllib.parse import unquote, urlsplit

import m3u8

from oca.common.messages import OBJECTS_MAX
from steering.titles.catalogue import AssetKind, Track, Variant
from steering.titles.packaged_variants import read_track, read_variant, refuse_silence, video_label
from steering.titles.unservable import UnservableError

PLAYLIST_BYTES_MAX = 16 * 2**20
FILES_MAX = 1_000_000
SEGMENT_DURATION_S_MAX = 86400
_BYTERANGE = re.compile(r"(\d{1,16})(?:@(\d{1,16}))?", re.ASCII)
_SERVABLE_PART = re.compile(r"[A-Za-z0-9_~!$&'()*+,;=:@-][A-Za-z0-9._~!$&'()*+,;=:@-]*")


@dataclass(frozen=True, slots=True)
class Segment:
    """One piece of a rendition; ``bytes`` is 0 where the whole file is meant."""

    file: str
    duration_s: float
    bytes: int = 0


@dataclass(frozen=True, slots=True)
class PackagedAsset:
    """One rendition: its playlist and what that names, as paths relative to the folder, in play order."""

    label: str
    kind: AssetKind
    playlist: str
    files: tuple[str, ...]
    segments: tuple[Segment, ...]

    @property
    def duration_s(self) -> float:
        """How long it plays."""
        return sum(segment.duration_s for segment in self.segments)


@dataclass(frozen=True, slots=True)
class Package:
    """A folder read: ``variants`` and ``tracks`` name assets by label; ``others`` are all files of no rendition."""

    folder: Path
    master: str
    independent_segments: bool
    assets: tuple[PackagedAsset, ...]
    variants: tuple[Variant, ...]
    tracks: tuple[Track, ...]
    others: tuple[str, ...]
    mpd: str
    skipped: tuple[str, ...] = field(default=())


def read_package(folder: Path) -> Package:
    """Read and check a packaged folder.

    Raises:
        UnservableError: Naming the file that cannot be served and why.
    """
    if not folder.is_dir():
        raise UnservableError(f"{folder}: not a folder", remedy="name the folder that the packager wrote")
    files, skipped = _files(folder)
    if not files:
        raise UnservableError(f"{folder}: holds no file", remedy="package the title into it first")
    master_file, master = _master(folder, files)
    tracks: list[Track] = []
    assets: dict[str, PackagedAsset] = {}
    taken: set[str] = set()

    def asset_of(uri: str, kind: AssetKind, label: str) -> str:
        playlist = _inside(master_file, uri, files)
        if playlist not in assets:
            assets[playlist] = _rendition(folder, files, playlist, kind, _unique(label, taken))
        return assets[playlist].label

    variants = [
        read_variant(master_file, entry, asset_of(entry.uri, "video", video_label(entry)))
        for entry in master.playlists
        if entry.uri
    ]
    for media in master.media:
        if media.type not in ("AUDIO", "SUBTITLES"):
            if media.type == "VIDEO":
                raise UnservableError(
                    f"{master_file}: EXT-X-MEDIA of TYPE=VIDEO is not supported", remedy="package one video a variant"
                )
            continue
        if media.uri:
            kind: AssetKind = "audio" if media.type == "AUDIO" else "text"
            slug = re.sub(rf"\A({kind}-)+", "", _slug(media.language or media.name or ""))
            tracks.append(read_track(media, asset_of(media.uri, kind, f"{kind}-{slug}" if slug else kind)))
    refuse_silence(master_file, variants, tracks)
    owners: dict[str, str] = {}
    for asset in assets.values():
        for file in asset.files:
            other = owners.setdefault(file, asset.playlist)
            if other != asset.playlist:
                raise UnservableError(
                    f"{file}: belongs to {other} and to {asset.playlist}", remedy="give each rendition its own files"
                )
    others = tuple(file for file in files if file not in owners)
    mpds = [file for file in others if file.endswith(".mpd")]
    if len(mpds) > 1:
        raise UnservableError(f"{folder}: holds several MPDs: {', '.join(mpds)}", remedy="leave one")
    return Package(
        folder=folder,
        master=master_file,
        independent_segments=bool(master.is_independent_segments),
        assets=tuple(assets.values()),
        variants=tuple(variants),
        tracks=tuple(tracks),
        others=(master_file, *(file for file in others if file != master_file)),
        mpd=mpds[0] if mpds else "",
        skipped=skipped,
    )


def _files(folder: Path) -> tuple[dict[str, int], tuple[str, ...]]:
    """Every servable file → its bytes, and the hidden ones left out."""
    found: dict[str, int] = {}
    skipped: list[str] = []
    for path in sorted(_walk(folder)):
        relative = path.relative_to(folder).as_posix()
        if path.name.startswith("."):
            skipped.append(relative)
            continue
        if path.is_dir() and not path.is_symlink():
            continue
        if path.is_symlink() and not path.resolve().is_relative_to(folder.resolve()):
            raise UnservableError(f"{relative!r}: a link that leads outside {folder}", remedy="copy the file here")
        if not path.is_file():
            raise UnservableError(f"{relative!r}: not a regular file", remedy=f"remove it from {folder}")
        for part in relative.split("/"):
            if not _SERVABLE_PART.fullmatch(part):
                raise UnservableError(
                    f"{relative!r}: {part!r} cannot stand in a URL unescaped",
                    remedy="rename it with letters, digits, '.', '_' and '-', in the playlists too",
                )
        found[relative] = path.stat().st_size
        if len(found) > FILES_MAX:
            raise UnservableError(f"{folder}: holds more than {FILES_MAX} files", remedy="publish one title a folder")
    return found, tuple(skipped)


def _walk(folder: Path) -> Iterator[Path]:
    """All below, but for what hidden folders hold. A folder that cannot be read raises: its files would be missing."""
    for inner, below, names in os.walk(folder, onerror=_refuse):
        yield from (Path(inner, name) for name in (*below, *names))
        below[:] = [name for name in below if not name.startswith(".")]


def _refuse(error: OSError) -> None:
    raise error


def _master(folder: Path, files: dict[str, int]) -> tuple[str, Any]:
    playlists = ((file, _playlist(folder, file)) for file in files if file.endswith(".m3u8"))
    masters = [(file, playlist) for file, playlist in playlists if playlist.is_variant]
    if not masters:
        raise UnservableError(
            f"{folder}: holds no HLS multivariant playlist (a .m3u8 with EXT-X-STREAM-INF)",
            remedy="package with one, as `ffmpeg -f dash -hls_playlist 1` does",
        )
    if len(masters) > 1:
        names = ", ".join(file for file, _ in masters)
        raise UnservableError(f"{folder}: holds several multivariant playlists: {names}", remedy="leave one")
    return masters[0]


def _playlist(folder: Path, file: str) -> Any:
    path = folder / file
    if path.stat().st_size > PLAYLIST_BYTES_MAX:
        raise UnservableError(f"{file}: larger than {PLAYLIST_BYTES_MAX} bytes", remedy="this is not a playlist")
    try:
        text = path.read_text(encoding="utf-8")
    except UnicodeDecodeError:
        raise UnservableError(f"{file}: not UTF-8", remedy="package it again") from None
    if not text.removeprefix("\ufeff").startswith("#EXTM3U"):
        raise UnservableError(f"{file}: does not start with #EXTM3U", remedy="package it again")
    try:
        return m3u8.loads(text)
    except Exception as error:  # noqa: BLE001 - the library raises whatever its string handling trips over
        raise UnservableError(f"{file}: not a playlist: {error}", remedy="package it again") from None


def _rendition(folder: Path, files: dict[str, int], playlist: str, kind: AssetKind, label: str) -> PackagedAsset:
    media = _playlist(folder, playlist)
    if media.is_variant:
        raise UnservableError(f"{playlist}: a multivariant playlist inside another", remedy="package it again")
    if not media.is_endlist:
        raise UnservableError(
            f"{playlist}: has no EXT-X-ENDLIST, so it is not finished", remedy="package it to its end"
        )
    if not media.segments:
        raise UnservableError(f"{playlist}: names no segment", remedy="package it again")
    order = dict.fromkeys([playlist])
    segments = []
    for segment in media.segments:
        if segment.init_section is not None:
            order[_inside(playlist, segment.init_section.uri, files)] = None
        file = _inside(playlist, segment.uri, files)
        order[file] = None
        if not 0 < (segment.duration or 0) < SEGMENT_DURATION_S_MAX:
            raise UnservableError(
                f"{playlist}: segment {segment.uri} has no duration from 0 to {SEGMENT_DURATION_S_MAX} s",
                remedy="package it again",
            )
        length = _range_bytes(playlist, segment.byterange, files[file]) if segment.byterange is not None else 0
        segments.append(Segment(file=file, duration_s=float(segment.duration), bytes=length))
    for file in order:
        if files[file] == 0:
            raise UnservableError(f"{file}: empty", remedy="package it again")
    if len(order) > OBJECTS_MAX:
        raise UnservableError(f"{playlist}: names more than {OBJECTS_MAX} files", remedy="use longer segments")
    return PackagedAsset(label=label, kind=kind, playlist=playlist, files=tuple(order), segments=tuple(segments))


def _range_bytes(playlist: str, text: str, file_bytes: int) -> int:
    """The length in an ``EXT-X-BYTERANGE``."""
    found = _BYTERANGE.fullmatch(text)
    if not found or not 0 < int(found[1]) <= file_bytes - int(found[2] or 0):
        raise UnservableError(
            f"{playlist}: EXT-X-BYTERANGE {text} names no bytes of its file of {file_bytes}", remedy="package it again"
        )
    return int(found[1])


def resolve(base_file: str, uri: str) -> str | None:
    """The path, relative to the folder, of ``uri`` as ``base_file`` names it; None when it leads outside."""
    try:
        parts = urlsplit(uri)
    except ValueError:
        return None
    if parts.scheme or parts.netloc or parts.query or parts.path.startswith("/") or not parts.path:
        return None
    steps: list[str] = []
    for step in (*PurePosixPath(base_file).parent.parts, *unquote(parts.path).split("/")):
        if step == "..":
            if not steps:
                return None
            steps.pop()
        elif step not in ("", "."):
            steps.append(step)
    return "/".join(steps)


def _inside(base_file: str, uri: str | None, files: dict[str, int]) -> str:
    if not uri:
        raise UnservableError(f"{base_file}: names a file without saying which", remedy="package it again")
    file = resolve(base_file, uri)
    if file is None:
        raise UnservableError(f"{base_file}: {uri} leads outside the folder", remedy="package with relative addresses")
    if file not in files:
        raise UnservableError(
            f"{base_file}: names {uri}, which is missing", remedy="package it again, or copy the file"
        )
    return file


def _slug(text: str) -> str:
    return re.sub(r"[^a-z0-9]+", "-", text.lower()).strip("-")[:40].strip("-")


def _unique(label: str, taken: set[str]) -> str:
    name = next(name for name in _names(label) if name not in taken)
    taken.add(name)
    return name


def _names(label: str) -> Iterator[str]:
    yield label
    for number in range(2, FILES_MAX):
        yield f"{label}-{number}"
