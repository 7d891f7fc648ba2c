from __future__ import annotations

import random
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from steering.plan.expected import Listed
from steering.plan.ground import FILLED_AHEAD_NS, Terms, ground
from steering.plan.kept_plan import fill_plan, kept_plan, mark_urgent
from steering.plan.placement import PEAK_TO_MEAN, Box
from steering.plan.settings import PlanTable
from steering.plan.shelf import Shelf, name_hash, shelve
from steering.plan.site_plan import Held, SitePlan, plan_site
from steering.titles.catalogue import Title
from tests.unit.steering.made_up import NOW_NS, make_summary, make_title, revision

GIB = 2**30
NIGHTLY_RATIO = PlanTable().nightly_ratio
SLACK = 1_000_000
"""For the packs' own pages."""


def title(name: str, *sizes: int, manifests: int = 0, **changes: Any) -> Title:
    assets = [make_summary(f"{name}/{rung}", size=size) for rung, size in enumerate(sizes)]
    assets += [make_summary(f"{name}/manifests", "manifests", manifests)] * bool(manifests)
    return make_title(name, **{"assets": assets, "released_at_ns": 0, "regions": [], **changes})


class Planned:
    """A site's plan, with all of the catalogue in its rows, and the plans of its boxes."""

    def __init__(self, made: SitePlan, shelf: Shelf, titles: Sequence[Title]) -> None:
        self.made = made
        self.expected, self.hit_ratio, self.barred = made.tomorrow.everywhere(), made.hit_ratio, made.land.barred
        self.held = np.zeros((len(made.boxes), len(shelf.assets)), np.bool_)
        self.held[:, made.places] = made.on
        self.copies = self.held.sum(axis=0)
        kept = kept_plan(made, shelf, {box.name: int(box.space_bytes) for box in made.boxes}, names="", now_ns=NOW_NS)
        published = {asset.asset: asset for asset in shelf.assets}
        by_name = {each.title: each for each in titles}
        names = list(shelf.place)
        self.plans = {box.name: fill_plan(kept, box.name, names, published, by_name) for box in made.boxes}


def plan(
    titles: Sequence[Title],
    demand: Mapping[str, float],
    *,
    spaces: Sequence[float] = (100 * GIB,),
    region: str = "DE",
    held: Mapping[str, Sequence[str]] | None = None,
    rate: float = np.inf,
    **terms: Any,
) -> Planned:
    shelf = shelve(titles)
    boxes = [Box(f"box-{at}", name_hash(f"box-{at}"), space, rate) for at, space in enumerate(spaces)]
    asked = Terms(**terms)
    land = ground(shelf, region, asked, now_ns=NOW_NS)
    made = plan_site(
        "site",
        boxes,
        shelf,
        Listed(np.array([demand.get(asset.asset, 0.0) for asset in shelf.assets]), land),
        land=land,
        held=held_by(shelf, held or {}),
        terms=asked,
    )
    return Planned(made, shelf, titles)


def held_by(shelf: Shelf, held: Mapping[str, Sequence[str]]) -> Held:
    """What boxes hold, as the planner reads it from a kept plan."""
    places = np.array(sorted({shelf.place[name] for some in held.values() for name in some if name in shelf.place}))
    by_box = {box: np.isin(places, [shelf.place.get(name, -1) for name in some]) for box, some in held.items()}
    return Held(places.astype(np.int64), by_box)


def names(made: Planned, box: str = "box-0") -> list[str]:
    return [item.asset for item in made.plans[box].assets]


def test_plan_ranks_by_demand_over_size() -> None:
    made = plan([title("a", 4 * GIB), title("b", GIB)], {"a/0": 8 * GIB, "b/0": 3 * GIB})
    assert names(made) == ["b/0", "a/0"]
    assert made.hit_ratio == 1


