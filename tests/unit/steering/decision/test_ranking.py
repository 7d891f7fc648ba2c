from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from ipaddress import ip_address
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from steering.decision.candidates import Rack
from steering.decision.edition import Edition
from steering.decision.feedback import Score, Slowed
from steering.decision.order import Order, RankedSite, home_of, nearest_sites, order_sites
from steering.decision.ranking import Ranking, _holding, rank
from steering.decision.viewer import Viewer
from steering.fleet.holders import Holding
from steering.fleet.liveness import Liveness
from steering.routes.reach import Reach
from steering.settings import RoutesTable, Site
from steering.titles.catalogue import Title
from tests.unit.steering.made_up import (
    NOW_NS,
    ORIGIN,
    Box,
    changed,
    held,
    look_at,
    make_candidate,
    make_site,
    make_title,
    revision,
    told,
)

TITLE = make_title()
ALL = held(TITLE)
GONE = Liveness("gone", 0.0, "last report 9.0 s old, limit 4.5 s")
DEGRADED = Liveness("up", 0.5, "degraded: disk slow")


@dataclass
class World:
    """Sites with their candidates."""

    sites: list[Site]
    candidates: dict[str, list[Box]] = field(default_factory=dict)

    def holds(self, site: str) -> bool:
        return any(holding is not None for _, holding in self.candidates.get(site, []))

    def rank(self, client: str = "10.1.0.1", title: Title = TITLE, **changes: Any) -> Ranking:
        reach = Reach(self.sites, RoutesTable())
        number = int(ip_address(client))
        covering = reach.claims.covering(4, number)
        claims = [found for _, found in covering]
        options: dict[str, Any] = {
            "now_ns": NOW_NS,
            "origin_url": ORIGIN,
            "appliances_max": 4,
            **changes,
        }
        by_id = {site.id: site for site in self.sites}
        home = home_of(claims)
        nearest = nearest_sites(self.sites, by_id.get(home), per_class_max=9)
        order = order_sites(by_id, claims, nearest, explain=options.get("explain", False))
        if not options.get("explain", False):
            order = [tier for tier in order if tier[0].reach >= 0 or any(self.holds(ranked.site.id) for ranked in tier)]
        viewer = Viewer(
            home,
            version=4,
            number=number,
            lengths=[length for length, _ in covering],
            reach=claims,
            region=options.pop("region", ""),
            network=client.rpartition(".")[0],
        )
        return rank(Edition(title), order, look_at(self.candidates), viewer, **options)


def with_share(box: Box, share: float) -> Box:
    return changed(box[0], share=share, full="nearly full" if share < box[0].liveness.weight else ""), box[1]


def pathways(ranking: Ranking) -> list[str]:
    return [pathway.pathway for pathway in ranking.pathways]


def lost(ranking: Ranking) -> dict[str, str]:
    return {entry.pathway: entry.why for entry in ranking.rejected}


def world() -> World:
    sites = [
        make_site("far", "regional", latitude=10),
        make_site("near", "regional", latitude=51),
        make_site("peer", "peering", latitude=40),
        make_site("metro", prefixes=("10.1.0.0/16",), latitude=52),
        make_site("wide", prefixes=("10.0.0.0/8",), latitude=0),
        make_site("other", prefixes=("172.16.0.0/12",), latitude=52),
    ]
    return World(sites, {site.id: [make_candidate(f"{site.id}-a", ALL)] for site in sites})


def test_ranking_goes_by_class_then_prefix_then_distance() -> None:
    assert pathways(world().rank(appliances_max=9)) == ["metro-a", "wide-a", "peer-a", "near-a", "far-a", "origin"]


def test_ranking_leaves_embedded_sites_to_their_own_clients() -> None:
    ranking = world().rank("192.0.2.1", explain=True)
    assert pathways(ranking) == ["peer-a", "far-a", "near-a", "origin"]
    assert lost(ranking)["metro-a"] == "embedded in another network than the client's"
    assert "client in no prefix" in ranking.pathways[0].why


def test_ranking_prefers_own_prefix_within_class() -> None:
    two = World(
        [make_site("a", "peering"), make_site("b", "peering", prefixes=("10.0.0.0/8",), latitude=80)],
        {"a": [make_candidate("a-a", ALL)], "b": [make_candidate("b-a", ALL)]},
    )
    assert pathways(two.rank()) == ["b-a", "a-a", "origin"]


