"""Media types by file name, for whoever turns files into objects: players, browsers and ffmpeg agree on these."""

from __future__ import annotations

BY_SUFFIX = {
    "m3u8": "application/vnd.apple.mpegurl",
    "mpd": "application/dash+xml",
    "m4s": "video/iso.segment",
    "cmfv": "video/mp4",
    "cmfa": "audio/mp4",
    "cmft": "application/mp4",
    "cmfm": "application/mp4",
    "mp4": "video/mp4",
    "m4v": "video/mp4",
    "m4a": "audio/mp4",
    "ts": "video/mp2t",
    "aac": "audio/aac",
    "ac3": "audio/ac3",
    "ec3": "audio/eac3",
    "ac4": "audio/ac4",
    "flac": "audio/flac",
    "ogg": "audio/ogg",
    "opus": "audio/ogg",
    "mp3": "audio/mpeg",
    "webm": "video/webm",
    "vtt": "text/vtt",
    "webvtt": "text/vtt",
    "ttml": "application/ttml+xml",
    "jpg": "image/jpeg",
    "jpeg": "image/jpeg",
    "png": "image/png",
    "webp": "image/webp",
    "avif": "image/avif",
    "svg": "image/svg+xml",
    "json": "application/json",
    "txt": "text/plain",
}


def media_type_of(name: str) -> str:
    """The media type of a file or URL path by its suffix; ``application/octet-stream`` where none is known."""
    _, dot, suffix = name.rpartition("/")[2].rpartition(".")
    return BY_SUFFIX.get(suffix.lower(), "application/octet-stream") if dot else "application/octet-stream"
