from __future__ import annotations

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from oca.common.standing import Standing
from steering.api.messages import Device, Protocol
from steering.decision.candidate import Rejected
from steering.decision.edition import Assets, Edition
from steering.decision.ranking import Pathway, Ranking
from steering.decision.reasons import Said
from steering.players.answer import (
    Asking,
    declared_pathways,
    playback_answer,
    playback_body,
    playing_from,
    source_of,
    steering_answer,
    steering_url,
)
from steering.titles.catalogue import MpdTemplate
from tests.unit.steering.made_up import changed, make_title

TITLE = make_title()
NOBODY = Asking(client="", client_from="", prefix="", site="", base_url="", query="")


def way(name: str, *holds: str, url: str = "", source_class: str = "embedded") -> Pathway:
    whole = None if source_class == "fallback" else holds
    return Pathway(
        name,
        url or f"http://{name}.example",
        source_class=source_class,
        site="metro",
        distance_km=1.26,
        reasons=Said(f"why {name}"),
        holds=whole,
    )


A, B = way("a", "harbour/video-240p"), way("b", "harbour/video-240p", "harbour/video-1080p")
ORIGIN = way("origin", source_class="fallback")
AGAIN = way("origin-retry", source_class="fallback")


def standing_of(pathway: str) -> Standing:
    table: dict[str, Standing] = {"d": "draining", "u": "unknown", "x": "drained", "a": "up", "b": "up", "c": "up"}
    return table.get(pathway, "gone")


def priority(declared: list[str], *ranked: Pathway) -> list[str]:
    ranking = Ranking(ranked, ()) if ranked else None
    return steering_answer(declared, ranking, standing_of, ttl_s=10).pathway_priority


def test_source_is_the_next_holder_and_the_origin_at_worst() -> None:
    ways = (A, B, ORIGIN)
    assert source_of("harbour/video-240p", ways, 0) is A
    assert source_of("harbour/video-1080p", ways, 0) is B
    assert source_of("harbour/audio-en", ways, 0) is ORIGIN
    assert source_of("harbour/video-240p", (A, way("c"), way("d")), 1) is A
    assert source_of("harbour/audio-en", (A, B), 1) is B


def test_playback_answer_tells_urls_and_reasons() -> None:
    answer = playback_answer(
        Edition(TITLE),
        Ranking((B, ORIGIN, AGAIN), (Rejected("a", "gone"),)),
        Asking(
            client="10.0.0.1",
            client_from="parameter",
            prefix="10.0.0.0/8",
            site="metro",
            base_url="http://steering.example",
            query="client=10.0.0.1",
        ),
    )
    assert answer.hls_url == "http://steering.example/v1/playback/harbour/master.m3u8?client=10.0.0.1"
    assert answer.dash_url == ""
    assert (answer.pathways[0].pathway, answer.pathways[0].distance_km) == ("b", 1.3)
    assert [entry.why for entry in answer.rejected] == ["gone"]
    assert answer.assets["harbour/video-240p"] == [
        "http://b.example/harbour/harbour-video-240p.m3u8",
        "http://origin.example/harbour/harbour-video-240p.m3u8",
    ]
    assert msgspec.json.decode(msgspec.json.encode(answer))["pathways"][0]["class"] == "embedded"


def test_playback_answer_names_no_manifest_where_nobody_serves() -> None:
    assert playback_answer(Edition(TITLE), Ranking((), ()), NOBODY).hls_url == ""
    lone = Pathway(
        "o", "http://o.example", source_class="fallback", site="", distance_km=None, reasons=Said(""), holds=None
    )
    answer = playback_answer(Edition(TITLE), Ranking((lone,), ()), NOBODY)
    assert (answer.hls_url, answer.pathways[0].distance_km) == ("/v1/playback/harbour/master.m3u8", None)


def test_playback_answer_names_what_the_device_can_use() -> None:
    mpd = MpdTemplate(pieces=["", ""], slots=[""], folders=[""])
    wanted = frozenset({"harbour/video-240p"})
    cases: list[tuple[Protocol, bool, bool]] = [("hls", True, False), ("dash", False, True)]
    for protocol, hls, dash in cases:
        answer = playback_answer(
            Edition(replace(TITLE, mpd=mpd)),
            Ranking((B, ORIGIN), ()),
            changed(NOBODY, device=Device(protocols=(protocol,)), wanted=wanted),
        )
        assert (bool(answer.hls_url), bool(answer.dash_url)) == (hls, dash)
        assert set(answer.assets) == wanted


ASSETS = [item.asset for item in TITLE.assets]
WAYS = st.lists(st.one_of(st.none(), st.lists(st.sampled_from(ASSETS), unique=True).map(tuple)), max_size=5)