def test_nearest_sites_are_few_of_each_class() -> None:
    home = make_site("home", latitude=50)
    sites = [make_site(f"r{number}", "regional", latitude=number) for number in range(40, 60)]
    sites += [make_site("peer", "peering", latitude=-50), home]
    nearest = nearest_sites(sites, home, per_class_max=2)
    assert [near.site.id for near in nearest] == ["peer", "r50", "r49"]


def test_ranking_says_why_first_is_first() -> None:
    first = world().rank().pathways[0]
    assert first.why == (
        "nearest: embedded site metro: client in its prefix 10.1.0.0/16 by the site's own list, 0 km from metro; "
        "holds it whole; report 1.0 s old, limit 4.5 s"
    )
    assert (first.source_class, first.site, first.distance_km) == ("embedded", "metro", 0.0)


def test_ranking_passes_over_appliances_that_are_out_or_empty() -> None:
    there = world()
    there.candidates["metro"] = [
        make_candidate("metro-a", ALL, GONE),
        make_candidate("metro-b", {}),
        make_candidate("metro-c", {asset: revision("older") for asset in ALL}),
        make_candidate("metro-d", held(TITLE, "harbour/manifests")),
        make_candidate("metro-e", ALL),
    ]
    ranking = there.rank()
    assert pathways(ranking)[0] == "metro-e"
    assert lost(ranking) == {
        "metro-a": "last report 9.0 s old, limit 4.5 s",
        "metro-b": "does not hold this title",
        "metro-c": "holds only an earlier revision of this title",
        "metro-d": "does not hold this title",
    }


def test_ranking_prefers_whole_within_site() -> None:
    there = world()
    there.candidates["metro"] = [
        make_candidate("metro-b", held(TITLE, "harbour/video-240p")),
        make_candidate("metro-c", ALL),
    ]
    ranking = there.rank()
    assert pathways(ranking)[:2] == ["metro-c", "metro-b"]
    assert "holds 1 of its 4 assets" in ranking.pathways[1].why
    assert ranking.pathways[1].has("harbour/video-240p")
    assert not ranking.pathways[1].has("harbour/video-1080p")
    assert ranking.pathways[-1].has("anything")


def test_ranking_gives_degraded_box_its_share_of_networks() -> None:
    there = world()
    there.candidates["metro"] = [with_share(make_candidate("metro-a", ALL, DEGRADED), 0.5)]
    first = [there.rank(client=f"10.1.{number}.1").pathways[0] for number in range(200)]
    sent = [pathway.why for pathway in first if pathway.pathway == "metro-a"]
    assert 70 <= len(sent) <= 130
    assert sent[0].endswith("degraded: disk slow; takes 50% of its viewers")


def test_ranking_spreads_titles_over_equals_and_keeps_a_title_together() -> None:
    there = World(
        [make_site("metro", prefixes=("10.0.0.0/8",))],
        {"metro": [make_candidate(f"m-{letter}", {}) for letter in "abcd"]},
    )
    firsts = set()
    for number in range(40):
        title = make_title(f"t{number}")
        there.candidates["metro"] = [make_candidate(f"m-{letter}", held(title)) for letter in "abcd"]
        before = pathways(there.rank(title=title))
        firsts.add(before[0])
        there.candidates["metro"].pop()
        assert pathways(there.rank(title=title)) == [name for name in before if name != "m-d"]
    assert len(firsts) == 4


def test_ranking_stops_at_enough_appliances() -> None:
    there = world()
    there.candidates["metro"] += [make_candidate("metro-b", ALL)]
    ranking = there.rank(appliances_max=1)
    assert len(ranking.pathways) == 2
    assert list(lost(ranking).values()) == ["1 better ones are enough"]
    explained = there.rank(appliances_max=1, explain=True)
    assert set(lost(explained)) | set(pathways(explained)) == {
        *("far-a", "near-a", "peer-a", "metro-a", "metro-b", "wide-a", "other-a", "origin")
    }


def test_ranking_bounds_reasons() -> None:
    crowd = World(
        [make_site("home", prefixes=("10.0.0.0/8",)), *(make_site(f"s{n}", "regional", latitude=n) for n in range(3))],
        {"home": [make_candidate(f"a{number}", {}) for number in range(250)], "s1": [make_candidate("b", ALL)]},
    )
    assert pathways(crowd.rank()) == ["origin", "origin-retry"]


