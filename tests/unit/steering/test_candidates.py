from __future__ import annotations

from collections.abc import Iterable

import pytest

from steering.candidates import Candidate, Fit, Rejected, fits_in
from steering.edition import Edition
from steering.holders import Holding
from steering.liveness import Liveness
from steering.order import RankedSite
from tests.unit.steering.made_up import Box, held, make_candidate, make_site, make_title, revision

TITLE = make_title()
GONE = Liveness("gone", 0.0, "last report 9.0 s old, limit 4.5 s")


def fits(
    *boxes: Box, why_not: str = "", region: str = "", title_regions: tuple[str, ...] = ()
) -> tuple[list[Fit], list[Rejected]]:
    def look(site: str, everyone: bool) -> Iterable[tuple[Candidate, Holding | None]]:
        assert (site, everyone) == ("metro", True)
        return boxes

    rejected: list[Rejected] = []
    title = make_title(regions=list(title_regions))
    tier = [RankedSite(make_site("metro", region=region), None, 0, why_not)]
    return fits_in(Edition(title), tier, look, rejected, explain=False), rejected


def test_fits_are_those_that_hold_some_whole_ladders_first() -> None:
    found, rejected = fits(
        make_candidate("part", held(TITLE, "harbour/audio-en")), make_candidate("whole", held(TITLE))
    )
    assert [fit.candidate.appliance for fit in found] == ["whole", "part"]
    assert (rejected, found[1].holds) == ([], frozenset({"harbour/audio-en"}))


@pytest.mark.parametrize(
    ("box", "why"),
    [
        (make_candidate("a", {}), "does not hold this title"),
        (make_candidate("a", {"harbour/audio-en": revision("old")}), "holds only an earlier revision of this title"),
        (make_candidate("a", held(TITLE), GONE), GONE.why),
    ],
)
def test_fits_tell_of_each_other_why_not(box: Box, why: str) -> None:
    assert fits(box) == ([], [Rejected("a", why)])


def test_fits_are_none_where_the_site_may_not_serve() -> None:
    box = make_candidate("a", held(TITLE))
    assert fits(box, why_not="elsewhere") == ([], [Rejected("a", "elsewhere")])
    barred = [Rejected("a", "its site metro is in FR: no rights there")]
    assert fits(box, region="FR", title_regions=("DE",)) == ([], barred)
