"""How a film is encoded: three rungs of H.264 and one AAC track, cut every 4 s, as CMAF with HLS and DASH manifests.

Pure: it writes the ffmpeg command; ``studio`` runs it.
"""

from __future__ import annotations

from dataclasses import dataclass

from demo.titles import PICTURE_RATE, Film
from oca.common.digest import digest_hex

SEGMENT_S = 4
AUDIO_BITS_PER_S = 96_000
MANIFESTS = ("master.m3u8", "manifest.mpd")
POSTER = "poster.jpg"
POSTER_AT_S = 9


@dataclass(frozen=True, slots=True)
class Rung:
    """One video rendition."""

    width: int
    height: int
    bits_per_s: int


RUNGS = (Rung(426, 240, 235_000), Rung(854, 480, 1_000_000), Rung(1920, 1080, 5_000_000))


def encode_arguments(film: Film, *, seconds: int, font: str) -> list[str]:
    """The arguments of one ffmpeg run that writes the whole package into its working folder.

    The picture is drawn once at full size and scaled down for the lower rungs. Key frames fall every 4 s in each
    rung, so that a player changes rendition, or appliance, at any segment.

    Args:
        film: What to draw and sound.
        seconds: Its length.
        font: A font file, relative to the working folder (an absolute path may hold what a filter would misread).
    """
    pictures = ";".join(
        [
            f"[0:v]{_graph(film, font)},split={len(RUNGS)}{''.join(f'[full{i}]' for i in range(len(RUNGS)))}",
            *(
                f"[full{i}]scale={rung.width}:{rung.height}:flags=fast_bilinear[rung{i}]"
                for i, rung in enumerate(RUNGS)
            ),
        ]
    )
    gop = SEGMENT_S * PICTURE_RATE
    # fmt: off
    return [
        "-hide_banner", "-loglevel", "error", "-nostdin", "-y", "-progress", "pipe:1",
        "-f", "lavfi", "-i", film.picture,
        "-f", "lavfi", "-i", sound(film),
        "-filter_complex", pictures,
        *(part for i in range(len(RUNGS)) for part in ("-map", f"[rung{i}]")), "-map", "1:a",
        "-t", str(seconds),
        # Bit rates near the ladder's matter here, quality hardly: the fastest preset, and no look-ahead.
        "-c:v", "libx264", "-preset", "ultrafast", "-tune", "zerolatency", "-x264-params", "sliced-threads=0",
        "-pix_fmt", "yuv420p", "-g", str(gop), "-keyint_min", str(gop), "-sc_threshold", "0",
        *(part for i, rung in enumerate(RUNGS) for part in _rate(i, rung)),
        "-c:a", "aac", "-b:a", str(AUDIO_BITS_PER_S), "-ac", "2",
        "-f", "dash", "-seg_duration", str(SEGMENT_S), "-use_template", "1", "-use_timeline", "1",
        "-hls_playlist", "1", "-adaptation_sets", "id=0,streams=v id=1,streams=a", "manifest.mpd",
    ]
    # fmt: on


def poster_arguments(film: Film, *, font: str) -> list[str]:
    """The arguments of an ffmpeg run that draws one picture of the film, with its title but no clock."""
    # fmt: off
    return [
        "-hide_banner", "-loglevel", "error", "-nostdin", "-y",
        "-f", "lavfi", "-i", film.picture,
        "-vf", f"trim=start={POSTER_AT_S},scale=640:360,format=yuvj420p,{_title(film, font, height=360)}",
        "-frames:v", "1", "-update", "1", "-q:v", "4", POSTER,
    ]
    # fmt: on


def recipe_key(film: Film, *, seconds: int, encoder: str) -> str:
    """A digest over everything that shapes the encoded film: another key means it must be encoded anew."""
    arguments = encode_arguments(film, seconds=seconds, font="font.ttf") + poster_arguments(film, font="font.ttf")
    return digest_hex("\0".join([encoder, *arguments]).encode())


def sound(film: Film) -> str:
    """A chord that swells and fades, a little apart left and right."""
    level = 0.5 / len(film.notes_hz)
    swell = f"(0.55+0.45*sin(2*PI*t/{film.swell_s}))"
    left = "+".join(f"sin(2*PI*{note}*t)" for note in film.notes_hz)
    right = "+".join(f"sin(2*PI*{note + 0.4:.2f}*t)" for note in film.notes_hz)
    return f"aevalsrc='{level:.3f}*{swell}*({left})|{level:.3f}*{swell}*({right})':s=48000:c=stereo"


def _graph(film: Film, font: str) -> str:
    clock = (
        f"drawtext=fontfile={font}:text='%{{pts\\:hms}}':fontsize=64:fontcolor=white:borderw=4:bordercolor=black@0.7:"
        "x=w-440:y=h-168"
    )
    return f"scale=1920:1080:flags=bilinear,format=yuv420p,{_title(film, font, height=1080)},{clock}"


def _title(film: Film, font: str, *, height: int) -> str:
    size = height * 96 // 1080
    return (
        f"drawtext=fontfile={font}:text='{film.name}':fontsize={size}:fontcolor=white:borderw={max(2, size // 20)}:"
        f"bordercolor=black@0.7:x={size}:y=h-{size * 2}"
    )


def _rate(index: int, rung: Rung) -> list[str]:
    # A ceiling close above the mean keeps each segment near its rung's rate, as a provider's encoder would.
    return [
        f"-b:v:{index}",
        str(rung.bits_per_s),
        f"-maxrate:v:{index}",
        str(rung.bits_per_s * 11 // 10),
        f"-bufsize:v:{index}",
        str(rung.bits_per_s * 2),
    ]