def test_ranking_spreads_equally_near_sites_by_title() -> None:
    there = World([make_site(f"s{number}", "regional") for number in range(4)])
    firsts = set()
    for number in range(40):
        title = make_title(f"t{number}")
        there.candidates = {f"s{number}": [make_candidate(f"s{number}-a", held(title))] for number in range(4)}
        firsts.add(pathways(there.rank("192.0.2.1", title))[0])
    assert len(firsts) == 4


def test_ranking_sets_nearly_full_box_back_for_its_share_of_networks() -> None:
    there = world()
    there.candidates["metro"] = [with_share(make_candidate("metro-a", ALL), 0.25)]
    firsts = Counter(pathways(there.rank(f"10.1.{number}.1"))[0] for number in range(256))
    assert firsts["metro-a"] + firsts["wide-a"] == 256
    assert 40 <= firsts["metro-a"] <= 90
    there.candidates["metro"] = [with_share(make_candidate("metro-a", ALL), 0.0)]
    ranking = there.rank()
    assert pathways(ranking) == ["wide-a", "peer-a", "near-a", "far-a", "origin"]
    assert lost(there.rank(appliances_max=9)) == {}
    assert pathways(there.rank(appliances_max=9))[-2:] == ["metro-a", "origin"]
    assert "nearly full: takes 0% of its viewers" in there.rank(appliances_max=9).pathways[-2].why


def test_ranking_moves_only_viewers_of_box_that_goes() -> None:
    there = World(
        [make_site("metro", prefixes=("10.0.0.0/8",)), make_site("far", "regional")],
        {"metro": [make_candidate(f"m-{letter}", {}) for letter in "abc"], "far": [make_candidate("f-a", {})]},
    )
    for number in range(60):
        title = make_title(f"t{number}")
        there.candidates = {
            site: [with_share(make_candidate(made.appliance, held(title)), 0.5) for made, _ in mades]
            for site, mades in there.candidates.items()
        }
        before = pathways(there.rank(f"10.0.{number}.1", title))
        gone = before[0]
        left = {site: [box for box in mades if box[0].appliance != gone] for site, mades in there.candidates.items()}
        after = pathways(World(there.sites, left).rank(f"10.0.{number}.1", title))
        assert after == [name for name in before if name != gone]


def test_ranking_doubles_lone_origin() -> None:
    assert pathways(World([]).rank()) == ["origin", "origin-retry"]
    assert World([]).rank(origin_url="").pathways == ()
    assert len(world().rank(origin_url="", appliances_max=2).pathways) == 2


def test_ranking_bars_by_rights_and_release() -> None:
    restricted = make_title(regions=["DE", "FR"])
    assert world().rank(title=restricted, region="US").barred == "no rights in US; granted: DE, FR"
    coming = make_title(released_at_ns=NOW_NS + 1)
    assert world().rank(title=coming).barred.startswith("not released before 2024-10-04T00:00:00Z")


def test_ranking_keeps_title_out_of_sites_without_rights() -> None:
    restricted = make_title(regions=["DE"])
    there = World(
        [make_site("metro", prefixes=("10.0.0.0/8",), region="DE"), make_site("r", "regional")],
        {"metro": [make_candidate("metro-a", ALL)], "r": [make_candidate("r-a", ALL)]},
    )
    ranking = there.rank(title=restricted, region="DE")
    assert pathways(ranking) == ["metro-a", "origin"]
    assert lost(ranking) == {"r-a": "its site r is in no known region: no rights there"}


LIVES = st.sampled_from([Liveness("up", 1.0, "well"), DEGRADED, GONE, Liveness("drained", 0.0, "drained")])
CONTENTS = st.sets(st.sampled_from(sorted(ALL))).map(lambda assets: held(TITLE, *assets) if assets else {})
REGIONS = st.sampled_from(["", "DE", "FR"])
BOXES = st.lists(st.tuples(LIVES, CONTENTS, st.floats(0, 1)), max_size=8)


