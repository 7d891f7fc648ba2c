from __future__ import annotations

from itertools import permutations

import msgspec
from msgspec.structs import replace

from steering.decision.edition import HOLDINGS_MAX, Edition, quoted
from steering.fleet.holders import Holding
from tests.unit.steering.made_up import held, make_title

EDITION = Edition(make_title())


def read(pieces: list[bytes]) -> object:
    return msgspec.json.decode(b"{%b}" % b"".join(pieces))


def test_edition_tells_what_of_it_can_be_played() -> None:
    title = EDITION.title
    whole = Holding.of(held(title))
    for _ in range(2):  # also what is remembered
        assert EDITION.held(whole) is EDITION.names
        assert EDITION.held(Holding.of({**held(title), "harbour/extra": "1"})) is EDITION.names
    assert sorted(EDITION.names) == sorted(held(title))
    assert not EDITION.held(None)
    assert EDITION.held(Holding.of(held(title, "harbour/audio-en"))) == ("harbour/audio-en",)
    manifests = Holding.of(held(title, "harbour/manifests"))
    assert not EDITION.held(manifests)
    assert not EDITION.held_otherwise(manifests)


def test_edition_tells_what_is_held_also_after_what_is_held_otherwise() -> None:
    title, audio = make_title(), "harbour/audio-en"
    whole, again = Holding.of(held(title)), Holding.of(held(title))
    beside = {**held(title), "harbour/extra": "1"}
    more = Holding.of(beside)
    less = Holding.of({name: revision for name, revision in beside.items() if name != audio})
    for turn in permutations((more, whole, less, again)):
        edition = Edition(title)
        for holding in turn * 2:
            wanted = {name for name in edition.names if name != audio or holding is not less}
            assert set(edition.held(holding)) == wanted


def test_edition_of_nothing_but_manifests_is_held_by_nobody() -> None:
    title = make_title()
    edition = Edition(replace(title, assets=[item for item in title.assets if item.kind == "manifests"]))
    assert not edition.held(Holding.of(held(edition.title)))


def test_edition_tells_another_one_from_nothing() -> None:
    old = Holding.of({"harbour/video-240p": "old"})
    assert (EDITION.held(old), EDITION.held_otherwise(old), EDITION.held_otherwise(None)) == ((), True, False)


def test_edition_forgets_holdings_beyond_its_bound() -> None:
    many = Edition(make_title())
    for number in range(HOLDINGS_MAX + 1):
        assert not many.held(Holding.of({"harbour/video-240p": str(number)}))
    assert many._otherwise is not None
    assert len(many._otherwise) == 1


def test_edition_writes_urls_of_all_that_it_is() -> None:
    edition = Edition(make_title())
    said = read(edition.urls([b"http://a", b"http://b"]))
    assert said == {item.asset: [f"http://a{item.entry}", f"http://b{item.entry}"] for item in edition.title.assets}
    assert read(edition.urls_held([(b"http://a", None), (b"http://b", edition.names)], None)) == said
    assert read(Edition(replace(make_title(), assets=[])).urls([b"http://a"])) == {}


def test_edition_writes_urls_of_those_that_hold_an_asset_that_is_wanted() -> None:
    edition = Edition(make_title())
    video, audio = "harbour/video-1080p", "harbour/audio-en"
    said = edition.urls_held([(b"http://a", (video,))], frozenset({video, audio}))
    assert read(said) == {
        video: ["http://a/harbour/harbour-video-1080p.m3u8"],
        audio: [],
    }


def test_edition_writes_names_as_json_does() -> None:
    title = make_title()
    odd = [
        replace(title.assets[0], asset='harbour/"video"\\é\n', entry='/harbour/"a".m3u8'),
        replace(title.assets[1], entry='/b","'),
    ]
    edition = Edition(replace(title, assets=odd))
    wanted = {item.asset: ['http://a"' + item.entry] for item in odd}
    base = quoted('http://a"')
    assert read(edition.urls([base])) == wanted
    assert read(edition.urls_held([(base, None)], None)) == wanted


def test_edition_of_what_is_stored_reads_the_title_again_for_who_wants_all_of_it() -> None:
    title = make_title(regions=["DE"], origin_url="http://own.example", released_at_ns=7)
    edition = Edition(title, msgspec.msgpack.encode(title))
    assert edition.title == title
    assert edition.title is not title
    assert (edition.id, edition.regions, edition.released_at_ns) == ("harbour", ("DE",), 7)
    assert (edition.origin_url, edition.mount, edition.has_mpd) == ("http://own.example", "/harbour", False)
