from __future__ import annotations

from pathlib import Path

import pytest

from demo.compare import differences, packaged_segments
from demo.player import Played
from oca.common.digest import digest_hex

MASTER = """#EXTM3U
#EXT-X-MEDIA:TYPE=AUDIO,GROUP-ID="other",NAME="o",URI="other.m3u8"
#EXT-X-MEDIA:TYPE=AUDIO,GROUP-ID="sound",NAME="s",URI="sound.m3u8"
#EXT-X-STREAM-INF:BANDWIDTH=5000,AUDIO="sound"
high.m3u8
#EXT-X-STREAM-INF:BANDWIDTH=1000,AUDIO="sound"
low.m3u8
"""


def _played(path: str, body: bytes) -> Played:
    return Played("video", 0, "metro-a", path, len(body), digest_hex(body), 0.01)


@pytest.fixture
def library(tmp_path: Path) -> Path:
    folder = tmp_path / "film"
    folder.mkdir()
    (folder / "master.m3u8").write_text(MASTER)
    for stream in ("high", "low", "sound", "other"):
        (folder / f"{stream}.m3u8").write_text(f'#EXTM3U\n#EXT-X-MAP:URI="{stream}-0"\n#EXTINF:4,\n{stream}-1\n')
        for number in range(2):
            (folder / f"{stream}-{number}").write_bytes(b"picture")
    return tmp_path


def test_packaged_segments_are_best_picture_and_its_sound(library: Path) -> None:
    assert packaged_segments(library, "film") == {
        "video": ["/film/high-0", "/film/high-1"],
        "audio": ["/film/sound-0", "/film/sound-1"],
    }


def test_comparison_passes_what_origin_has(library: Path) -> None:
    wanted = ["/film/high-0", "/film/high-1"]
    assert differences([_played(path, b"picture") for path in wanted], wanted, library) == []


@pytest.mark.parametrize("body", [b"pictura", b"pict", b""])
def test_comparison_names_other_bytes(library: Path, body: bytes) -> None:
    played = [_played("/film/high-0", body)]
    assert differences(played, ["/film/high-0"], library) == ["/film/high-0 has other bytes"]


def test_comparison_names_what_never_came(library: Path) -> None:
    wanted = ["/film/high-0", "/film/high-1", "/film/sound-0"]
    said = ["2 of 3 never came, the first of them /film/high-1"]
    assert differences([_played("/film/high-0", b"picture")], wanted, library) == said


def test_comparison_names_what_was_not_wanted(library: Path) -> None:
    played = [_played("/film/high-0", b"picture")] * 2
    assert differences(played, ["/film/high-0"], library) == ["/film/high-0 came more often than it should"]
    assert differences([_played("/film/low-0", b"picture")], [], library) == [
        "/film/low-0 came more often than it should"
    ]