@given(
    BOXES, st.sampled_from(["10.1.0.1", "172.16.0.9", "192.0.2.1"]), st.lists(REGIONS, min_size=6, max_size=6), REGIONS
)
def test_ranking_never_names_an_appliance_that_may_not_serve(
    boxes: Sequence[tuple[Liveness, dict[str, str], float]], client: str, regions: list[str], granted: str
) -> None:
    there = world()
    there.sites = [replace(site, region=region) for site, region in zip(there.sites, regions, strict=True)]
    region_of = {site.id: site.region for site in there.sites}
    names = [site.id for site in there.sites]
    there.candidates = {name: [] for name in names}
    for number, (liveness, contents, share) in enumerate(boxes):
        box = with_share(make_candidate(f"x{number}", contents, liveness), share)
        there.candidates[names[number % len(names)]].append(box)
    title = make_title(regions=[granted] if granted else [])
    ranking = there.rank(client, title, region=granted)
    assert told(there.rank(client, title, region=granted)) == told(ranking)
    assert ranking.pathways[-1].source_class == "fallback"
    assert len(ranking.pathways) >= 2
    known = {
        made.appliance: (site, made, holding) for site, mades in there.candidates.items() for made, holding in mades
    }
    embedded = {"10.1.0.1": {"metro", "wide"}, "172.16.0.9": {"other"}, "192.0.2.1": set()}[client]
    able = set()
    for name, (site, made, holding) in known.items():
        holds = set(holding.assets) - {"harbour/manifests"} if holding is not None else set()
        near = site in embedded or site in ("far", "near", "peer")
        if made.liveness.takes_viewers and holds and near and (not granted or region_of[site] == granted):
            able.add(name)
    chosen = [pathway.pathway for pathway in ranking.pathways if pathway.source_class != "fallback"]
    assert set(chosen) <= able
    assert len(chosen) == min(len(able), 4)
    playing = there.rank(client, title, region=granted, playing="x0", declared=tuple(known))
    assert {way.pathway for way in playing.pathways if way.source_class != "fallback"} == able
    shares = [known[name][1].share for name in chosen]
    if 0.0 in shares:  # a full box is behind all that have room
        assert max(shares[shares.index(0.0) :]) < 1


@given(BOXES, st.integers(0, 7))
def test_ranking_without_a_box_moves_only_its_viewers(
    boxes: Sequence[tuple[Liveness, dict[str, str], float]], gone: int
) -> None:
    there = world()
    for mades in there.candidates.values():
        mades.clear()
    names = [site.id for site in there.sites]
    for number, (liveness, contents, share) in enumerate(boxes):
        box = with_share(make_candidate(f"x{number}", contents, liveness), share)
        there.candidates[names[number % len(names)]].append(box)
    before = pathways(there.rank(appliances_max=9))
    for site, mades in there.candidates.items():
        there.candidates[site] = [box for box in mades if box[0].appliance != f"x{gone}"]
    after = pathways(there.rank(appliances_max=9))
    assert [name for name in after if not name.startswith("origin")] == [
        name for name in before if name != f"x{gone}" and not name.startswith("origin")
    ]


def test_ranking_gives_slowed_path_its_share_and_says_why() -> None:
    slowed = Slowed(0.5, Score(0.2, 14), 0.02)
    there = world()
    viewers = [Viewer(network=f"{number}", slowed={"peer-a": slowed}) for number in range(200)]
    order = order_sites({site.id: site for site in there.sites}, [], nearest_sites(there.sites, None, per_class_max=9))
    first = []
    for viewer in viewers:
        ranking = rank(
            Edition(TITLE),
            order,
            look_at(there.candidates),
            viewer,
            now_ns=NOW_NS,
            origin_url=ORIGIN,
            appliances_max=4,
        )
        first.append(ranking.pathways[0])
    sent = [pathway.why for pathway in first if pathway.pathway == "peer-a"]
    assert 70 <= len(sent) <= 130
    assert sent[0].endswith(
        "players there starve: 20.0% of requests, by the median of 14 networks, 2.0% is usual; takes 50% of its viewers"
    )


def neighbourhood(share: float = 1.0, *, boxes: int = 4, others: int = 4) -> World:
    """A site with several boxes, and open sites around it with one each."""
    sites = [make_site("metro", prefixes=("10.0.0.0/8",), latitude=50)]
    sites += [make_site(f"site-{number}", "regional", latitude=40 - number) for number in range(others)]
    found = {"metro": [make_candidate(f"metro-{number}", ALL) for number in range(boxes)]}
    found |= {f"site-{number}": [with_share(make_candidate(f"box-{number}", ALL), share)] for number in range(others)}
    return World(sites, found)


