from __future__ import annotations

from typing import Any

import pytest
from msgspec.structs import replace

from oca.common.messages import Health, Load
from steering.decision.candidates import Rack
from steering.decision.racks import STANDING_S, Racks
from steering.fleet.fleet import Fleet
from steering.fleet.liveness import Liveness
from steering.settings import FleetTable
from tests.unit.steering.made_up import make_report, make_site

SITE = make_site("metro", appliances=("a", "b"))
LINKS = 1e9


def rack_of(racks: Racks, now_s: float, site: str = "metro") -> Rack:
    """As decisions see it."""
    rack, _ = racks.look_for(None, now_s)(site)
    return rack


class Watched(Fleet):
    """Notes whom it is asked about: a box is judged by nothing else."""

    def __init__(self) -> None:
        super().__init__({"a": "metro", "b": "metro"}, age_limit_s=4.5)
        self.judged: list[str] = []

    def liveness(self, appliance: str, now_s: float) -> Liveness:
        self.judged.append(appliance)
        return super().liveness(appliance, now_s)


class Boxes:
    def __init__(self) -> None:
        self.fleet = Watched()
        self.racks = Racks({"metro": SITE}, self.fleet, FleetTable(viewer_bits_per_s=8_000_000))
        self.sequence = 0

    def report(self, name: str, at_s: float, sent: float = 0.0, *, link: float = LINKS, cpu: float = 0.0) -> None:
        self.sequence += 1
        report = make_report(name, sequence=self.sequence)
        load = replace(report.load, sent_bytes_per_s=sent, link_bytes_per_s=link, cpu_ratio=cpu)
        assert self.fleet.observe(replace(report, load=load), at_s) == "taken"
        self.racks.heard(name)

    def shares(self, now_s: float) -> dict[str, float]:
        return {box.appliance: round(box.share, 2) for box in rack_of(self.racks, now_s).boxes}

    def standings(self, now_s: float) -> list[str]:
        return [box.liveness.standing for box in rack_of(self.racks, now_s).boxes]


def test_rack_shows_what_boxes_told_last() -> None:
    boxes = Boxes()
    assert boxes.standings(100.0) == ["unknown", "unknown"]
    boxes.report("a", 100.0)
    boxes.report("b", 100.0, 0.875 * LINKS)
    assert boxes.shares(100.0) == {"a": 1.0, "b": 0.5}
    assert not rack_of(boxes.racks, 100.0).has_room
    boxes.report("b", 100.2, 0.5 * LINKS)
    rack = rack_of(boxes.racks, 100.2)
    assert (rack.has_room, rack.is_even, rack.names) == (True, True, [b"a", b"b"])
    assert rack_of(boxes.racks, 100.3) is rack


def test_rack_stays_while_its_boxes_are_as_well_as_before() -> None:
    boxes = Boxes()
    for name in ("a", "b"):
        boxes.report(name, 100.0)
    rack = rack_of(boxes.racks, 100.0)
    assert rack.boxes[0].why(100.5) == "report 0.5 s old, limit 4.5 s"
    boxes.report("a", 102.0, 0.5 * LINKS)
    assert rack_of(boxes.racks, 102.0) is rack
    assert [box.why(102.5) for box in rack.boxes] == ["report 0.5 s old, limit 4.5 s", "report 2.5 s old, limit 4.5 s"]
    assert boxes.standings(105.0) == ["up", "gone"]  # a is not too old before 106.5
    boxes.report("a", 105.0, link=2 * LINKS)
    assert rack_of(boxes.racks, 105.0) is not rack
    assert [box.capacity for box in rack_of(boxes.racks, 105.0).boxes] == [2 * LINKS, LINKS]