def test_plan_puts_manifests_first_and_unwatched_last_by_release() -> None:
    titles = [
        title("old", 1000, released_at_ns=1),
        title("new", 1000, manifests=9, released_at_ns=2),
        title("seen", 1000),
    ]
    assert names(plan(titles, {"seen/0": 1.0})) == ["new/manifests", "seen/0", "new/0", "old/0"]


def test_plan_bounds_space_of_manifests() -> None:
    titles = [title(f"t{number}", manifests=GIB) for number in range(9)]
    assert len(names(plan(titles, {}, spaces=[100 * GIB]))) == 4


def test_plan_fills_a_day_ahead_of_release_only() -> None:
    soon = title("a", 10, released_at_ns=NOW_NS + FILLED_AHEAD_NS)
    later = title("b", 10, released_at_ns=NOW_NS + FILLED_AHEAD_NS + 1)
    made = plan([soon, later], {"b/0": 100.0})
    assert names(made) == ["a/0"]
    assert made.barred["not out yet"].tolist() == [False, True]


def test_plan_respects_rights_and_bans() -> None:
    titles = [title("a", 10, regions=["DE", "FR"]), title("b", 10, regions=["US"]), title("c", 10), title("d", 10, 11)]
    made = plan(titles, {"b/0": 9e9}, banned=("c", "d/1"))
    assert names(made) == ["a/0", "d/0"]
    assert names(plan(titles, {}, region="", banned=("c/0", "d"))) == []


def test_plan_holds_what_is_pinned_before_all() -> None:
    titles = [title("a", GIB), title("b", GIB)]
    assert names(plan(titles, {"a/0": 9e12}, spaces=[GIB + SLACK], pinned=("b",))) == ["b/0"]


def test_plan_holds_what_is_pinned_also_where_throughput_is_known() -> None:
    titles, demand = [title("a", GIB), title("b", GIB)], {"a/0": 9e12, "b/0": 1e9}
    assert names(plan(titles, demand, spaces=[GIB + SLACK], pinned=("b",), rate=12.5e9)) == ["b/0"]
    assert names(plan(titles, demand, spaces=[2 * GIB + SLACK], pinned=("b",), rate=12.5e9)) == ["b/0", "a/0"]


def test_plan_counts_as_replaced_what_takes_no_free_space() -> None:
    titles = [title(name, GIB) for name in "abcd"]
    demand, held = {"a/0": 9 * GIB, "b/0": 8 * GIB, "c/0": 7 * GIB}, {"box-0": ["d/0"]}
    shelf = shelve(titles)
    grown = plan(titles, demand, spaces=[3 * GIB + SLACK], held=held).made
    assert (grown.moved_bytes(shelf), grown.replaced_bytes(shelf)) == pytest.approx((3 * GIB, GIB), rel=0.001)
    held = {"box-0": ["a/0", "b/0", "c/0", "d/0"]}
    joined = plan(titles, demand, spaces=[4 * GIB + SLACK] * 2, held=held).made
    assert joined.moved_bytes(shelf) >= 3.9 * GIB
    assert joined.replaced_bytes(shelf) == 0


@pytest.mark.parametrize(("changes", "terms"), [({}, {"banned": ("b",)}), ({"regions": ["US"]}, {})])
def test_plan_counts_room_of_what_may_not_be_there_any_more_as_free(
    changes: dict[str, Any], terms: dict[str, Any]
) -> None:
    titles = [title("a", GIB), title("b", GIB, **changes), title("c", GIB)]
    demand, held = {"a/0": 9 * GIB, "c/0": 7 * GIB}, {"box-0": ["a/0", "b/0"]}
    made = plan(titles, demand, spaces=[2 * GIB + SLACK], held=held, moves_max_bytes=0.0, **terms)
    assert names(made) == ["a/0", "c/0"]
    assert made.made.replaced_bytes(shelve(titles)) == 0


