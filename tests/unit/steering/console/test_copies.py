from __future__ import annotations

from steering.console.copies import SITES_NAMED_MAX, catalogue_row, copies_view, titles_matching
from steering.fleet.holders import Holders
from tests.unit.steering.made_up import held, make_title

HARBOUR = make_title()


def holders() -> Holders:
    made = Holders({"a": "metro", "b": "metro", "c": "region", "d": "region", "e": "far"})
    for name, contents in (
        ("a", held(HARBOUR)),
        ("b", held(HARBOUR)),
        ("c", held(HARBOUR, "harbour/manifests")),
        ("d", {"harbour/manifests": "0" * 32}),
    ):
        made.put(name, contents.items())
    return made


def test_catalogue_counts_whole_partial_and_outdated_copies() -> None:
    row = catalogue_row(HARBOUR, holders().copies("harbour"))
    assert (row.whole, row.partly, row.outdated) == (2, 1, 1)
    assert (row.title, row.assets, row.bytes) == ("harbour", 4, 21_450)


def test_copies_are_counted_by_asset() -> None:
    view = copies_view(HARBOUR, holders())
    assert {asset.asset: asset.holders_count for asset in view.assets} == {
        "harbour/video-240p": 2,
        "harbour/video-1080p": 2,
        "harbour/audio-en": 2,
        "harbour/manifests": 3,
    }
    assert (view.sites, view.sites_named) == (2, ["metro", "region"])


def test_title_that_nobody_holds_has_no_copies() -> None:
    view = copies_view(make_title("other"), holders())
    assert (view.row.whole, view.row.partly, view.row.outdated, view.sites) == (0, 0, 0, 0)


def test_sites_that_hold_a_title_are_named_up_to_a_limit() -> None:
    many = Holders({f"b{number}": f"s{number:02}" for number in range(SITES_NAMED_MAX + 5)})
    for number in range(SITES_NAMED_MAX + 5):
        many.put(f"b{number}", held(HARBOUR).items())
    view = copies_view(HARBOUR, many)
    assert (view.sites, len(view.sites_named)) == (SITES_NAMED_MAX + 5, SITES_NAMED_MAX)


def test_titles_are_found_by_a_part_of_their_id() -> None:
    assert titles_matching(["harbour", "lighthouse"], " HOUSE ") == ["lighthouse"]
    assert titles_matching(["harbour", "lighthouse"], "") == ["harbour", "lighthouse"]
