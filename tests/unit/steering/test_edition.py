from __future__ import annotations

from steering.edition import HOLDINGS_MAX, Edition
from steering.holders import Holding
from tests.unit.steering.made_up import held, make_title

EDITION = Edition(make_title())


def test_edition_tells_what_of_it_can_be_played() -> None:
    title = EDITION.title
    whole = Holding(held(title))
    assert EDITION.held(whole) is EDITION.whole
    assert EDITION.held(whole) == frozenset(held(title))
    assert not EDITION.held(None)
    assert EDITION.held(Holding(held(title, "harbour/audio-en"))) == {"harbour/audio-en"}
    manifests = Holding(held(title, "harbour/manifests"))
    assert not EDITION.held(manifests)
    assert not EDITION.held_otherwise(manifests)


def test_edition_tells_another_one_from_nothing() -> None:
    old = Holding({"harbour/video-240p": "old"})
    assert (EDITION.held(old), EDITION.held_otherwise(old), EDITION.held_otherwise(None)) == (frozenset(), True, False)


def test_edition_forgets_holdings_beyond_its_bound() -> None:
    many = Edition(make_title())
    for number in range(HOLDINGS_MAX + 1):
        assert not many.held(Holding({"harbour/video-240p": str(number)}))
    assert len(many._held) == 1
