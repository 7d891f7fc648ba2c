from __future__ import annotations

from typing import Any

from oca.common.routes import PathAttributes
from steering.routes.claims import Claim, ClaimSets
from tests.unit.steering.made_up import make_site

SITES = [make_site("a", isp="one"), make_site("b", isp="one"), make_site("c", isp="two"), make_site("d")]


def claim(site: str, as_path: str = "64500", **changes: Any) -> Claim:
    return Claim(site, f"{site}-a", PathAttributes(as_path=as_path, **changes))


def sites(*claims: Claim) -> list[tuple[int, str]]:
    return [(rank, found.site) for rank, found in ClaimSets(SITES).of(claims).ranked]


def test_claims_go_by_bgp_rules_in_turn() -> None:
    long, short = claim("a", "64500 64500 64500"), claim("b", "64500")
    assert sites(long, short) == [(0, "b"), (1, "a")]
    assert sites(claim("a", "64500 64500", local_pref=200), short) == [(0, "a"), (1, "b")]
    assert sites(claim("a", origin="Incomplete"), claim("b", origin="EGP")) == [(0, "b"), (1, "a")]
    assert sites(claim("a", med=20), claim("b", med=10)) == [(0, "b"), (1, "a")]
    assert sites(claim("a"), claim("b")) == [(0, "a"), (0, "b")]


def test_claims_compare_meds_of_one_neighbour_alone() -> None:
    assert sites(claim("a", "64500 64502", med=20), claim("b", "64501 64502", med=10)) == [(0, "a"), (0, "b")]


def test_claims_put_operators_list_first() -> None:
    listed = Claim("c", "", None)
    assert sites(claim("a", local_pref=900), listed) == [(0, "c"), (1, "a")]
    assert sites(listed, Claim("a", "", None)) == [(0, "a"), (0, "c")]
    assert listed.path == "by the site's own list"


def test_claims_take_best_box_of_each_site() -> None:
    worse = Claim("a", "a-b", PathAttributes(as_path="64500 64501"))
    assert sites(worse, claim("a"), claim("b", "64500 64501")) == [(0, "a"), (1, "b")]


def test_claims_tell_the_best_of_a_site() -> None:
    best = claim("a")
    found = ClaimSets(SITES).of((claim("b"), best, Claim("a", "a-b", PathAttributes(as_path="64500 64501"))))
    assert (found.of_site("a"), found.of_site("b"), found.of_site("c")) == (best, claim("b"), None)


def test_way_of_a_claim_is_told_in_words_with_what_is_unusual() -> None:
    assert claim("a").path == "by BGP, AS path 64500, local-pref 100"
    assert claim("a", med=7, origin="EGP").path == "by BGP, AS path 64500, local-pref 100, origin EGP, MED 7"
    assert claim("a", "", local_pref=200).path == "by BGP, the ISP's own, local-pref 200"


def test_claims_of_two_isps_with_origins_of_their_own_count_for_nobody() -> None:
    found = ClaimSets(SITES).of([claim("a", "64500"), claim("c", "64900")])
    assert found.ranked == ()
    assert found.conflict == "claimed by two ISPs for origins of their own: one (origin 64500) and two (origin 64900)"
    own = ClaimSets(SITES).of([claim("a", ""), claim("d", "")])
    assert own.conflict.endswith("d (origin d) and one (origin one)")


def test_claims_of_two_isps_to_one_origin_go_by_path() -> None:
    assert sites(claim("c", "64900 64500"), claim("a", "64500")) == [(0, "a"), (1, "c")]
    assert sites(claim("a", "64500"), claim("b", "64501")) == [(0, "a"), (0, "b")]


def test_claim_sets_are_made_once_and_forgotten_with_their_last_prefix() -> None:
    made = ClaimSets(SITES)
    one = made.of([claim("a"), claim("b")])
    made.swap(None, one)
    made.swap(None, one)
    assert made.of([claim("b"), claim("a")]) is one
    other = made.of([claim("a")])
    made.swap(one, other)
    assert (len(made), one.prefixes, other.prefixes) == (2, 1, 1)
    made.swap(one, None)
    assert (len(made), one.prefixes) == (1, 0)


def test_claim_tells_its_path() -> None:
    said = PathAttributes(as_path="64500 64501", local_pref=200, origin="EGP", med=5)
    assert Claim("a", "a-a", said).path == "by BGP, AS path 64500 64501, local-pref 200, origin EGP, MED 5"
    assert Claim("a", "a-a", PathAttributes()).path == "by BGP, the ISP's own, local-pref 100"