def test_plan_takes_whole_ladders_where_so_wished() -> None:
    titles = [title("a", GIB, GIB), title("b", GIB, GIB)]
    demand = {"a/0": 10e9, "b/0": 8e9, "b/1": 6e9}
    popular = names(plan(titles, demand, spaces=[2 * GIB + SLACK]))
    whole = names(plan(titles, demand, spaces=[2 * GIB + SLACK], whole_ladders=True))
    assert (popular, whole) == (["a/0", "b/0"], ["b/0", "b/1"])


def test_plan_keeps_what_it_held_unless_a_move_pays() -> None:
    titles = [title("a", GIB), title("b", GIB)]
    held = {"box-0": ["a/0", "gone/0"]}
    assert names(plan(titles, {"a/0": GIB, "b/0": 1.4 * GIB}, spaces=[GIB + SLACK], held=held)) == ["a/0"]
    moved = plan(titles, {"a/0": GIB, "b/0": 1.6 * GIB}, spaces=[GIB + SLACK], held=held)
    assert names(moved) == ["b/0"]
    assert moved.made.moved_bytes(shelve(titles)) == pytest.approx(GIB, rel=0.001)
    assert moved.made.replaced_bytes(shelve(titles)) == moved.made.moved_bytes(shelve(titles))
    assert plan(titles, {"a/0": GIB}).made.replaced_bytes(shelve(titles)) == 0
    barred = plan(titles, {"a/0": GIB, "b/0": 9 * GIB}, spaces=[GIB + SLACK], held=held, moves_max_bytes=10)
    assert names(barred) == ["a/0"]


def test_plan_survives_loss_of_a_box_for_the_hottest() -> None:
    titles = [title(f"t{number}", GIB) for number in range(6)]
    demand = {f"t{number}/0": (6 - number) * 1e10 for number in range(6)}
    made = plan(titles, demand, spaces=[2.5 * GIB] * 3, hot_share=0.4)
    assert made.copies[0] == made.copies[1] == 2
    assert sorted({asset for box in ("box-0", "box-1", "box-2") for asset in names(made, box)})[:2] == ["t0/0", "t1/0"]


def test_plan_uses_room_that_is_left_for_more_copies() -> None:
    made = plan([title("a", 10), title("b", 10)], {"a/0": 5.0}, spaces=[GIB, GIB])
    assert names(made, "box-0") == names(made, "box-1") == ["a/0", "b/0"]


def test_plan_says_what_just_missed() -> None:
    titles = [title(f"t{number}", GIB) for number in range(4)]
    shelf = shelve(titles)
    made = plan(titles, {"t0/0": 3e9, "t1/0": 2e9, "t2/0": 1e9}, spaces=[GIB + SLACK])
    assert [shelf.assets[row].asset for row in made.made.just_missed(shelf)] == ["t1/0", "t2/0"]
    assert made.hit_ratio == pytest.approx(0.5)


def test_plan_says_why() -> None:
    titles = [title("a", 2048), title("b", 2048, manifests=9, released_at_ns=NOW_NS)]
    made = plan(titles, {"a/0": 4096.0}, spaces=[GIB, GIB])
    assert [item.why for item in made.plans["box-1"].assets] == [
        "manifests first: not watched yet; released 2024-10-04; on 2 of 2 boxes",
        "4.0 KiB a day expected here, over 2.0 KiB; on 2 of 2 boxes",
        "not watched yet; released 2024-10-04; on 2 of 2 boxes",
    ]
    assert made.plans["box-0"].assets[1].popularity == 2.0


def test_plan_of_empty_catalogue_is_empty() -> None:
    made = plan([], {})
    assert names(made) == []
    assert (made.hit_ratio, made.made.just_missed(shelve([]))) == (0, [])


def test_plan_has_same_digest_for_same_wishes() -> None:
    one, two = title("a", 10), title("b", 10)
    digests = [plan(titles, {}).plans["box-0"].plan for titles in ([one, two], [two, one], [one])]
    assert digests[0] == digests[1] != digests[2]
    newer = replace_revision(one)
    assert plan([newer], {}).plans["box-0"].plan != digests[2]


