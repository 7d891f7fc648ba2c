from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from steering.holders import Holders

NAMES = [f"box-{number}" for number in range(70)]
CONTENTS = st.dictionaries(st.sampled_from(["t/a", "t/b"]), st.sampled_from(["old", "new"]))


def test_holders_name_who_holds_a_revision_in_fleet_order() -> None:
    holders = Holders(NAMES)
    for name in ("box-64", "box-2"):
        holders.change(name, {}, {"t/a": "new"})
    holders.change("box-3", {}, {"t/a": "old"})
    found = holders.of("t/a", "new")
    assert found.bit_count() == 2
    assert holders.names(found) == ["box-2", "box-64"]
    assert holders.names(found, at_most=1) == ["box-2"]
    assert holders.names(holders.of("t/b", "new")) == []


def test_holders_forget_assets_that_nobody_holds() -> None:
    holders = Holders(NAMES)
    holders.change("box-1", {}, {"t/a": "old", "t/b": "old"})
    holders.change("box-1", {"t/a": "old", "t/b": "old"}, {"t/b": "old"})
    assert holders.of("t/a", "old") == 0
    assert len(holders) == 1


def test_holders_select_appliances_of_a_kind() -> None:
    holders = Holders(NAMES)
    nines = holders.where(lambda name: name.endswith("9"))
    assert holders.names(nines) == [name for name in NAMES if name.endswith("9")]
    assert Holders([]).where(lambda name: True) == 0


@given(st.lists(st.tuples(st.sampled_from(NAMES), CONTENTS), max_size=20))
def test_holders_agree_with_what_each_one_holds(changes: list[tuple[str, dict[str, str]]]) -> None:
    holders = Holders(NAMES)
    held: dict[str, dict[str, str]] = {name: {} for name in NAMES}
    for name, contents in changes:
        holders.change(name, held[name], contents)
        held[name] = contents
    for asset in ("t/a", "t/b"):
        for revision in ("old", "new"):
            wanted = [name for name in NAMES if held[name].get(asset) == revision]
            assert holders.names(holders.of(asset, revision)) == wanted
