from __future__ import annotations

from collections.abc import Sequence

from hypothesis import given
from hypothesis import strategies as st

from oca.common.routes import PathAttributes
from steering.decision.order import Order, claiming_sites, home_of, nearest_sites, order_sites
from steering.routes.claims import Claim, Claims, ClaimSets
from tests.unit.steering.made_up import make_site

SITES = [
    make_site("east", isp="one", latitude=50),
    make_site("west", isp="one", latitude=40),
    make_site("peer", "peering", isp="two", latitude=45),
    make_site("region", "regional", latitude=46),
    make_site("alien", isp="three"),
]
BY_ID = {site.id: site for site in SITES}


def claimed(**paths: str) -> Claims:
    made = [Claim(site, f"{site}-a", PathAttributes(as_path=path)) for site, path in paths.items()]
    return ClaimSets(SITES).of(made)


def order(reach: Sequence[Claims], *, explain: bool = False) -> list[list[str]]:
    nearest = nearest_sites(SITES, BY_ID.get(home_of(reach)), per_class_max=9)
    return [[ranked.site.id for ranked in tier] for tier in order_sites(BY_ID, reach, nearest, explain=explain)]


def test_order_goes_by_longest_prefix_before_path() -> None:
    narrow, wide = claimed(west="64500 64501 64502"), claimed(east="64500", west="64500")
    assert order([narrow, wide]) == [["west"], ["east"], ["peer"], ["region"]]
    assert home_of([narrow, wide]) == "west"


def test_order_goes_by_path_before_distance() -> None:
    assert order([claimed(east="64500 64501", west="64500")]) == [["west"], ["east"], ["peer"], ["region"]]
    assert order([claimed(east="64500", west="64500 64501")]) == [["east"], ["west"], ["peer"], ["region"]]


def test_order_holds_equals_together() -> None:
    assert order([claimed(east="64500", west="64501")]) == [["east", "west"], ["peer"], ["region"]]


def test_order_puts_class_before_prefix_and_passes_over_conflicts() -> None:
    assert order([claimed(peer="64600"), claimed(east="64600")]) == [["east"], ["peer"], ["region"]]
    conflict = claimed(peer="64600", alien="64700")
    assert order([conflict, claimed(east="64500")]) == [["east"], ["peer"], ["region"]]
    assert order([conflict]) == [["peer"], ["region"]]
    assert home_of([conflict]) == ""


def test_order_appends_strangers_to_explain() -> None:
    assert order([claimed(east="64500")], explain=True)[-2:] == [["west"], ["alien"]]
    told = order_sites(BY_ID, [], nearest_sites(SITES, None, per_class_max=9), explain=True)
    assert {ranked.why_not for tier in told[-3:] for ranked in tier} == {
        "embedded in another network than the client's"
    }


def standing(order: Order) -> list[list[tuple[object, ...]]]:
    """All that is known of each site."""
    return [[(each.site, each.distance_km, each.reach, each.why_not, each.words) for each in tier] for tier in order]


SHAPES = st.permutations(sorted(BY_ID)).flatmap(
    lambda names: st.lists(st.integers(0, 1), max_size=3).map(
        lambda ranks: tuple(zip(sorted(ranks), names, strict=False))
    )
)


@given(st.lists(st.one_of(SHAPES, st.sampled_from([((0, name),) for name in BY_ID])), max_size=4))
def test_sites_that_claim_a_client_stand_as_they_do_among_all(shapes: list[tuple[tuple[int, str], ...]]) -> None:
    shapes = [tuple((rank - shape[0][0], name) for rank, name in shape) for shape in shapes]  # the best has rank 0
    reach = [Claims.of_shape(shape) for shape in shapes]
    assert standing(claiming_sites(BY_ID, reach)) == standing(order_sites(BY_ID, reach, ()))
