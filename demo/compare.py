"""What a viewer was sent beside what the origin has: the bytes of each segment, and whether all of them came.

What should come is read from the packager's own playlists, never from what was played.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import m3u8

from demo.player import Played, segment_urls
from oca.common.digest import digest_hex


def packaged_segments(library: Path, title: str) -> dict[str, list[str]]:
    """Everything that a viewer of the best rendition needs.

    Returns:
        ``video`` and ``audio`` → URL paths in play order, each beginning with the initialisation segment.
    """
    folder = library / title
    master = m3u8.loads((folder / "master.m3u8").read_text())
    best = max(master.playlists, key=lambda variant: int(variant.stream_info.bandwidth))
    sound = next(media for media in master.media if media.type == "AUDIO" and media.group_id == best.stream_info.audio)
    return {
        kind: segment_urls((folder / uri).read_text(), f"/{title}/{uri}")
        for kind, uri in (("video", best.uri), ("audio", sound.uri))
    }


def differences(played: Sequence[Played], wanted: Sequence[str], library: Path) -> list[str]:
    """What is wrong with what was played; nothing: each wanted path came once, with the bytes of the origin's file."""
    came, due = Counter(segment.path for segment in played), Counter(wanted)
    said = [f"{path} came more often than it should" for path in came - due]
    missing = list(due - came)
    if missing:
        said.append(f"{len(missing)} of {len(wanted)} never came, the first of them {missing[0]}")
    for segment in played:
        if segment.path in due:
            file = (library / segment.path.lstrip("/")).read_bytes()
            if len(file) != segment.bytes or digest_hex(file) != segment.digest:
                said.append(f"{segment.path} has other bytes")
    return said