def test_report_of_a_box_that_is_as_well_as_before_is_not_judged_when_it_is_looked_at() -> None:
    boxes = Boxes()
    for name in ("a", "b"):
        boxes.report(name, 100.0)
    rack = rack_of(boxes.racks, 100.0)
    judged = boxes.fleet.judged
    assert judged == ["a", "b"] * 2  # at the start, and when their first reports had come
    judged.clear()
    for at_s in (102.0, 104.0, 106.0, 108.0):
        for name in ("a", "b"):
            boxes.report(name, at_s, 0.5 * LINKS)
        assert rack_of(boxes.racks, at_s + 1.0) is rack
        assert [box.why(at_s + 0.5) for box in rack.boxes] == ["report 0.5 s old, limit 4.5 s"] * 2
    assert judged == []
    assert boxes.standings(112.6) == ["gone", "gone"]
    assert judged == ["a", "b"]


def test_box_is_too_old_in_time_where_it_was_last_heard_earlier_than_the_time_before() -> None:
    boxes = Boxes()
    for name in ("a", "b"):
        boxes.report(name, 100.0)
    assert boxes.standings(101.0) == ["up", "up"]
    boxes.report("a", 98.0)  # by another instance, late
    boxes.report("b", 103.0)
    assert boxes.standings(103.0) == ["gone", "up"]


def test_rack_stays_where_a_box_was_last_heard_earlier_than_the_time_before_and_is_well() -> None:
    boxes = Boxes()
    for name in ("a", "b"):
        boxes.report(name, 100.0)
    rack = rack_of(boxes.racks, 101.0)
    boxes.report("a", 99.0)  # by another instance, late
    boxes.fleet.judged.clear()
    assert rack_of(boxes.racks, 101.0) is rack
    assert boxes.fleet.judged == ["a"]
    assert [box.why(101.0) for box in rack.boxes] == ["report 2.0 s old, limit 4.5 s", "report 1.0 s old, limit 4.5 s"]


@pytest.mark.parametrize(
    ("told", "known"),
    [
        ({"serving": "draining"}, {}),
        ({"health": Health(verdict="failed", reasons=["x"])}, {}),
        ({"health": Health(verdict="degraded", reasons=["x"], weight=0.5)}, {}),
        ({"keys": ["other"]}, {}),
        ({"delivery_urls": ["http://other.example"]}, {}),
        ({"load": Load(connections=0, sent_bytes_per_s=0.9 * LINKS, link_bytes_per_s=LINKS, cpu_ratio=0.0)}, {}),
        ({"load": Load(connections=0, sent_bytes_per_s=0.0, link_bytes_per_s=2 * LINKS, cpu_ratio=0.0)}, {}),
        ({"load": Load(connections=0, sent_bytes_per_s=0.0, link_bytes_per_s=LINKS, cpu_ratio=0.95)}, {}),
        ({}, {"drained": "drained by ann"}),
    ],
)
def test_report_or_word_that_changes_something_is_seen_at_the_next_look(
    told: dict[str, Any], known: dict[str, str]
) -> None:
    boxes = Boxes()
    boxes.report("a", 100.0)
    before = rack_of(boxes.racks, 100.0).boxes[0]
    last = boxes.fleet.members["a"].report
    assert last is not None
    boxes.fleet.observe(replace(last, sequence=7, **told), 100.5)
    boxes.fleet.note("a", **known)
    boxes.racks.heard("a")
    after = rack_of(boxes.racks, 100.5).boxes[0]
    fields = ("liveness", "keys", "url", "share", "capacity")
    assert [getattr(after, name) for name in fields] != [getattr(before, name) for name in fields]
    boxes.fleet.observe(replace(last, sequence=8), 101.0)
    for name in known:
        boxes.fleet.note("a", **{name: ""})
    boxes.racks.heard("a")
    again = rack_of(boxes.racks, 101.0).boxes[0]
    assert [getattr(again, name) for name in fields[1:]] == [getattr(before, name) for name in fields[1:]]
    assert again.liveness.standing == "up"


