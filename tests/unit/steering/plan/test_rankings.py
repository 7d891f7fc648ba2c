from __future__ import annotations

from typing import Any, cast

import numpy as np
import pytest

from steering.plan.best_first import best_first
from steering.plan.expected import Expected, Listed
from steering.plan.forecast import Evidence, Forecast, Taste, world_prior
from steering.plan.ground import FILLED_AHEAD_NS, Ground, Terms, ground
from steering.plan.placement import Box
from steering.plan.rankings import Ranked, Rankings
from steering.plan.shelf import Shelf, name_hash, shelve
from steering.plan.site_plan import Held, plan_site
from steering.plan.watched import Watched
from tests.unit.steering.made_up import NOW_NS, make_summary, make_title

CLUSTERS = 4
KINDS = (*["video"] * 4, "audio", "text", "manifests")
SIZES = (2e8, 6e8, 1.5e9, 4e9, 8e7, 1e5, 2e5)


class World:
    """A catalogue with rights and releases, and what some clusters watched of it; the last one nothing."""

    def __init__(
        self, seed: int, *, titles: int = 300, regions: tuple[str, ...] = ("DE", "US"), late: int = 20
    ) -> None:
        chance = np.random.default_rng(seed)
        self.shelf = shelve([self._title(chance, number, regions, late) for number in range(titles)])
        assets, entries = len(self.shelf.assets), 40 * CLUSTERS
        popular = (assets * chance.random(entries) ** 3).astype(np.int32)
        clusters = np.sort(chance.integers(0, CLUSTERS - 1, entries))
        watched = Watched.of_entries(
            clusters, popular, np.floor(1e9 * chance.lognormal(0, 2, entries)), shape=(CLUSTERS, assets)
        )
        released = self.shelf.released_at_ns <= NOW_NS + FILLED_AHEAD_NS
        evidence = Evidence(watched, np.where(self.shelf.released_at_ns <= NOW_NS, 3.0, 0.0), 3.0)
        debut = np.full(titles, 0.001)
        prior = world_prior(Taste(evidence, self.shelf.families), debut_share=debut)
        sizes = self.shelf.stored_bytes
        self.forecast = Forecast(evidence, self.shelf.families, prior, released=released, stored_bytes=sizes)

    @staticmethod
    def _title(chance: np.random.Generator, number: int, regions: tuple[str, ...], late: int) -> Any:
        name, scale = f"t{number:03}", chance.lognormal(0, 0.4)
        assets = [
            make_summary(f"{name}/{rung}", kind, int(size * scale), bitrate_bits_per_s=rung)
            for rung, (kind, size) in enumerate(zip(KINDS, SIZES, strict=True))
            if chance.random() < 0.95
        ]
        allowed = [region for region in regions if chance.random() < 0.8]
        released_at_ns = NOW_NS + int(chance.integers(1, 3 * FILLED_AHEAD_NS)) if number % 100 < late else number
        return make_title(name, assets=assets, regions=allowed, released_at_ns=released_at_ns)

    def both(self, cluster: int, region: str = "DE", **terms: Any) -> tuple[Ground, Ranked, Listed]:
        land = ground(self.shelf, region, Terms(**terms), now_ns=NOW_NS)
        rankings = Rankings(self.forecast, self.shelf, land)
        return land, Ranked(rankings, cluster), Listed(self.forecast.of(cluster), land)


@pytest.fixture(scope="module", params=[1, 2])
def world(request: pytest.FixtureRequest) -> World:
    return World(request.param)


def room(shelf: Shelf, ratio: float) -> float:
    return ratio * float(shelf.stored_bytes.sum())


@pytest.mark.parametrize("cluster", range(CLUSTERS))
def test_ranked_expects_what_the_forecast_does(world: World, cluster: int) -> None:
    _, ranked, listed = world.both(cluster)
    assert ranked.everywhere() == pytest.approx(listed.everywhere(), rel=1e-9)
    assert ranked.able_bytes == pytest.approx(listed.able_bytes, rel=1e-9)
    assert ranked.media_bytes == pytest.approx(listed.media_bytes, rel=1e-9)
    some = np.array([3, 1, 5])
    assert (ranked.at(some) == ranked.everywhere()[some]).all()
    assert (listed.at(some) == listed.everywhere()[some]).all()


def test_ranked_of_a_region_where_all_may_be_held_sums_alike() -> None:
    everywhere = World(3, regions=(), late=0)
    _, ranked, listed = everywhere.both(0)
    assert ranked.able_bytes == pytest.approx(listed.able_bytes, rel=1e-9)
    assert ranked.media_bytes == pytest.approx(listed.media_bytes, rel=1e-9)


@pytest.mark.parametrize("ratio", [0.001, 0.03, 0.1])
def test_ranked_looks_at_all_that_can_fill_the_room_and_at_few_others(world: World, ratio: float) -> None:
    land, ranked, listed = world.both(1)
    media = np.flatnonzero(land.media)
    density = listed.at(media) / world.shelf.stored_bytes[media]
    order = media[best_first(density)]
    count = int(np.searchsorted(np.cumsum(world.shelf.stored_bytes[order]), room(world.shelf, ratio))) + 1
    near = np.flatnonzero(ranked.near(room(world.shelf, ratio)))
    assert land.media[near].all()
    assert set(order[:count]) <= set(near)
    assert len(near) < count + 0.4 * len(media)


def test_ranked_looks_at_all_assets_that_share_a_rung(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("steering.plan.shelf._RUNGS_MAX", 2)
    world = World(4)
    land, ranked, listed = world.both(1)
    media = np.flatnonzero(land.media)
    density = listed.at(media) / world.shelf.stored_bytes[media]
    order = media[best_first(density)]
    count = int(np.searchsorted(np.cumsum(world.shelf.stored_bytes[order]), room(world.shelf, 0.03))) + 1
    assert ranked.near(room(world.shelf, 0.03))[order[:count]].all()


def test_ranked_looks_at_everything_where_demand_does_not_fill_the_room(world: World) -> None:
    land, ranked, listed = world.both(0)
    assert ranked.near(room(world.shelf, 2)).tolist() == land.media.tolist()
    assert listed.near(0.0).tolist() == land.media.tolist()


@pytest.mark.parametrize("cluster", range(CLUSTERS))
@pytest.mark.parametrize("ratio", [0.01, 0.1, 0.5])
def test_plan_by_rank_is_the_plan_by_every_asset_night_after_night(world: World, cluster: int, ratio: float) -> None:
    shelf, terms = world.shelf, Terms(pinned=("t004", "t150/0"), banned=("t005", "t007/1"), moves_max_bytes=2e10)
    land, *found = world.both(cluster, pinned=terms.pinned, banned=terms.banned)
    both = cast("list[Expected]", found)
    space = room(shelf, ratio) / 4
    boxes = [Box(f"box-{at}", name_hash(f"box-{at}"), space * (1 + at % 2), 2e6) for at in range(3)]
    held = [Held(np.arange(0, 600, 7), {"box-0": np.ones(86, np.bool_), "gone": np.ones(86, np.bool_)})] * 2
    for _ in range(2):
        made, listed = (
            plan_site("site", boxes, shelf, tomorrow, land=land, held=before, terms=terms)
            for tomorrow, before in zip(both, held, strict=True)
        )
        assert made.places.tolist() == listed.places.tolist()
        assert (made.on == listed.on).all()
        assert (made.had == listed.had).all()
        assert made.expected == pytest.approx(listed.expected, rel=1e-9)
        held = [
            Held(plan.places, dict(zip(["box-0", "box-1", "box-2"], plan.on, strict=True))) for plan in (made, listed)
        ]
