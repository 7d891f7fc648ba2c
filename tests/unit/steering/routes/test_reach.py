from __future__ import annotations

import gc
from collections import Counter
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from msgspec.structs import replace

from oca.common.prefix import parse_prefix
from oca.common.routes import NOTHING, PathAttributes, RouteGroup
from steering.routes import reach as reach_module
from steering.routes.reach import GROUP_ROUTES, SLICE_ROUTES, WALK_PREFIXES, Reach
from steering.settings import RoutesTable
from tests.unit.steering.made_up import make_site
from tests.unit.steering.routes_made_up import FAR, NEAR, Box, take


def make_reach(*, allow: tuple[str, ...] = (), **changes: Any) -> Reach:
    sites = [
        make_site("east", appliances=("east-a", "east-b"), isp="one", **changes),
        make_site("west", appliances=("west-a",), isp="one"),
        make_site("other", appliances=("other-a",), isp="two", prefixes=("46.0.0.0/16",)),
    ]
    return Reach(sites, RoutesTable(allow=allow, appliance_routes_max=2000))


def who(reach: Reach, address: str) -> list[list[str]]:
    """The sites that claim each prefix that holds the address, longest first."""
    found = parse_prefix(f"{address}/{128 if ':' in address else 32}")
    assert found is not None
    return [
        [claim.site for _, claim in claims.ranked] for _, claims in reach.claims.covering(found.version, found.number)
    ]


def test_reach_learns_changes_and_forgets_what_is_withdrawn() -> None:
    reach, box = make_reach(), Box("east-a")
    assert box.tell(reach, {"45.1.0.0/16": NEAR, "45.1.2.0/24": NEAR, "2a00::/32": FAR}) == ""
    assert who(reach, "45.1.2.3") == [["east"], ["east"]]
    assert who(reach, "2a00::1") == [["east"]]
    assert box.tell(reach, {"45.1.0.0/16": FAR}, "45.1.2.0/24") == ""
    assert who(reach, "45.1.2.3") == [["east"]]
    heard = reach.heard["east-a"]
    assert (heard.routes, heard.digest_hex) == (2, box.digest)
    assert not reach.full_wanted("east-a", box.digest)
    assert box.tell(reach, {}, "45.1.0.0/16", "2a00::/32") == ""
    assert (heard.routes, heard.digest_hex) == (0, NOTHING)
    assert len(reach.sets) == 1  # the other ISP's list


def test_reach_moves_prefix_with_its_path() -> None:
    reach, east, west = make_reach(), Box("east-a"), Box("west-a")
    east.tell(reach, {"45.1.0.0/16": NEAR})
    west.tell(reach, {"45.1.0.0/16": FAR})
    assert who(reach, "45.1.0.1") == [["east", "west"]]
    east.tell(reach, {"45.1.0.0/16": PathAttributes(as_path="64500 64500 64500")})
    assert who(reach, "45.1.0.1") == [["west", "east"]]
    east.tell(reach, {}, "45.1.0.0/16")
    assert who(reach, "45.1.0.1") == [["west"]]


def test_reach_takes_repeated_batch_once() -> None:
    reach, box = make_reach(), Box("east-a")
    batch = box.batch({"45.1.0.0/16": NEAR})
    assert [take(reach, "east-a", batch) for _ in range(2)] == ["", ""]
    assert reach.heard["east-a"].routes == 1


def test_reach_wants_whole_table_when_a_batch_was_lost() -> None:
    reach, box = make_reach(), Box("east-a")
    box.tell(reach, {"45.1.0.0/16": NEAR, "45.2.0.0/16": NEAR})
    box.batch({"45.3.0.0/16": NEAR}, ("45.2.0.0/16",))  # never comes
    assert "it begins at" in box.tell(reach, {"45.4.0.0/16": NEAR})
    assert reach.full_wanted("east-a", box.digest)
    assert who(reach, "45.2.0.1") == [["east"]]
    assert box.tell(reach, {}, whole=True) == ""
    assert [who(reach, f"45.{number}.0.1") for number in (1, 2, 3, 4)] == [[["east"]], [], [["east"]], [["east"]]]
    assert not reach.full_wanted("east-a", box.digest)


