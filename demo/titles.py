"""The invented films of the demo: a name, a line of synopsis, and the sources that draw and sound each of them.

Pure. How a film is encoded is the ladder's business; this says only what is in it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

PICTURE_RATE = 24


@dataclass(frozen=True, slots=True)
class Film:
    """One invented title.

    Attributes:
        title: Its id, a folder name and part of every URL.
        name: What viewers read. Letters, digits and spaces only: it is drawn by an ffmpeg filter.
        synopsis: One line.
        picture: An ffmpeg lavfi graph that draws it without end, at any size with 16:9.
        notes_hz: The chord that sounds in it.
        swell_s: How long the chord takes to come and go.
    """

    title: str
    name: str
    synopsis: str
    picture: str
    notes_hz: tuple[float, ...]
    swell_s: float


FILMS: tuple[Film, ...] = (
    Film(
        "harbour-lights",
        "Harbour Lights",
        "A lighthouse keeper counts the ships that never dock.",
        "gradients=size=640x360:rate=24:n=6:speed=0.03:type=linear:seed=3:"
        "c0=#0b1d3a:c1=#f2a65a:c2=#1b4965:c3=#ee6352:c4=#123a5e:c5=#ffd166",
        (196.0, 246.94, 293.66),
        6,
    ),
    Film(
        "small-lives",
        "Small Lives",
        "A city of cells is born, quarrels and settles down by morning.",
        "life=size=384x216:rate=12:mold=12:ratio=0.2:rule=B3/S23:death_color=#1a2a5a:life_color=#ffd080:"
        "mold_color=#101430:stitch=1:seed=7,fps=24,scale=1920:1080:flags=neighbor",
        (261.63, 329.63, 392.0),
        3,
    ),
    Film(
        "forty-decimal-places",
        "Forty Decimal Places",
        "A cartographer follows a coastline inwards and never arrives.",
        "mandelbrot=size=640x360:rate=24:maxiter=220:start_scale=2.6:end_scale=0.012:end_pts=1800:inner=black:bailout=12",
        (146.83, 220.0, 277.18),
        9,
    ),
    Film(
        "standing-waves",
        "Standing Waves",
        "Two stones meet in a pond that has been still for a hundred years.",
        "zoneplate=size=640x360:rate=24:precision=10:xo=-140:yo=-60:kx2=110:ky2=110:kt=9,format=yuv420p,"
        "colorize=hue=195:saturation=0.55:lightness=0.5:mix=0.25",
        (174.61, 220.0, 261.63),
        4,
    ),
    Film(
        "weather-permitting",
        "Weather Permitting",
        "Three forecasters share one window and cannot agree what they see.",
        "perlin=size=240x136:rate=24:octaves=3:persistence=0.6:xscale=3:yscale=2:tscale=0.25:random_mode=seed:"
        "random_seed=3,format=yuv420p,eq=contrast=1.6,colorize=hue=205:saturation=0.5:lightness=0.55:mix=0.3",
        (130.81, 196.0, 233.08),
        8,
    ),
    Film(
        "test-card-summer",
        "Test Card Summer",
        "The last night shift at a television station that nobody remembered to close.",
        "testsrc2=size=1920x1080:rate=24",
        (440.0, 554.37),
        2,
    ),
    Film(
        "the-colour-merchant",
        "The Colour Merchant",
        "He sells each shade once, and today a stranger asks for grey.",
        "gradients=size=640x360:rate=24:n=4:speed=0.04:type=radial:seed=9,hue=h=t*20",
        (207.65, 261.63, 311.13),
        5,
    ),
    Film(
        "the-carpet-weaver",
        "The Carpet Weaver",
        "She left a hole in every carpet, and a hole in every piece that was left.",
        "sierpinski=size=480x270:rate=12:type=carpet:jump=40:seed=4,fps=24,format=yuv420p,"
        "colorize=hue=12:saturation=0.55:lightness=0.45:mix=0.45",
        (164.81, 207.65, 246.94),
        7,
    ),
    Film(
        "rule-thirty",
        "Rule Thirty",
        "One black square, one simple law, and no way to guess what comes next.",
        "cellauto=size=192x108:rate=8:rule=30:seed=11,fps=24,scale=1920:1080:flags=neighbor,format=yuv420p,"
        "colorize=hue=150:saturation=0.45:lightness=0.5:mix=0.5",
        (110.0, 164.81, 220.0, 277.18),
        4,
    ),
    Film(
        "reception",
        "Reception",
        "A television set remembers everything it ever showed, all at once.",
        "smptehdbars=size=640x360:rate=24,rotate=t*0.25:fillcolor=black,hue=h=t*15,lagfun=decay=0.96",
        (98.0, 146.83, 246.94),
        3,
    ),
)


def films(count: int) -> Sequence[Film]:
    """The first ``count`` films; at least one, at most all of them."""
    return FILMS[: max(1, min(count, len(FILMS)))]
