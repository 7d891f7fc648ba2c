from __future__ import annotations

import msgspec
from msgspec.structs import replace

from steering.decision.edition import HOLDINGS_MAX, Edition, escaped
from steering.fleet.holders import Holding
from tests.unit.steering.made_up import held, make_title

EDITION = Edition(make_title())


def test_edition_tells_what_of_it_can_be_played() -> None:
    title = EDITION.title
    whole = Holding.of(held(title))
    assert EDITION.held(whole) is EDITION.whole
    assert EDITION.held(whole) == frozenset(held(title))
    assert not EDITION.held(None)
    assert EDITION.held(Holding.of(held(title, "harbour/audio-en"))) == {"harbour/audio-en"}
    assert EDITION.held(Holding.of({**held(title), "harbour/extra": "1"})) is EDITION.whole
    manifests = Holding.of(held(title, "harbour/manifests"))
    assert not EDITION.held(manifests)
    assert not EDITION.held_otherwise(manifests)


def test_edition_of_nothing_but_manifests_is_held_by_nobody() -> None:
    title = make_title()
    edition = Edition(replace(title, assets=[item for item in title.assets if item.kind == "manifests"]))
    assert not edition.held(Holding.of(held(edition.title)))


def test_edition_tells_another_one_from_nothing() -> None:
    old = Holding.of({"harbour/video-240p": "old"})
    assert (EDITION.held(old), EDITION.held_otherwise(old), EDITION.held_otherwise(None)) == (frozenset(), True, False)


def test_edition_forgets_holdings_beyond_its_bound() -> None:
    many = Edition(make_title())
    for number in range(HOLDINGS_MAX + 1):
        assert not many.held(Holding.of({"harbour/video-240p": str(number)}))
    assert len(many._held) == 1


def test_edition_has_pieces_of_which_lists_of_urls_are_made() -> None:
    edition = Edition(make_title())
    first = edition.entries()[0]
    said = "{" + first.opens + first.between.join(["http://a", "http://b"]) + first.closes + "}"
    entry = edition.title.assets[0].entry
    assert msgspec.json.decode(said) == {"harbour/video-240p": [f"http://a{entry}", f"http://b{entry}"]}
    assert edition.entries() is edition.entries()


def test_edition_writes_names_as_json_does() -> None:
    title = make_title()
    odd = replace(title.assets[0], asset='harbour/"video"\\é', entry='/harbour/"a".m3u8')
    entry = Edition(replace(title, assets=[odd])).entries()[0]
    said = "{" + entry.opens + escaped('http://a"') + entry.closes + "}"
    assert msgspec.json.decode(said) == {odd.asset: ['http://a"/harbour/"a".m3u8']}