def test_reach_keeps_old_table_until_whole_one_has_come() -> None:
    reach, box, other = make_reach(), Box("east-a"), Box("east-b")
    other.tell(reach, {"45.1.0.0/16": NEAR})
    box.tell(reach, {"45.1.0.0/16": NEAR, "10.0.0.0/8": NEAR})
    box.table = {"45.2.0.0/16": NEAR, "45.9.0.0/16": NEAR}
    whole = box.batch({}, whole=True)
    half = replace(whole, announced=whole.announced[:1], ends=False)
    assert "should end at" in take(reach, "east-a", half)
    assert (who(reach, "45.1.0.1"), who(reach, "45.2.0.1")) == ([["east"]], [["east"]])
    assert take(reach, "east-a", whole) == ""
    assert {member.appliance for _, claims in reach.claims.items() for member in claims.members} == {
        *("", "east-a", "east-b")
    }
    assert reach.heard["east-a"].set_aside == {}
    assert who(reach, "45.9.0.1") == [["east"]]


def test_reach_follows_changes_within_whole_table() -> None:
    reach, box = make_reach(), Box("east-a")
    box.tell(reach, {"45.1.0.0/16": NEAR})
    whole = box.batch({"45.2.0.0/16": NEAR}, whole=True)
    take(reach, "east-a", replace(whole, ends=False))
    stands_at = reach.heard["east-a"].digest
    reach.doubt("east-a")  # it is just sending it whole
    assert reach.heard["east-a"].digest == stands_at
    before = box.digest
    change = box.batch({"45.3.0.0/16": NEAR, "45.2.0.0/16": FAR}, ("45.1.0.0/16",))
    assert change.before == before
    assert take(reach, "east-a", replace(change, full=True, ends=True)) == ""
    assert [who(reach, f"45.{number}.0.1") for number in (1, 2, 3)] == [[], [["east"]], [["east"]]]


ABSURD = {
    "0.0.0.0/0": "far too wide: shorter than /8",
    "10.1.0.0/16": "private space, 10.0.0.0/8",
    "46.0.1.0/24": "in 46.0.0.0/16, which steering.toml gives to two",
    "2001:db8::/32": "for documentation space, 2001:db8::/32",
}


def test_reach_sets_absurd_claims_aside() -> None:
    reach, box = make_reach(), Box("east-a")
    assert box.tell(reach, dict.fromkeys(ABSURD, NEAR) | {"45.0.0.0/8": NEAR}) == ""
    heard = reach.heard["east-a"]
    assert {str(prefix): why for prefix, (_, why) in heard.set_aside.items()} == ABSURD
    assert heard.routes == 5
    assert who(reach, "46.0.1.9") == [["other"]]
    assert who(reach, "10.1.0.1") == []
    assert box.tell(reach, dict.fromkeys(ABSURD, FAR)) == ""
    assert box.tell(reach, {}, *ABSURD) == ""
    assert (heard.set_aside, heard.routes) == ({}, 1)
    west = Box("other-a")
    assert west.tell(reach, {"46.0.1.0/24": NEAR}) == ""
    assert who(reach, "46.0.1.9") == [["other"], ["other"]]


def test_reach_goes_by_what_operator_allows() -> None:
    reach, box = make_reach(allow=("10.0.0.0/8",), within=("10.1.0.0/16", "45.0.0.0/8")), Box("east-a")
    box.tell(reach, dict.fromkeys(("10.1.0.0/24", "10.2.0.0/24", "45.0.0.0/16", "47.0.0.0/16"), NEAR))
    outside = "outside what the site may claim ([[site]] within)"
    assert {str(prefix): why for prefix, (_, why) in reach.heard["east-a"].set_aside.items()} == {
        "10.2.0.0/24": outside,
        "47.0.0.0/16": outside,
    }


def test_reach_judges_anew_when_lists_change() -> None:
    reach, box = make_reach(), Box("east-a")
    box.tell(reach, {"47.1.0.0/16": NEAR})
    reach.put_list("other", ["47.0.0.0/8"])
    assert who(reach, "46.0.0.1") == []
    assert who(reach, "47.1.0.1") == [["east"], ["other"]]
    assert reach.full_wanted("east-a", box.digest)
    box.tell(reach, {}, whole=True)
    assert who(reach, "47.1.0.1") == [["other"]]
    reach.put_list("other", ["47.0.0.0/8"])
    assert not reach.full_wanted("east-a", box.digest)


@pytest.mark.parametrize("text", ["nonsense", "45.0.0.1/8", "45.0.0.0/99"])
def test_reach_refuses_what_is_no_prefix(text: str) -> None:
    reach, box = make_reach(), Box("east-a")
    assert box.tell(reach, {text: NEAR}) == f"{text!r} is no prefix"
    assert "should end" in take(reach, "east-a", replace(Box("east-a").batch({}), withdrawn=[text], after="1" * 32))


