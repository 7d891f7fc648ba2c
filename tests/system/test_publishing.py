"""The commands of docs/publishing.md make of a file of video what ``oca-steering publish`` takes."""

from __future__ import annotations

import shlex
import subprocess
import sys
from pathlib import Path

import imageio_ffmpeg
import pytest

from tests.system import docs_commands

pytestmark = pytest.mark.system
PAGE = docs_commands.ROOT / "docs/publishing.md"
SOURCE = (
    "-f lavfi -i testsrc2=size=640x360:rate=25 -f lavfi -i sine -t 3 -c:v libx264 -preset ultrafast -c:a aac film.mp4"
)


def run(folder: Path, *words: str) -> str:
    programs = {"ffmpeg": [imageio_ffmpeg.get_ffmpeg_exe(), "-v", "error", "-nostdin"]}
    programs["oca-steering"] = [str(Path(sys.executable).with_name("oca-steering"))]
    command = [*programs.get(words[0], [words[0]]), *words[1:]]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False, timeout=120)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_publishing_page_leads_from_video_to_titles(tmp_path: Path) -> None:
    (tmp_path / "steering.toml").write_text('[state]\npath = "state"\n')
    run(tmp_path, "ffmpeg", *shlex.split(SOURCE))
    said = ""
    for line in docs_commands.shown(PAGE):
        words = shlex.split(line)
        said = run(tmp_path, *words, *(["--config", "steering.toml"] if words[0] == "oca-steering" else []))
    assert "Harbour Lights" in said
    assert "video-1080p" in run(
        tmp_path, "oca-steering", "publish", "quay", "--title", "quay", "--config", "steering.toml"
    )