def replace_revision(old: Title) -> Title:
    return title("a", 10, assets=[make_summary("a/0", size=10, revision=revision("other"))])


def test_plan_marks_urgent_what_is_released_soon_or_since() -> None:
    hour = 3600 * 10**9
    hours = {"soon": 3, "later": 9, "out": 0}
    titles = [title(name, 10, released_at_ns=NOW_NS + after * hour) for name, after in hours.items()]
    made = plan(titles, {}).plans["box-0"]
    releases = {item.asset: item.release_at_ns for item in made.assets}
    assert releases == {"soon/0": NOW_NS + 3 * hour, "later/0": NOW_NS + 9 * hour, "out/0": 0}

    def urgent(after_hours: int) -> list[str]:
        marked = mark_urgent(made, now_ns=NOW_NS + after_hours * hour, ahead_s=4 * 3600)
        return sorted(item.asset for item in marked.assets if item.urgent)

    assert urgent(0) == ["soon/0"]
    assert urgent(5) == ["later/0", "soon/0"]
    assert urgent(20) == ["later/0", "soon/0"]


TITLES = st.lists(
    st.builds(
        title,
        st.integers(0, 10**6).map(str),
        st.integers(1, 10 * GIB),
        st.integers(1, 10 * GIB),
        manifests=st.integers(0, 10**6),
        released_at_ns=st.integers(0, 2 * NOW_NS),
        regions=st.sampled_from([[], ["DE"], ["US"]]),
    ),
    max_size=12,
    unique_by=lambda made: made.title,
)


@settings(max_examples=40)
@given(TITLES, st.lists(st.integers(0, 40 * GIB), min_size=1, max_size=4), st.randoms(use_true_random=False))
def test_plan_never_exceeds_capacity_nor_throughput_nor_breaks_rights(
    titles: list[Title], spaces: list[int], chance: random.Random
) -> None:
    demand = {asset.asset: 10 ** chance.uniform(0, 15) for each in titles for asset in each.assets}
    rate = chance.choice([np.inf, 1e9, 1e10])
    held = {"box-0": [asset.asset for each in titles[:2] for asset in each.assets]}
    made, again = (plan(each, demand, spaces=spaces, rate=rate, held=held) for each in (titles, titles[::-1]))
    shelf = shelve(titles)
    by_title = {each.title: each for each in titles}
    media = made.held & ~shelf.manifests
    for row, (box, fill) in enumerate(made.plans.items()):
        assert shelf.stored_bytes[made.held[row]].sum() <= spaces[row]
        assert sum(item.bytes for item in fill.assets) <= spaces[row]
        peak = made.expected / 86400 * PEAK_TO_MEAN / np.maximum(media.sum(axis=0), 1)
        assert peak[media[row]].sum() <= rate * (1 + 1e-9)
        for item in fill.assets:
            of = by_title[item.asset.partition("/")[0]]
            assert of.regions in ([], ["DE"])
            assert of.released_at_ns <= NOW_NS + FILLED_AHEAD_NS
        assert names(made, box) == names(again, box)


@settings(max_examples=40)
@given(TITLES, st.integers(0, 40 * GIB), st.integers(0, 10 * GIB), st.randoms(use_true_random=False))
def test_plan_of_a_box_with_more_capacity_expects_no_fewer_hits(
    titles: list[Title], space: int, more: int, chance: random.Random
) -> None:
    media = [replace_manifests(each) for each in titles]
    demand = {asset.asset: 10 ** chance.uniform(3, 15) for each in media for asset in each.assets}
    small, large = (plan(media, demand, spaces=[each]).hit_ratio for each in (space, space + more))
    assert large >= small - 1e-9