def test_reach_takes_many_prefixes_with_one_path_at_once() -> None:
    reach, box, other = make_reach(), Box("east-a"), Box("east-b")
    prefixes = ["45.1.0.0/16", "45.2.0.0/16", "46.0.0.0/8"]
    for one in (box, other):
        batch = one.batch(dict.fromkeys(prefixes, NEAR))
        assert take(reach, one.name, replace(batch, announced=[RouteGroup(NEAR, prefixes)])) == ""
    assert who(reach, "45.2.0.1") == [["east"]]
    assert who(reach, "46.1.0.1") == [["east"]]  # wider than what is the other's
    unknown = replace(box.batch({}), withdrawn=["45.3.0.0/16"], after="1" * 32)
    assert "should end" in take(reach, "east-a", unknown)


def test_reach_bounds_routes_of_an_appliance() -> None:
    reach, box = make_reach(), Box("east-a")
    many = {f"45.{number >> 8}.{number & 255}.0/24": NEAR for number in range(2001)}
    batch = box.batch(many)
    steps = list(reach.take("east-a", replace(batch, announced=[RouteGroup(NEAR, list(many))])))
    assert steps[-1] == "it has more than 2000 routes"
    assert len(steps) == 2000 // SLICE_ROUTES + 1


def test_reach_takes_slices_between_which_others_are_answered() -> None:
    reach, east, west = make_reach(), Box("east-a"), Box("west-a")
    many = {f"45.0.{number & 255}.{number >> 8 << 4}/28": NEAR for number in range(3 * SLICE_ROUTES)}
    east.tell(reach, {})
    batch = replace(east.batch(many), announced=[RouteGroup(NEAR, list(many))])
    slices = 0
    for said in reach.take("east-a", batch):
        assert said == ""
        slices += 1
        west.tell(reach, {f"45.{slices}.0.0/16": NEAR})
    assert slices == 3
    assert (reach.heard["east-a"].routes, reach.heard["west-a"].routes) == (3 * SLICE_ROUTES, 3)


