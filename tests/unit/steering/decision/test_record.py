from __future__ import annotations

import pytest

from oca.common.errors import SteeringError
from oca.common.messages import Load
from steering.decision.edition import Edition
from steering.decision.feedback import Score, Slowed
from steering.decision.order import RankedSite
from steering.decision.ranking import Ranking
from steering.decision.record import (
    BOXES_MAX,
    Begun,
    BoxSeen,
    Seen,
    SiteSeen,
    begun,
    line_of,
    read_records,
    seen_of,
    seen_sites,
)
from steering.decision.viewer import Viewer
from steering.fleet.holders import Holding
from tests.unit.steering.made_up import NOW_NS, Box, changed, held, look_at, make_candidate, make_site, make_title

BEGUN = begun([make_site("metro", latitude=52.5)])
SEEN = Seen(
    at_ns=NOW_NS,
    kind="playback",
    network="192.0.2.0/24",
    home="metro",
    region="",
    title="harbour",
    assets=4,
    regions=[],
    released_at_ns=0,
    shapes=[((0, "metro"),)],
    own_origin=False,
    sites=[SiteSeen("metro", [BoxSeen("metro-a", "up", 1.0, 4, 1e6, 1e7, 0.5, 0.0)])],
    slowed={},
    chosen=["metro-a", "origin"],
)


def test_records_come_back_as_they_were() -> None:
    lines = [line_of(BEGUN), line_of(SEEN)]
    assert list(read_records(lines, name="x")) == [BEGUN, SEEN]


def test_records_pass_over_a_line_that_is_none() -> None:
    lines = [line_of(BEGUN), b'{"record":"decision","at_ns":1}\n', b"[" * 10_000, line_of(SEEN)[:50], line_of(SEEN)]
    assert list(read_records(lines, name="x")) == [BEGUN, None, None, None, SEEN]


@pytest.mark.parametrize(
    ("line", "why"),
    [
        (b"\x00\x01", "not a decision log"),
        (line_of(SEEN), "not a decision log"),
        (line_of(Begun(7, [])), "of version 7"),
    ],
)
def test_records_of_another_kind_are_refused(line: bytes, why: str) -> None:
    with pytest.raises(SteeringError, match=f"x.jsonl: {why}; version 1 is read"):
        list(read_records([line], name="x.jsonl"))


def test_record_holds_what_a_decision_was_made_by() -> None:
    title = make_title(regions=["DE"], origin_url="http://own.example")
    sites = [make_site("metro"), make_site("far", "regional")]
    boxes: dict[str, list[Box]] = {
        "metro": [(changed(make_candidate("m-a", {})[0], expected_bytes_per_s=7.0), Holding.of(held(title)))],
        "far": [make_candidate(f"f-{number}", {}) for number in range(BOXES_MAX)],
    }
    order = [[RankedSite(site, 1.0, -1, "") for site in sites]]
    found = seen_sites(
        Edition(title),
        order,
        look_at(boxes),
        lambda name: Load(connections=1, sent_bytes_per_s=2.0, link_bytes_per_s=3.0, cpu_ratio=0.5),
    )
    assert found == [SiteSeen("metro", [BoxSeen("m-a", "up", 1.0, 4, 2.0, 3.0, 0.5, 7.0)])]  # the rest is too many
    viewer = Viewer("metro", region="DE", network="c00002", slowed={"m-a": Slowed(0.5, Score(0.1, 9), 0.01)})
    barred = Ranking((), (), "no rights")
    seen = seen_of(barred, Edition(title), viewer, found, at_ns=1, kind="hls", network="192.0.2.0/24")
    assert (seen.own_origin, seen.slowed, seen.chosen, seen.barred) == (True, {"m-a": 0.5}, [], "no rights")
    assert (seen.home, seen.region, seen.regions, seen.assets) == ("metro", "DE", ["DE"], 4)
