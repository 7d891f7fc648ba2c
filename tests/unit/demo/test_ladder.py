from __future__ import annotations

import dataclasses

from demo.ladder import RUNGS, encode_arguments, poster_arguments, recipe_key, sound
from demo.titles import FILMS

FILM = FILMS[0]


def test_arguments_name_every_rung_once() -> None:
    arguments = encode_arguments(FILM, seconds=60, font="font.ttf")
    for index, rung in enumerate(RUNGS):
        assert arguments[arguments.index(f"-b:v:{index}") + 1] == str(rung.bits_per_s)
        assert f"scale={rung.width}:{rung.height}" in arguments[arguments.index("-filter_complex") + 1]
    assert [rung.bits_per_s for rung in RUNGS] == [235_000, 1_000_000, 5_000_000]


def test_arguments_put_key_frame_on_every_segment() -> None:
    arguments = encode_arguments(FILM, seconds=60, font="font.ttf")
    assert arguments[arguments.index("-g") + 1] == "96"
    assert arguments[arguments.index("-seg_duration") + 1] == "4"


def test_arguments_burn_in_title_and_clock() -> None:
    graph = encode_arguments(FILM, seconds=60, font="font.ttf")[10:]
    assert any(FILM.name in part and "%{pts" in part for part in graph)
    assert not any("%{pts" in part for part in poster_arguments(FILM, font="font.ttf"))


def test_recipe_key_changes_with_recipe() -> None:
    key = recipe_key(FILM, seconds=60, encoder="ffmpeg-9")
    assert key == recipe_key(FILM, seconds=60, encoder="ffmpeg-9")
    others = {
        recipe_key(FILM, seconds=61, encoder="ffmpeg-9"),
        recipe_key(FILM, seconds=60, encoder="ffmpeg-10"),
        recipe_key(FILMS[1], seconds=60, encoder="ffmpeg-9"),
        recipe_key(dataclasses.replace(FILM, notes_hz=(440.0,)), seconds=60, encoder="ffmpeg-9"),
    }
    assert key not in others
    assert len(others) == 4


def test_sound_stays_below_full_level() -> None:
    chord = sound(dataclasses.replace(FILM, notes_hz=(100.0, 200.0, 300.0, 400.0)))
    assert chord.count("sin(2*PI*") == 2 * (4 + 1)
    assert "0.125*" in chord