def test_reach_takes_many_small_groups_and_withdrawals_in_slices() -> None:
    reach, box = make_reach(), Box("east-a")
    many = {f"45.0.{number & 255}.{number >> 8 << 4}/28": NEAR for number in range(2 * SLICE_ROUTES)}
    steps = list(reach.take("east-a", box.batch(many)))  # a group each
    assert steps == [""] * (len(many) // -(-SLICE_ROUTES // (1 + GROUP_ROUTES)))
    assert list(reach.take("east-a", box.batch({}, tuple(many)))) == ["", ""]
    assert reach.heard["east-a"].routes == 0


def test_reach_forgets_in_slices() -> None:
    reach, box, other = make_reach(within=("45.0.0.0/8",)), Box("east-a"), Box("west-a")
    many = {f"45.0.{number & 255}.{number >> 8 << 4}/28": NEAR for number in range(4 * SLICE_ROUTES)}
    box.tell(reach, many | {"46.1.0.0/16": NEAR})
    other.tell(reach, dict(list(many.items())[:9]))
    box.table = {"45.0.0.0/28": NEAR}
    left = [len(many) + 1]
    for said in reach.take("east-a", box.batch({}, whole=True)):
        assert said == ""
        claimed = sum(member.appliance == "east-a" for _, claims in reach.claims.items() for member in claims.members)
        left.append(claimed + len(reach.heard["east-a"].set_aside))
    assert max(before - after for before, after in pairwise(left)) <= SLICE_ROUTES
    assert left[-1] == 1
    assert reach.heard["west-a"].routes == 9
    assert who(reach, "45.0.1.1") == [["west"]]


def test_reach_looks_at_few_of_others_prefixes_in_a_slice() -> None:
    reach, box, other = make_reach(), Box("east-a"), Box("west-a")
    reach.claims.table(4, 28).update(dict.fromkeys(range(4 * WALK_PREFIXES - 1), reach.sets.of(())))
    box.tell(reach, {"45.1.0.0/16": NEAR, "45.255.255.240/28": NEAR})
    other.tell(reach, {"45.1.0.0/16": NEAR})
    box.table.pop("45.255.255.240/28")
    steps = list(reach.take("east-a", box.batch({}, whole=True)))
    assert steps == [""] * 5  # of each four, and of the /16
    assert reach.heard["east-a"].untold == 0


def test_reach_looks_for_nothing_to_forget_where_all_is_told_again() -> None:
    reach, box = make_reach(), Box("east-a")
    reach.claims.table(4, 28).update(dict.fromkeys(range(4 * WALK_PREFIXES), reach.sets.of(())))
    box.tell(reach, {"45.1.0.0/16": NEAR, "45.2.0.0/16": NEAR, "10.0.0.0/8": NEAR})
    box.batch({"45.3.0.0/16": NEAR, "45.2.0.0/16": FAR})  # never comes
    assert list(reach.take("east-a", box.batch({}, whole=True))) == []  # less than a slice
    assert reach.heard["east-a"].untold == 0


@pytest.mark.parametrize("ends", [True, False])
def test_reach_lets_go_of_the_numbers_of_a_table_in_slices(ends: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reach_module, "LET_GO", 100)
    reach, box = make_reach(), Box("east-a")
    many = {f"45.0.{number}.0/24": NEAR for number in range(250)}
    whole = replace(box.batch(many, whole=True), announced=[RouteGroup(NEAR, list(many))], ends=ends)
    steps = list(reach.take("east-a", whole))
    assert steps == [""] * (2 if ends else 0)  # one slice is not full
    if not ends:
        assert list(reach.take("east-a", replace(whole, ends=True))) == [""] * 4  # what had begun, and this


PREFIXES = st.sampled_from(["45.1.0.0/16", "45.1.2.0/24", "45.2.0.0/16", "10.0.0.0/8", "2a00::/32", "0.0.0.0/0"])
STEPS = st.tuples(
    st.sampled_from(["east-a", "east-b", "west-a"]),
    st.dictionaries(PREFIXES, st.sampled_from([NEAR, FAR])),
    st.sets(PREFIXES),
    st.booleans(),
    st.sampled_from(["comes", "lost", "half"]),
)


@example(
    [
        ("east-a", {"45.1.0.0/16": NEAR}, set(), False, "comes"),
        ("east-a", {}, set(), True, "half"),  # nothing of it
        ("east-a", {}, {"45.1.0.0/16"}, False, "comes"),  # then both tables stand at nothing
    ]
)
@given(st.lists(STEPS, max_size=12))
def test_reach_agrees_with_tables_whatever_is_lost(
    steps: list[tuple[str, dict[str, PathAttributes], set[str], bool, str]],
) -> None:
    reach = make_reach()
    boxes = {name: Box(name) for name in ("east-a", "east-b", "west-a")}
    for name, announced, withdrawn, whole, what in steps:
        box = boxes[name]
        gone = tuple(prefix for prefix in withdrawn if prefix in box.table and prefix not in announced)
        batch = box.batch(announced, gone, whole=whole)
        if what == "half" and batch.announced:
            batch = replace(batch, announced=batch.announced[1:], ends=False)
        if what != "lost":
            take(reach, name, batch)
    for name, box in boxes.items():
        if reach.full_wanted(name, box.digest):
            assert box.tell(reach, {}, whole=True) == ""
        heard = reach.heard[name]
        claimed = {
            str(prefix): member.attributes
            for prefix, claims in reach.claims.items()
            for member in claims.members
            if member.appliance == name
        }
        aside = {str(prefix): attributes for prefix, (attributes, _) in heard.set_aside.items()}
        assert claimed | aside == box.table
        assert not claimed.keys() & aside.keys()
        assert heard.routes == len(box.table)
    prefixes = Counter(claims for _, claims in reach.claims.items())
    assert prefixes == {claims: claims.prefixes for claims in prefixes}
    assert len(reach.sets) == len(prefixes) == len({claims.members for claims in prefixes})


def test_reach_gives_the_collector_next_to_nothing_to_look_at() -> None:
    reach, boxes = make_reach(), [Box("east-a"), Box("east-b"), Box("west-a")]
    paths = [PathAttributes(as_path=f"64500 {number}") for number in range(500)]
    gc.collect()
    before = len(gc.get_objects())
    for steps in range(2):
        for box in boxes:
            box.tell(reach, {f"45.{at >> 8}.{at & 255}.0/24": path for at, path in enumerate(paths)})
        paths = [PathAttributes(as_path=f"{path.as_path} {steps}") for path in paths]
    gc.collect()
    gc.collect()  # tuples of tuples drop out after their members
    assert len(reach.sets) == len(paths) + 1
    assert len(gc.get_objects()) - before < 100
