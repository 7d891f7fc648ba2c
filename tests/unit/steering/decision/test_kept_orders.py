from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from steering.decision.kept_orders import Orders
from steering.decision.order import nearest_sites, order_sites
from steering.fleet.holders import Holders
from steering.routes.claims import Claims
from tests.unit.steering.made_up import make_site

SITES = {
    site.id: site
    for site in (
        make_site("metro", appliances=("m-a", "m-b")),
        make_site("wide", appliances=("w-a",)),
        make_site("bare", "regional", latitude=1),
        *(
            make_site(f"r{number}", "regional", appliances=(f"r{number}-a",), latitude=number // 2)
            for number in range(6)
        ),
    )
}
SITE_OF = {entry.id: site.id for site in SITES.values() for entry in site.appliance}
CLAIMS = [Claims.of_shape(((0, "metro"), (1, "wide"))), Claims.of_shape(((0, "r5"),))]


def names(tiers: object) -> list[list[str]]:
    return [[ranked.site.id for ranked in tier] for tier in tiers]  # type: ignore[attr-defined]


@given(st.sets(st.sampled_from(sorted(SITE_OF))))
def test_order_holds_tiers_that_claim_and_those_that_hold_the_title(boxes: set[str]) -> None:
    holders = Holders(SITE_OF)
    for box in boxes:
        holders.put(box, [("t/a", "1")])
    order = order_sites(SITES, CLAIMS, nearest_sites(SITES.values(), SITES["metro"], per_class_max=9))
    found = Orders(SITES, holders.site_numbers).of(CLAIMS, "metro").holding(holders.of_title("t"))
    holding = set(holders.sites_of("t"))
    wanted = [tier for tier in names(order) if {"metro", "wide", "r5"} & set(tier) or holding & set(tier)]
    for _ in range(2):  # each time anew
        assert names(found) == wanted


@given(st.sets(st.sampled_from(sorted(SITE_OF))), st.integers(1, 6), st.booleans())
def test_order_goes_on_to_open_sites_that_hold_the_title_however_far_away(
    boxes: set[str], near: int, at_home: bool
) -> None:
    """Looking at the nearest few and then at other holders comes to the same as looking at all sites."""
    holders = Holders(SITE_OF)
    for box in boxes:
        holders.put(box, [("t/a", "1")])
    home, claims = ("metro", CLAIMS) if at_home else ("", [])
    whole = order_sites(SITES, claims, nearest_sites(SITES.values(), SITES.get(home), per_class_max=9))
    orders = Orders(SITES, holders.site_numbers, nearest_max=near)
    found = orders.of(claims, home).holding(holders.of_title("t"))
    holding = set(holders.sites_of("t"))
    wanted = [site for tier in names(whole) for site in tier if at_home and site in {"metro", "wide", "r5"}]
    wanted = [site for tier in names(whole) for site in tier if site in holding or site in wanted]
    for _ in range(2):
        assert [site for tier in names(found) for site in tier if site in {*holding, *wanted}] == wanted


def test_of_farther_sites_that_hold_the_title_the_nearest_few_are_looked_at() -> None:
    far = {
        f"f{number:02}": make_site(f"f{number:02}", "peering", appliances=(f"f{number:02}-a",), latitude=number)
        for number in range(60)
    }
    holders = Holders({f"{name}-a": name for name in far})
    for number in range(59, 20, -1):
        holders.put(f"f{number:02}-a", [("t/a", "1")])
    orders = Orders({**far, "metro": SITES["metro"]}, {**holders.site_numbers, "metro": 60})
    tiers = names(orders.of([Claims.of_shape(((0, "metro"),))], "metro").holding(holders.of_title("t")))
    assert tiers == [["metro"], *([f"f{number:02}"] for number in range(21, 37))]


def test_order_of_who_claims_alone_and_of_all() -> None:
    orders = Orders(SITES, Holders(SITE_OF).site_numbers)
    assert names(orders.of(CLAIMS[:1], "metro").holding(None)) == [["metro"], ["wide"]]
    assert names(orders.whole([], ""))[-2:] == [["metro"], ["wide"]]


def test_open_sites_that_claim_a_client_have_their_place_by_that_alone() -> None:
    """Also where they stand with others at one distance, or are among the far ones."""
    holders = Holders(SITE_OF)
    for box in SITE_OF:
        holders.put(box, [("t/a", "1")])
    claims = [Claims.of_shape(((0, "metro"), (1, "r0"))), Claims.of_shape(((0, "r5"),))]
    for nearest_max in (1, 2, 9):
        orders = Orders(SITES, holders.site_numbers, nearest_max=nearest_max)
        found = names(orders.of(claims, "metro").holding(holders.of_title("t")))
        assert found[:3] == [["metro"], ["r0"], ["r5"]]
        others = [name for tier in found[3:] for name in tier if name != "bare"]
        assert sorted(others) == ["r1", "r2", "r3", "r4"]


def test_what_is_around_a_home_is_made_once_however_many_others_claim() -> None:
    orders = Orders(SITES, Holders(SITE_OF).site_numbers)
    metro, nowhere = [], []
    for _ in range(2):
        for number in range(6):
            claims = [Claims.of_shape(((number, "metro"), (9, f"r{number}")))]
            metro.append(orders.of(claims, "metro")._around)
            nowhere.append(orders.of([Claims.of_shape(((number, f"r{number}"),))], f"gone{number}")._around)
    assert not [around for around in metro if around is not metro[0]]
    assert not [around for around in nowhere if around is not nowhere[0]]
    assert metro[0] is not nowhere[0]