def test_ranking_keeps_last_places_for_other_sites_spread_over_the_next_few() -> None:
    last: Counter[str] = Counter()
    for number in range(300):
        client = f"10.{number // 200}.{number % 200}.1"
        ways = pathways(neighbourhood().rank(client))
        assert len(ways) == 5
        assert [name.startswith("metro") for name in ways[:4]] == [True, True, False, False]
        last[ways[2]] += 1
        explained = neighbourhood().rank(client, explain=True)
        assert pathways(explained) == ways
        assert not {ways[2], ways[3]} & lost(explained).keys()
    assert set(last) == {"box-0", "box-1", "box-2"}
    assert min(last.values()) > 60


def test_ranking_keeps_no_place_where_there_is_nobody_elsewhere() -> None:
    assert pathways(neighbourhood(others=0).rank())[3].startswith("metro")
    assert pathways(neighbourhood(0.0).rank())[3].startswith("metro")
    assert len(pathways(neighbourhood().rank(appliances_max=1))) == 2


def test_ranking_passes_over_neighbours_without_room_and_without_the_title() -> None:
    there = neighbourhood(others=5)
    for site in ("site-0", "site-2"):
        there.candidates[site] = [(box, None) for box, _ in there.candidates[site]]
    there.candidates["site-1"] = [with_share(box, 0.0) for box in there.candidates["site-1"]]
    for client in (f"10.0.{number}.1" for number in range(50)):
        ways = pathways(there.rank(client))
        assert ways[2:4] in (["box-3", "box-4"], ["box-4", "box-3"])
        assert pathways(there.rank(client, explain=True)) == ways


def test_ranking_offers_cdn_to_whom_nobody_has_room_for() -> None:
    cdn = "https://cdn.example"
    assert pathways(world().rank(cdn_url=cdn))[-2:] == ["cdn", "origin"]
    full = neighbourhood(0.0, boxes=2)
    full.candidates["metro"] = [with_share(box, 1.0 - at) for at, box in enumerate(full.candidates["metro"])]
    ranking = full.rank(cdn_url=cdn)
    assert [way.pathway for way in ranking.pathways][:2] == ["metro-0", "cdn"]
    assert pathways(ranking)[-1] == "origin"
    assert (ranking.pathways[1].source_class, ranking.pathways[1].url) == ("fallback", cdn)
    assert "no appliance has room for" in ranking.pathways[1].why
    assert pathways(World([]).rank(cdn_url=cdn)) == ["cdn", "origin"]
    assert pathways(World([]).rank(cdn_url=cdn, origin_url="")) == ["cdn", "origin-retry"]
    assert pathways(neighbourhood().rank(cdn_url=cdn))[4:] == ["cdn", "origin"]


def test_ranking_gives_networks_that_nobody_takes_to_each_box_by_its_room() -> None:
    shares = {"a": 0.04, "b": 0.12, "c": 0.0}
    first: Counter[str] = Counter()
    for number in range(2000):
        there = World(
            [make_site("metro", prefixes=("10.0.0.0/8",))],
            {"metro": [with_share(make_candidate(name, ALL), share) for name, share in shares.items()]},
        )
        ranking = there.rank(f"10.{number // 250}.{number % 250}.1")
        first[pathways(ranking)[0]] += 1
        assert pathways(ranking)[2:] == ["c", "origin"]
    assert first["a"] / first["b"] == pytest.approx(1 / 3, abs=0.06)


def test_ranking_puts_the_well_before_the_ill_where_all_are_full() -> None:
    ill = make_candidate("a", ALL, DEGRADED)
    there = World(
        [make_site("metro", prefixes=("10.0.0.0/8",))],
        {"metro": [with_share(ill, 0.0), *(with_share(make_candidate(name, ALL), 0.0) for name in "bc")]},
    )
    assert set(pathways(there.rank())[:2]) == {"b", "c"}