@given(WAYS, st.one_of(st.none(), st.frozensets(st.sampled_from(ASSETS))), st.text(), st.text())
def test_playback_body_is_the_answer_in_json(
    held: list[Assets | None], wanted: frozenset[str] | None, url: str, entry: str
) -> None:
    edition = Edition(replace(TITLE, assets=[replace(item, entry=item.entry + entry) for item in TITLE.assets]))
    ways = tuple(
        Pathway(
            name,
            f"http://{name}{url}",
            source_class="embedded",
            site="metro",
            distance_km=1.0,
            reasons=Said("well"),
            holds=holds,
            token_path="/t/token",
        )
        for name, holds in zip(["a", "b", "c", "d", "origin-retry"], held, strict=False)
    )
    asking = changed(NOBODY, wanted=wanted)
    answer = playback_answer(edition, Ranking(ways, ()), asking)
    for _ in range(2):
        assert playback_body(edition, Ranking(ways, ()), asking) == msgspec.json.encode(answer)


def test_steering_url_carries_all_that_the_answer_needs() -> None:
    assert steering_url("http://s.example", "hls", "harbour", [A, ORIGIN], "") == (
        "http://s.example/steer/hls?title=harbour&pathways=a,origin"
    )
    assert steering_url("http://s.example", "dash", "harbour", [A], "client=10.0.0.1").endswith("&client=10.0.0.1")


def test_steering_answer_is_what_players_need() -> None:
    answer = msgspec.json.decode(msgspec.json.encode(steering_answer(["a", "b"], None, standing_of, ttl_s=10)))
    assert answer == {"VERSION": 1, "TTL": 10, "PATHWAY-PRIORITY": ["a", "b"]}


def test_steering_answer_puts_best_first_and_what_is_out_last() -> None:
    declared = ["gone", "x", "origin-retry", "c", "origin", "d", "u", "a", "b"]
    assert priority(declared, B, A, ORIGIN) == ["b", "a", "u", "d", "origin", "origin-retry", "c", "gone", "x"]


def test_steering_answer_puts_cdn_before_whom_it_relieves_and_after_whom_it_does_not_know() -> None:
    cdn = way("cdn", source_class="fallback")
    declared = ["origin", "cdn", "a", "b", "d", "u", "x"]
    assert priority(declared, B, cdn, A, ORIGIN) == ["b", "u", "cdn", "a", "d", "origin", "x"]


def test_steering_answer_leaves_viewers_of_a_title_taken_out_where_they_are() -> None:
    """Boxes serve them until their tokens end: the origin is not to carry all of them at once."""
    declared = ["origin", "cdn", "b", "d", "a", "u", "x"]

    def told(playing: str, ranking: Ranking | None = None) -> list[str]:
        return steering_answer(declared, ranking, standing_of, ttl_s=10, playing=playing).pathway_priority

    assert told("") == told("b") == told("elsewhere") == ["b", "a", "u", "cdn", "d", "origin", "x"]
    for here in ("a", "u", "cdn", "origin"):
        assert told(here) == [here, *[each for each in told("") if each != here]]
    for out in ("d", "x"):
        assert told(out) == told("")
    # Nobody may or can serve it now, which is another matter: who starts, or drains, has it; the others do not.
    for ranking in (Ranking((), ()), Ranking((), (), "no rights in FR; granted: DE")):
        assert told("a", ranking) == ["u", "cdn", "d", "origin", "b", "a", "x"]


def test_steering_answer_names_only_declared_pathways() -> None:
    assert priority(["a", "origin"], B, A, ORIGIN) == ["a", "origin"]
    assert priority(["x", "d"], B, A, ORIGIN) == ["d", "x"]


@pytest.mark.parametrize(
    ("declared", "expected"),
    [([], ["origin", "origin-retry"]), (["a"], ["a", "origin"]), (["origin"], ["origin", "origin-retry"])],
)
def test_steering_answer_fills_up_to_two(declared: list[str], expected: list[str]) -> None:
    assert priority(declared) == expected


def test_steering_answer_ranks_undeclared_query_itself() -> None:
    assert priority([], B, A, ORIGIN) == ["b", "a", "origin"]


@pytest.mark.parametrize(
    ("said", "pathway"),
    [
        ("metro-a", "metro-a"),
        ('"metro-a,metro-b"', "metro-a"),
        ('"metro-a"', "metro-a"),
        ("", ""),
        (",metro-a", ""),
        ("METRO", ""),
        ("x" * 200, ""),
    ],
)
def test_playing_pathway_is_read_in_every_spelling(said: str, pathway: str) -> None:
    assert playing_from(said) == pathway


def test_declared_pathways_leave_out_what_is_no_id() -> None:
    assert declared_pathways('metro-a,,a b,"x",metro-a,ORIGIN,origin,-x') == ["metro-a", "origin"]
    assert declared_pathways(",".join(f"p{number}" for number in range(1000)))[-1] == "p31"


@given(st.text(max_size=300))
def test_steering_answer_always_has_two_known_pathways(text: str) -> None:
    declared = declared_pathways(text)
    listed = priority(declared, A, B, ORIGIN)
    assert len(listed) >= 2
    assert len(set(listed)) == len(listed)
    assert not declared or set(declared) <= set(listed)
