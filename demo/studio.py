"""The studio: encodes the demo's films once, keeps them, and never takes a half-encoded one for a whole one.

A film is encoded in a folder of its own beside the library, moved into it in one step, and only then is the key of
its recipe written. A film whose key is missing or another is encoded anew.
"""

from __future__ import annotations

import re
import shutil
import subprocess
from collections.abc import Callable, Sequence
from pathlib import Path

import imageio_ffmpeg
from PIL import ImageFont

from demo.children import spawn_tied
from demo.ladder import MANIFESTS, POSTER, encode_arguments, poster_arguments, recipe_key
from demo.titles import Film
from oca.common.errors import OcaError

Advance = Callable[[float], None]
"""Told how many seconds of film are encoded so far."""


class StudioError(OcaError):
    """A film cannot be encoded."""


class Studio:
    """The cache of encoded films under one folder.

    Args:
        folder: Where everything lives; ``library`` below it is what an origin serves.
        seconds: Length of each film.
    """

    def __init__(self, folder: Path, *, seconds: int) -> None:
        self.library = folder / "library"
        self._keys = folder / "recipes"
        self._bench = folder / "encoding"
        self.seconds = seconds
        self._ffmpeg = imageio_ffmpeg.get_ffmpeg_exe()

    def missing(self, films: Sequence[Film]) -> list[Film]:
        """The films that must be encoded, in order."""
        return [film for film in films if not self._is_whole(film)]

    def encode(self, film: Film, advance: Advance) -> None:
        """Encode one film and put it into the library.

        Raises:
            StudioError: ffmpeg failed, or wrote less than a whole package.
        """
        bench = self._bench / film.title
        shutil.rmtree(bench, ignore_errors=True)
        bench.mkdir(parents=True)
        font = self._bench / "font.ttf"
        if not font.exists():
            font.write_bytes(_font())
        self._run(encode_arguments(film, seconds=self.seconds, font="../font.ttf"), bench, film, advance)
        self._run(poster_arguments(film, font="../font.ttf"), bench, film, advance)
        for playlist in bench.glob("*.m3u8"):
            playlist.write_text(undated(playlist.read_text()))
        self._check(film, bench)
        kept = self.library / film.title
        key = self._keys / film.title
        key.unlink(missing_ok=True)
        shutil.rmtree(kept, ignore_errors=True)
        kept.parent.mkdir(parents=True, exist_ok=True)
        bench.rename(kept)
        key.parent.mkdir(exist_ok=True)
        key.write_text(self.key(film))

    def _run(self, arguments: list[str], bench: Path, film: Film, advance: Advance) -> None:
        log = self._bench / f"{film.title}.log"
        with (
            log.open("w") as errors,
            spawn_tied([self._ffmpeg, *arguments], cwd=bench, stdout=subprocess.PIPE, stderr=errors) as encoder,
        ):
            try:
                assert encoder.stdout is not None
                for line in encoder.stdout:
                    name, _, value = line.decode().strip().partition("=")
                    if name == "out_time_us" and value.isdigit():
                        advance(min(int(value) / 1e6, self.seconds))
                code = encoder.wait()
            finally:
                encoder.kill()
        if code != 0:
            first = (log.read_text().strip().splitlines() or ["it said nothing"])[0]
            raise StudioError(
                f"ffmpeg could not encode {film.title} (exit code {code}): {first}",
                remedy=f"see {log}; a full disk is the usual reason (a film takes about 50 MB)",
            )

    def _check(self, film: Film, bench: Path) -> None:
        lost = [name for name in (*MANIFESTS, POSTER) if not (bench / name).is_file()]
        if lost or not any(bench.glob("chunk-*.m4s")):
            raise StudioError(
                f"ffmpeg wrote {film.title} without {', '.join(lost) or 'segments'}", remedy="run make demo again"
            )

    def _is_whole(self, film: Film) -> bool:
        try:
            known = (self._keys / film.title).read_text()
        except FileNotFoundError:
            return False
        return known == self.key(film) and (self.library / film.title / "master.m3u8").is_file()

    def key(self, film: Film) -> str:
        """The key of the film's recipe as this studio encodes it."""
        return recipe_key(film, seconds=self.seconds, encoder=Path(self._ffmpeg).name)


def undated(playlist: str) -> str:
    """``playlist`` without the wall-clock dates that ffmpeg adds: a film was not broadcast at any hour."""
    return re.sub(r"^#EXT-X-PROGRAM-DATE-TIME:.*\n", "", playlist, flags=re.MULTILINE)


def _font() -> bytes:
    # Pillow carries a font in its own code, so the burnt-in words do not depend on what the machine has installed.
    font = ImageFont.load_default(40)
    path = getattr(font, "path", None)
    if path is None or not hasattr(path, "getvalue"):
        raise StudioError("Pillow was built without FreeType", remedy="install pillow from its wheel: make setup")
    data: bytes = path.getvalue()
    return data
