from __future__ import annotations

from pathlib import Path

import pytest

from demo.studio import Studio, StudioError, undated
from demo.titles import FILMS

FILM = FILMS[0]
FAKE_FFMPEG = """#!/bin/sh
case "$*" in
  *poster.jpg) echo poster > poster.jpg ;;
  *) printf '#EXTM3U\\n#EXT-X-PROGRAM-DATE-TIME:2026-01-01T00:00:00Z\\nchunk-stream0-00001.m4s\\n' > media_0.m3u8
     cp media_0.m3u8 master.m3u8; echo mpd > manifest.mpd; echo segment > chunk-stream0-00001.m4s
     echo out_time_us=6000000 ;;
esac
"""


@pytest.fixture
def studio(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Studio:
    program = tmp_path / "ffmpeg-fake"
    program.write_text(FAKE_FFMPEG)
    program.chmod(0o755)
    monkeypatch.setattr("imageio_ffmpeg.get_ffmpeg_exe", lambda: str(program))
    return Studio(tmp_path / "demo", seconds=12)


def _replace_ffmpeg(studio: Studio, text: str) -> None:
    Path(studio._ffmpeg).write_text(text)


def test_studio_keeps_encoded_film(studio: Studio) -> None:
    told: list[float] = []
    assert studio.missing([FILM]) == [FILM]
    studio.encode(FILM, told.append)
    assert studio.missing([FILM]) == []
    assert told == [6.0]
    assert (studio.library / FILM.title / "poster.jpg").exists()
    assert "DATE-TIME" not in (studio.library / FILM.title / "media_0.m3u8").read_text()


def test_studio_encodes_anew_for_another_length(studio: Studio) -> None:
    studio.encode(FILM, lambda _: None)
    studio.seconds = 13
    assert studio.missing([FILM]) == [FILM]


@pytest.mark.parametrize("lost", ["recipes/{}", "library/{}/master.m3u8"])
def test_studio_distrusts_film_of_interrupted_run(studio: Studio, lost: str) -> None:
    studio.encode(FILM, lambda _: None)
    (studio.library.parent / lost.format(FILM.title)).unlink()
    assert studio.missing([FILM]) == [FILM]
    studio.encode(FILM, lambda _: None)
    assert studio.missing([FILM]) == []


def test_studio_names_what_ffmpeg_said(studio: Studio) -> None:
    _replace_ffmpeg(studio, "#!/bin/sh\necho 'No space left on device' >&2\nexit 3\n")
    with pytest.raises(StudioError, match=r"exit code 3\): No space left on device; see .*disk"):
        studio.encode(FILM, lambda _: None)
    assert studio.missing([FILM]) == [FILM]


def test_studio_refuses_incomplete_package(studio: Studio) -> None:
    _replace_ffmpeg(studio, "#!/bin/sh\nexit 0\n")
    with pytest.raises(StudioError, match=r"without master.m3u8, manifest.mpd, poster.jpg"):
        studio.encode(FILM, lambda _: None)
    assert not (studio.library / FILM.title).exists()


def test_undated_removes_dates_alone() -> None:
    assert undated("#EXTM3U\n#EXT-X-PROGRAM-DATE-TIME:x\n#EXTINF:4,\na\n") == "#EXTM3U\n#EXTINF:4,\na\n"