def playing_world(home_share: float = 1.0, **kept: float) -> World:
    """Two boxes at home and one in an open site; ``kept`` by appliance."""
    there = World(
        [make_site("metro", prefixes=("10.0.0.0/8",)), make_site("r", "regional")],
        {"metro": [make_candidate("a", ALL), make_candidate("b", ALL)], "r": [make_candidate("far", ALL)]},
    )
    there.candidates = {
        site: [
            (changed(box, kept=kept.get(box.appliance, 1.0), share=home_share if site == "metro" else 1.0), holding)
            for box, holding in boxes
        ]
        for site, boxes in there.candidates.items()
    }
    return there


def test_playing_viewer_stays_among_equally_near_boxes() -> None:
    assert {pathways(playing_world().rank(playing=name))[0] for name in ("a", "b")} == {"a", "b"}
    assert pathways(playing_world(a=0.0).rank(playing="a"))[0] == pathways(playing_world().rank())[0]


def test_playing_viewer_goes_home_where_there_is_plenty_of_room() -> None:
    assert pathways(playing_world().rank(playing="far"))[0] in ("a", "b")
    nearly_full = playing_world(0.999)
    assert pathways(nearly_full.rank())[0] in ("a", "b")
    assert pathways(nearly_full.rank(playing="far"))[0] == "far"


class MadeAnew:
    """Tiers that are other objects each time they are gone through, as those of far sites are."""

    def __init__(self, order: Order) -> None:
        self._order = order

    def __iter__(self) -> Iterator[Sequence[RankedSite]]:
        for tier in self._order:
            yield [changed(ranked) for ranked in tier]


def test_playing_viewer_stays_or_moves_also_between_tiers_that_are_made_anew() -> None:
    sites = [make_site(name, "regional", latitude=latitude) for name, latitude in (("near", 10), ("far", 20))]
    boxes = {
        "near": [make_candidate("near-a", ALL), make_candidate("near-b", ALL)],
        "far": [make_candidate("far-a", ALL)],
    }
    order = [(RankedSite(site, km, -1, ""),) for site, km in zip(sites, (100.0, 200.0), strict=True)]
    for playing, firsts in (("near-a", {"near-a"}), ("near-b", {"near-b"}), ("far-a", {"near-a", "near-b"})):
        ranking = rank(
            Edition(TITLE),
            MadeAnew(order),
            look_at(boxes),
            Viewer(network="0a0100"),
            now_ns=NOW_NS,
            origin_url=ORIGIN,
            appliances_max=4,
            playing=playing,
        )
        assert pathways(ranking)[0] in firsts


def test_playing_viewer_stays_at_box_that_takes_no_new_ones() -> None:
    full = playing_world(0.0)
    assert pathways(full.rank(cdn_url="http://cdn"))[:2] == ["far", "cdn"]
    assert pathways(full.rank(playing="a", cdn_url="http://cdn"))[:3] == ["a", "far", "cdn"]


def test_playing_viewer_of_box_that_may_not_serve_moves() -> None:
    there = playing_world()
    there.candidates["metro"][0] = make_candidate("a", ALL, GONE)
    assert pathways(there.rank(playing="a"))[0] == "b"
    assert pathways(there.rank(playing="nobody"))[0] == "b"


def test_ranking_names_declared_boxes_whatever_their_number() -> None:
    there = neighbourhood(others=5)
    ways = pathways(there.rank(appliances_max=2, declared=("box-4", "metro-3")))
    assert (ways[-2:], "metro-3" in ways) == (["box-4", "origin"], True)
    there.candidates["site-4"] = [make_candidate("box-4", ALL, GONE)]
    ranking = there.rank(appliances_max=2, declared=("box-4",))
    assert "box-4" not in pathways(ranking)
    assert lost(ranking)["box-4"] == GONE.why


def test_explanation_looks_for_neighbours_no_farther_than_it_needs() -> None:
    """Compiled, too: a list of all that hold the title has every box of the fleet judged anew."""
    looked: list[str] = []

    def look(site: str) -> tuple[Rack, Holding]:
        looked.append(site)
        return Rack([]), Holding.of({"t/a": "1"})

    order = [(RankedSite(make_site(f"s{number}", "peering"), 1.0, -1, ""),) for number in range(5)]
    assert next(iter(_holding(order, look))) is order[0]
    assert looked == ["s0"]
    assert [*_holding(order[:2], look)] == order[:2]
