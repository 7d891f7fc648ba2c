from __future__ import annotations

import msgspec
import pytest

from demo.titles import FILMS, PICTURE_RATE, Film, films
from oca.common.messages import Name


def test_films_number_eight_or_more() -> None:
    assert len(FILMS) >= 8


@pytest.mark.parametrize("film", FILMS, ids=lambda film: film.title)
def test_film_has_usable_words(film: Film) -> None:
    msgspec.convert(film.title, Name)
    assert film.name.replace(" ", "").isalnum()
    assert film.synopsis.endswith(".")
    assert "\n" not in film.synopsis


def test_films_differ_in_picture_and_sound() -> None:
    assert len({film.picture for film in FILMS}) == len(FILMS)
    assert len({(film.notes_hz, film.swell_s) for film in FILMS}) == len(FILMS)


def test_picture_keeps_the_common_rate() -> None:
    assert all(f"={PICTURE_RATE}" in film.picture for film in FILMS)


@pytest.mark.parametrize(("wanted", "got"), [(0, 1), (3, 3), (99, len(FILMS))])
def test_films_keeps_count_within_bounds(wanted: int, got: int) -> None:
    assert list(films(wanted)) == list(FILMS[:got])