@settings(max_examples=8)
@given(st.lists(st.integers(GIB // 2, GIB), min_size=2, max_size=4), st.integers(0, GIB // 16), st.integers(0, 2**32))
def test_plan_of_several_boxes_with_more_capacity_expects_no_fewer_hits_of_small_assets(
    spaces: list[int], more: int, seed: int
) -> None:
    chance = random.Random(seed)
    titles = [
        title(f"t{number}", chance.randint(1, GIB // 160), chance.randint(1, GIB // 160)) for number in range(500)
    ]
    demand = {asset.asset: 10 ** chance.uniform(6, 9) for each in titles for asset in each.assets}
    larger = [spaces[0] + more, *spaces[1:]]
    small, large = (plan(titles, demand, spaces=each).hit_ratio for each in (spaces, larger))
    assert large >= small - 1e-12


@settings(max_examples=15)
@given(st.lists(st.integers(GIB // 2, GIB), min_size=2, max_size=4), st.integers(0, GIB // 4), st.integers(0, 2**32))
def test_plan_of_several_boxes_with_more_capacity_loses_no_more_than_its_cuts(
    spaces: list[int], more: int, seed: int
) -> None:
    """What was chosen for all space together may fit into no box: the less, the smaller assets are beside boxes."""
    chance = random.Random(seed)
    titles = [title(f"t{number}", chance.randint(1, GIB // 20), chance.randint(1, GIB // 20)) for number in range(60)]
    demand = {asset.asset: 10 ** chance.uniform(6, 11) for each in titles for asset in each.assets}
    larger = [spaces[0] + more, *spaces[1:]]
    small, large = (plan(titles, demand, spaces=each).hit_ratio for each in (spaces, larger))
    assert large >= small - 0.002


@settings(max_examples=40)
@given(TITLES, st.integers(0, 40 * GIB), st.integers(0, 10 * GIB), st.randoms(use_true_random=False))
def test_plan_with_manifests_and_more_capacity_loses_no_more_than_theirs(
    titles: list[Title], space: int, more: int, chance: random.Random
) -> None:
    shelf = shelve(titles)
    demand = {asset.asset: 10 ** chance.uniform(3, 15) for asset in shelf.assets}
    small, large = (plan(titles, demand, spaces=[each]) for each in (space, space + more))
    able, media = small.made.land.able, ~shelf.manifests
    total = max(float(small.expected[able].sum()), 1e-12)

    def hits(made: Planned, of: np.ndarray[Any, np.dtype[np.bool_]]) -> float:
        return float(made.expected[made.held.any(axis=0) & of].sum()) / total

    assert hits(large, media) >= hits(small, media) - 1e-9
    assert large.hit_ratio >= small.hit_ratio - float(small.expected[able & ~media].sum()) / total - 1e-9


def moved_by_night(
    seed: int,
    boxes: int,
    largest: float,
    *,
    drift: float,
    nights: int,
    load: Sequence[float] = (0.0,),
    grown: float = 1.0,
    seen: Callable[[SitePlan], None] = lambda _: None,
) -> list[float]:
    """Of a site's space, what each night replaces.

    ``load`` is the part of all throughput at the peak, in turns; ``grown`` what the first box has in place of 1 from
    the fourth night on.
    """
    chance, space, terms = np.random.default_rng(seed), 10.0**12, Terms()
    count = int(boxes * 2 * grown / largest)
    sizes = (chance.uniform(0.1, 1, count) * largest * space).round()
    demand = chance.lognormal(0, 2, count) * sizes * 3
    rate = demand.sum() / 86400 * PEAK_TO_MEAN / boxes if any(load) else np.inf
    shelf = shelve([title(f"t{number:05}", int(size)) for number, size in enumerate(sizes)])
    land = ground(shelf, "DE", terms, now_ns=NOW_NS)
    held, moved, allowed = Held(np.zeros(0, np.int64), {}), [], 14 * NIGHTLY_RATIO * space * boxes
    for night in range(nights):
        spaces = [space * (grown if night >= 3 and not at else 1.0) for at in range(boxes)]
        made_of = [Box(f"box-{at}", name_hash(f"box-{at}"), each, rate) for at, each in enumerate(spaces)]
        nightly = NIGHTLY_RATIO * sum(spaces)
        demand = demand * chance.lognormal(0, drift, count)
        listed = Listed(demand * (load[night % len(load)] or 1.0), land)
        tonight = replace(terms, moves_max_bytes=allowed, shifts_max_bytes=nightly)
        made = plan_site("site", made_of, shelf, listed, land=land, held=held, terms=tonight)
        moved.append(made.replaced_bytes(shelf) / sum(spaces))
        allowed = min(allowed - moved[-1] * sum(spaces) + nightly, 14 * nightly)
        held = Held(made.places, {box.name: row for box, row in zip(made.boxes, made.on, strict=True)})
        seen(made)
    return moved


@pytest.mark.parametrize(("boxes", "largest"), [(4, 0.1), (3, 0.02), (10, 0.1)])
def test_nights_of_constant_demand_come_to_rest(boxes: int, largest: float) -> None:
    for seed in range(6):
        moved = moved_by_night(seed, boxes, largest, drift=0.0, nights=7)
        assert not any(moved[3:]), seed


def test_nights_of_demand_that_drifts_move_no_more_than_a_night_may_on_average() -> None:
    for drift, most in ((0.03, 0.01), (0.3, NIGHTLY_RATIO)):
        moved = [moved_by_night(seed, 10, 0.1, drift=drift, nights=10)[3:] for seed in range(4)]
        assert np.mean(moved) <= most


def test_nights_short_of_throughput_leave_what_is_there() -> None:
    load = (0.9, 0.9, 0.9, 0.95, 1.15, 1.2, 1.1)
    moved = [moved_by_night(seed, 3, 0.005, drift=0.05, nights=14, load=load)[7:] for seed in range(3)]
    assert np.mean(moved) <= 0.1


@pytest.mark.parametrize(
    ("boxes", "largest", "more"), [(3, 0.005, 0.001), (4, 0.002, 0.001), (10, 0.02, NIGHTLY_RATIO)]
)
def test_month_of_a_peak_that_hovers_moves_hardly_more_than_one_that_does_not(
    boxes: int, largest: float, more: float
) -> None:
    """Or no more than nights may, where single assets are much of what a box can send."""
    noise = [0.4] * 7 + np.random.default_rng(1).uniform(0.7, 0.9, 30).tolist()
    rest, hovers = (moved_by_night(2, boxes, largest, drift=0.03, nights=37, load=load)[7:] for load in ([0.4], noise))
    assert np.mean(hovers) <= np.mean(rest) + more


@pytest.mark.parametrize(("boxes", "largest"), [(4, 0.005), (4, 0.02)])
def test_box_that_grew_comes_to_its_share_of_the_better_half_within_the_moves_of_nights(
    boxes: int, largest: float
) -> None:
    shares: list[float] = []

    def seen(made: SitePlan) -> None:
        order = np.argsort(-made.worth)
        lying = made.on[:, order].sum(axis=0)
        half = made.on[:, order[np.cumsum(lying) <= lying.sum() / 2]]
        shares.append(float(half[0].sum() / half.sum()))

    moved = moved_by_night(1, boxes, largest, drift=0.0, nights=16, grown=2.0, seen=seen)
    assert max(moved[4:]) <= 1.1 * NIGHTLY_RATIO
    assert not any(moved[-3:]), "and comes to rest"
    assert shares[2] <= 0.25
    assert shares[-1] >= shares[2] + 0.08


def replace_manifests(old: Title) -> Title:
    sizes = [asset.bytes for asset in old.assets if asset.kind == "video"]
    return title(old.title, *sizes, released_at_ns=old.released_at_ns, regions=old.regions)