def test_viewers_on_their_way_to_a_box_that_was_well_are_seen_at_its_next_report() -> None:
    boxes = Boxes()
    boxes.report("a", 100.0, 0.79 * LINKS)
    assert boxes.shares(100.0)["a"] == 1.0
    for _ in range(20):
        boxes.racks.expect("a", 100.1)
    boxes.report("a", 100.2, 0.79 * LINKS)
    assert boxes.shares(100.2)["a"] == 0.93


def test_rack_tells_by_which_measure_a_box_is_full_also_where_its_share_is_the_same() -> None:
    boxes = Boxes()
    boxes.report("a", 100.0, LINKS)
    by_links = rack_of(boxes.racks, 100.0).boxes[0]
    boxes.report("a", 102.0, cpu=0.98)
    by_cpu = rack_of(boxes.racks, 102.0).boxes[0]
    assert (by_links.share, by_links.kept) == (by_cpu.share, by_cpu.kept)
    assert by_links.full.startswith("nearly full, 100% of its links'")
    assert by_cpu.full == "nearly full, its processors are 98% busy"


def test_rack_is_judged_anew_when_a_report_is_too_old_and_each_second_while_not_well() -> None:
    boxes = Boxes()
    boxes.report("a", 100.0)
    boxes.report("b", 102.0)
    assert boxes.standings(104.4) == ["up", "up"]
    assert boxes.standings(104.6) == ["gone", "up"]  # 0.2 s later: a's report is too old then
    boxes.fleet.note("b", drained="drained by ann")  # and nothing tells of it
    boxes.fleet.note("a", drained="drained by ann")
    assert boxes.standings(104.7) == ["gone", "up"]
    assert [box.liveness.standing for box in boxes.racks.judged("metro", 104.7).boxes] == ["gone", "drained"]
    boxes.racks.heard("b")
    assert boxes.standings(104.8) == ["gone", "drained"]
    boxes.fleet.note("b", drained="")
    assert boxes.standings(104.8 + STANDING_S) == ["gone", "up"]


def test_rack_keeps_plainly_well_boxes_and_tells_the_age_of_their_reports_by_the_clock() -> None:
    boxes = Boxes()
    boxes.report("a", 100.0)
    boxes.report("b", 100.0)
    rack = rack_of(boxes.racks, 100.0)
    assert rack_of(boxes.racks, 104.4) is rack
    assert [box.why(103.25) for box in rack.boxes] == ["report 3.3 s old, limit 4.5 s"] * 2
    assert boxes.standings(104.6) == ["gone", "gone"]
    assert {box.why(104.6) for box in rack_of(boxes.racks, 104.6).boxes} == {"last report 4.6 s old, limit 4.5 s"}
    boxes.report("a", 105.0)
    boxes.fleet.members["a"].is_held = True
    boxes.racks.heard("a")
    assert (
        rack_of(boxes.racks, 105.0)
        .boxes[0]
        .why(107.0)
        .endswith("0.0 s old, limit 4.5 s; as last known from another instance")
    )


def test_rack_counts_viewers_on_their_way_in_steps_of_a_hundredth() -> None:
    boxes = Boxes()
    boxes.report("a", 100.0, 0.8 * LINKS)
    boxes.report("b", 100.0, 0.8 * LINKS, link=0.0)
    assert boxes.shares(100.0)["a"] == 1.0
    for _ in range(9):
        boxes.racks.expect("a", 100.0)
    assert boxes.shares(100.0)["a"] == 1.0
    boxes.racks.expect("a", 100.0)  # ten viewers of 1 MB/s
    assert boxes.shares(100.0)["a"] == 0.93
    for name in ("b", "origin"):  # its links tell no speed; no box of ours
        boxes.racks.expect(name, 100.0)


def test_site_without_boxes_has_an_empty_rack() -> None:
    racks = Racks({"bare": make_site("bare")}, Fleet({}, age_limit_s=4.5), FleetTable())
    assert list(rack_of(racks, 1.0, "bare").boxes) == []
