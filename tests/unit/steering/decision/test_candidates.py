from __future__ import annotations

from collections.abc import Callable

import pytest

from steering.decision.candidate import Rejected
from steering.decision.candidates import Fit, Rack, fits_in, pairs, spare_in
from steering.decision.edition import Edition
from steering.decision.feedback import Score, Slowed
from steering.decision.order import RankedSite
from steering.decision.viewer import Viewer
from steering.fleet.liveness import Liveness
from tests.unit.steering.made_up import (
    Box,
    changed,
    held,
    look_at,
    make_candidate,
    make_site,
    make_title,
    revision,
    whys,
)

TITLE = make_title()
GONE = Liveness("gone", 0.0, "last report 9.0 s old, limit 4.5 s")


def fits(
    *boxes: Box, why_not: str = "", region: str = "", title_regions: tuple[str, ...] = ()
) -> tuple[list[Fit], list[Rejected]]:
    rejected: list[Rejected] = []
    title = make_title(regions=list(title_regions))
    tier = [RankedSite(make_site("metro", region=region), None, 0, why_not)]
    return fits_in(Edition(title), tier, look_at({"metro": boxes}), rejected, explain=False), rejected


def test_fits_are_those_that_hold_some_whole_ladders_first() -> None:
    found, rejected = fits(
        make_candidate("part", held(TITLE, "harbour/audio-en")), make_candidate("whole", held(TITLE))
    )
    assert [fit.candidate.appliance for fit in found] == ["whole", "part"]
    assert (rejected, found[1].holds) == ([], ("harbour/audio-en",))


@pytest.mark.parametrize(
    ("box", "why"),
    [
        (make_candidate("a", {}), "does not hold this title"),
        (make_candidate("a", {"harbour/audio-en": revision("old")}), "holds only an earlier revision of this title"),
        (make_candidate("a", held(TITLE), GONE), GONE.why),
    ],
)
def test_fits_tell_of_each_other_why_not(box: Box, why: str) -> None:
    found, rejected = fits(box)
    assert (found, whys(rejected)) == ([], [("a", why)])


def test_fits_are_none_where_the_site_may_not_serve() -> None:
    box = make_candidate("a", held(TITLE))
    found, rejected = fits(box, why_not="elsewhere")
    assert (found, whys(rejected)) == ([], [("a", "elsewhere")])
    found, rejected = fits(box, region="FR", title_regions=("DE",))
    assert (found, whys(rejected)) == ([], [("a", "its site metro is in FR: no rights there")])


def many(count: int = 4) -> list[Box]:
    return [make_candidate(f"box-{number}", held(TITLE)) for number in range(count)]


def tier_of(*names: str) -> list[RankedSite]:
    return [RankedSite(make_site(name), None, -1, "") for name in names]


def alike(boxes: list[Box]) -> list[Box]:
    return boxes


def one_out(boxes: list[Box]) -> list[Box]:
    return [boxes[0], (changed(boxes[1][0], liveness=GONE), boxes[1][1]), *boxes[2:]]


def one_large(boxes: list[Box]) -> list[Box]:
    return [(changed(boxes[0][0], capacity=3.0), boxes[0][1]), *boxes[1:]]


def one_sheds(boxes: list[Box]) -> list[Box]:
    return [(changed(boxes[0][0], share=0.3), boxes[0][1]), *boxes[1:]]


def one_left(boxes: list[Box]) -> list[Box]:
    return [boxes[0], *((changed(box, liveness=GONE), holding) for box, holding in boxes[1:])]


RACKS = pytest.mark.parametrize("rack_of", [alike, one_out, one_large, one_sheds, one_left])


@RACKS
def test_fits_of_a_rack_that_holds_the_same_stand_as_they_would_one_by_one(
    rack_of: Callable[[list[Box]], list[Box]],
) -> None:
    for number in range(50):
        title = make_title(f"t{number}")
        boxes = rack_of([make_candidate(f"box-{at}", held(title)) for at in range(4)])
        told: list[Rejected] = []
        at_once = fits_in(Edition(title), tier_of("metro"), look_at({"metro": boxes}), told, explain=False)
        extra = make_candidate("other", {})  # one that holds nothing: each is looked at by itself
        rejected: list[Rejected] = []
        one_by_one = fits_in(
            Edition(title), tier_of("metro"), look_at({"metro": [*boxes, extra]}), rejected, explain=False
        )
        assert [fit.candidate for fit in at_once] == [fit.candidate for fit in one_by_one]
        assert [*whys(told), ("other", "does not hold this title")] == whys(rejected)


def test_fits_are_not_looked_for_where_an_open_site_holds_nothing_unless_to_explain() -> None:
    boxes = [make_candidate("a", {})]
    for explain, told in ((False, []), (True, ["a"])):
        rejected: list[Rejected] = []
        assert fits_in(Edition(TITLE), tier_of("metro"), look_at({"metro": boxes}), rejected, explain=explain) == []
        assert [lost.pathway for lost in rejected] == told


def test_rack_tells_of_each_box_once_why_it_lost_where_none_holds_anything() -> None:
    rack = Rack([make_candidate("a", {})[0], make_candidate("b", {}, GONE)[0]])
    assert whys(rack.lacking) == [("a", "does not hold this title"), ("b", GONE.why)]
    assert rack.lacking is rack.lacking


def spare(boxes: list[Box], viewer: Viewer, *sites: str) -> str:
    look = look_at(dict.fromkeys(sites or ("metro",), boxes))
    found = spare_in(Edition(TITLE), tier_of(*(sites or ("metro",))), look, viewer)
    return found.candidate.appliance if found is not None else ""


@RACKS
def test_spare_is_the_same_box_however_it_is_found(rack_of: Callable[[list[Box]], list[Box]]) -> None:
    found = set()
    boxes = rack_of(many())
    for number in range(200):
        viewer = Viewer(network=f"{number}")
        at_once = spare(boxes, viewer)
        found.add(at_once)
        assert spare([*boxes, make_candidate("other", {})], viewer) == at_once
        assert spare(boxes, viewer, "one", "two") == at_once
    assert len(found) == len([box for box, _ in boxes if box.liveness.takes_viewers])


def test_spare_is_nobody_where_none_has_room_or_may_serve() -> None:
    full = [(changed(box, share=0.0), holding) for box, holding in many()]
    assert spare(full, Viewer()) == ""
    assert spare([(box, None) for box, _ in many()], Viewer()) == ""
    assert spare([(changed(box, liveness=GONE), holding) for box, holding in many()], Viewer()) == ""
    assert spare([make_candidate(f"box-{at}", held(TITLE, "harbour/manifests")) for at in range(4)], Viewer()) == ""
    barred = [RankedSite(make_site("metro"), None, -1, "elsewhere")]
    assert spare_in(Edition(TITLE), barred, look_at({"metro": many()}), Viewer()) is None


def test_spare_of_slowed_box_has_the_share_that_is_left() -> None:
    slowed = {f"box-{at}": Slowed(0.5, Score(0.1, 9), 0.02) for at in range(4)}
    firsts = [spare(many(1), Viewer(network=f"{number}", slowed=slowed)) for number in range(200)]
    assert 70 <= firsts.count("box-0") <= 130


def test_pairs_show_each_box_with_what_it_holds() -> None:
    rack, held_there = look_at({"metro": [*many(1), make_candidate("other", {})]})("metro")
    assert [holding is not None for _, holding in pairs(rack, held_there)] == [True, False]
    assert [holding for _, holding in pairs(rack, None)] == [None, None]
