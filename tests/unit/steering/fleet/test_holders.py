from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from steering.fleet.holders import Holders, Holding, lines_of

NAMES = [f"box-{number}" for number in range(70)]
SITE_OF = {name: f"site-{number // 5}" for number, name in enumerate(NAMES)}
CONTENTS = st.dictionaries(st.sampled_from(["t/a", "t/b", "u/a"]), st.sampled_from(["old", "new"]))


def test_holders_name_who_holds_a_revision_in_fleet_order() -> None:
    holders = Holders(SITE_OF)
    for name in ("box-64", "box-2"):
        holders.put(name, [("t/a", "new")])
    holders.put("box-3", [("t/a", "old")])
    found = holders.of("t/a", "new")
    assert found.bit_count() == 2
    assert holders.names(found) == ["box-2", "box-64"]
    assert holders.names(found, at_most=1) == ["box-2"]
    assert holders.names(holders.of("t/b", "new")) == []
    assert holders.holds("box-3", "t/a") == "old"
    assert holders.holds("box-3", "u/a") is None


def test_holders_forget_titles_that_nobody_holds() -> None:
    holders = Holders(SITE_OF)
    holders.put("box-1", [("t/a", "old"), ("u/a", "old")])
    holders.put("box-1", [("u/a", "old")])
    assert (holders.of("t/a", "old"), holders.of_title("t"), len(holders)) == (0, None, 1)


def test_holders_share_what_is_held_alike() -> None:
    holders = Holders(SITE_OF)
    for name in NAMES[:3]:
        holders.put(name, [("t/b", "new"), ("t/a", "new")])
    holders.put("box-3", [("t/a", "new")])
    title = holders.of_title("t")
    assert title is not None
    first = title.at(0, 5)
    assert first[0] is first[1] is first[2]
    assert first[3] not in (None, first[0])
    assert first[4] is None
    assert (title.at(1, 5), set(title.sites)) == ((), {0})
    holders.put("box-3", [])
    assert list(title.at(0, 5)) == [first[0], first[0], first[0], None, None]
    for name in NAMES[3:5]:
        holders.put(name, [("t/b", "new"), ("t/a", "new")])
    assert title.sites == {0: first[0]}
    assert list(title.at(0, 5)) == [first[0]] * 5


def test_holding_gives_back_what_it_was_made_from() -> None:
    assert Holding.of({"t/b": "new", "t/a": "old"}).assets == {"t/a": "old", "t/b": "new"}
    assert Holding.of({"t/b": "new"}).title == "t"


def test_holders_select_appliances_of_a_kind() -> None:
    holders = Holders(SITE_OF)
    nines = holders.where(lambda name: name.endswith("9"))
    assert holders.names(nines) == [name for name in NAMES if name.endswith("9")]
    assert [holders.names(holders.first(nines, at_most)) for at_most in (0, 2)] == [[], ["box-9", "box-19"]]
    assert holders.first(nines, 20) == nines
    assert Holders({}).where(lambda name: True) == 0


@given(st.lists(st.tuples(st.sampled_from(NAMES), CONTENTS), max_size=20))
def test_holders_agree_with_what_each_one_holds(changes: list[tuple[str, dict[str, str]]]) -> None:
    holders = Holders(SITE_OF)
    kept: dict[str, dict[str, str]] = {name: {} for name in NAMES}
    for name, contents in changes:
        holders.put(name, contents.items())
        kept[name] = contents
    held = {holding: count for title in ("t", "u") for holding, count in holders.copies(title).items()}
    assert {holding: holding.boxes for holding in held} == held
    assert holders._shared == {holding.lines: holding for holding in held}
    for asset in ("t/a", "t/b", "u/a"):
        for revision in ("old", "new"):
            wanted = [name for name in NAMES if kept[name].get(asset) == revision]
            both = holders.each_of(asset[0], {asset: revision, "none": "new"})
            assert (holders.names(both[asset]), both["none"]) == (wanted, 0)
    for name, contents in kept.items():
        title, place = holders.of_title("t"), NAMES.index(name)
        row = title.at(place // 5, 5) if title is not None else ()
        holding = row[place % 5] if row else None
        mine = {asset: revision for asset, revision in contents.items() if asset.startswith("t/")}
        assert (holding.assets if holding is not None else {}) == mine
    assert len(holders) == len({asset[0] for contents in kept.values() for asset in contents})


def test_holders_count_what_boxes_hold_of_a_title() -> None:
    holders = Holders(SITE_OF)
    for name in NAMES[:7]:
        holders.put(name, [("t/a", "new"), ("u/a", "new")])
    holders.put("box-8", [("t/a", "old")])
    assert sorted((copies, found.assets["t/a"]) for found, copies in holders.copies("t").items()) == [
        (1, "old"),
        (7, "new"),
    ]
    assert holders.sites_of("t") == ["site-0", "site-1"]
    assert (holders.copies("none"), holders.sites_of("none")) == ({}, [])
    assert holders.titles_of("box-0", at_most=1) == ["t"]
    assert holders.titles_of("box-9", at_most=5) == []


def test_holders_read_each_holding_once_while_contents_change(monkeypatch: pytest.MonkeyPatch) -> None:
    holders = Holders(SITE_OF)
    for name in NAMES[:60]:
        holders.put(name, [("t/a", "new"), ("t/b", "new")])
    read: Any = Holding.assets
    reported = iter(NAMES[60:])
    seen: list[Holding] = []

    def assets(holding: Holding) -> Any:
        seen.append(holding)
        holders.put(next(reported), [("t/a", "new")])  # a report, amid it
        holders.put(NAMES[5], [])
        return read.fget(holding)

    monkeypatch.setattr(Holding, "assets", property(assets))
    found = holders.each_of("t", {"t/a": "new", "t/b": "new", "t/c": "new"})
    assert {asset: holders.names(held) for asset, held in found.items()} == {
        "t/a": NAMES[:60],
        "t/b": NAMES[:60],
        "t/c": [],
    }
    assert len(seen) == 1
    assert holders.of("t/b", "old") == 0


def test_holding_is_just_what_it_was_made_of() -> None:
    holding = Holding.of({"t/b": "2", "t/a": "1"})
    assert holding.is_just(lines_of([("t/a", "1"), ("t/b", "2")]))
    assert not holding.is_just(lines_of([("t/a", "1")]))
