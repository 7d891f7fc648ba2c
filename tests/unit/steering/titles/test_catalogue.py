from __future__ import annotations

from steering.state.embedded import EmbeddedState
from steering.titles.catalogue import DECODED_KEPT, Catalogue, write_title
from tests.unit.steering.made_up import make_title


def put(state: EmbeddedState, *titles: str, synopsis: str = "Once") -> None:
    with state.write() as transaction:
        for title in titles:
            write_title(transaction, make_title(title, synopsis=synopsis), [])


def test_catalogue_reads_titles_as_they_are_asked_for(state: EmbeddedState) -> None:
    put(state, "harbour", "mill")
    catalogue = Catalogue(state)
    assert (sorted(catalogue.titles), len(catalogue.titles), catalogue.titles.get("mist")) == (
        ["harbour", "mill"],
        2,
        None,
    )
    assert catalogue.titles["mill"] == make_title("mill", synopsis="Once")
    assert catalogue.titles["mill"] is catalogue.titles["mill"]
    assert [title.title for title in catalogue.titles.each()] == ["harbour", "mill"]
    assert catalogue.title_of("mill/video-240p") is catalogue.titles["mill"]


def test_catalogue_finds_assets_by_their_titles(state: EmbeddedState) -> None:
    put(state, "harbour")
    assets = Catalogue(state).assets
    assert assets["harbour/audio-en"].kind == "audio"
    assert "harbour/audio-fr" not in assets
    assert "mist/audio-en" not in assets.keys()  # noqa: SIM118 - the way in which demand is folded
    assert (len(assets), sorted(assets)) == (4, sorted(asset.asset for asset in make_title().assets))


def test_catalogue_takes_up_what_is_published_and_keeps_the_rest_decoded(state: EmbeddedState) -> None:
    put(state, "harbour", "mill")
    catalogue = Catalogue(state)
    before, mill = catalogue.titles, catalogue.titles["mill"]
    assert not catalogue.changed()
    put(state, "harbour", synopsis="Twice")
    assert catalogue.changed()
    assert catalogue.refresh()
    assert not catalogue.refresh()
    assert (catalogue.titles["harbour"].synopsis, before["harbour"].synopsis) == ("Twice", "Once")
    assert catalogue.titles["mill"] is mill


def test_catalogue_keeps_few_titles_decoded(state: EmbeddedState) -> None:
    put(state, *(f"t{number}" for number in range(3)))
    catalogue = Catalogue(state)
    assert DECODED_KEPT >= 1000
    catalogue._decoded._keep = 1
    first = catalogue.titles["t0"]
    assert catalogue.titles["t1"].title == "t1"
    assert catalogue.titles["t2"].title == "t2"
    assert len(catalogue._decoded) == 2
    assert catalogue.titles["t0"] == first
    assert catalogue.titles["t0"] is not first
