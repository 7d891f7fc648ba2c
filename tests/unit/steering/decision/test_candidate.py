from __future__ import annotations

import pytest
from msgspec.structs import replace

from oca.common.messages import Load
from oca.common.standing import Standing
from steering.decision.candidate import Rejected, candidate_of
from steering.decision.load import CAPACITY_UNKNOWN
from steering.fleet.liveness import Heard, Liveness
from steering.settings import FleetTable
from tests.unit.steering.made_up import UP, changed, make_candidate, whys


def test_candidate_tells_the_age_of_its_report_by_the_clock_where_that_is_all() -> None:
    box, _ = make_candidate("a", {})
    assert box.why(9.0) == "report 1.0 s old, limit 4.5 s"
    assert changed(box, heard=Heard(8.0, 4.5)).why(9.5) == "report 1.5 s old, limit 4.5 s"


def test_candidate_takes_and_keeps_by_load_and_weight() -> None:
    load = Load(connections=0, sent_bytes_per_s=95.0, link_bytes_per_s=100.0, cpu_ratio=0.0)
    made = candidate_of("a", Liveness("up", 0.5, ""), load, FleetTable(), expected_bytes_per_s=0.0)
    assert (made.capacity, made.share, made.kept) == (100.0, 0.0, 0.5)
    assert made.full.startswith("nearly full, 95% of its links' ")
    idle = replace(load, sent_bytes_per_s=10.0)
    assert candidate_of("a", Liveness("up", 0.5, ""), idle, FleetTable(), expected_bytes_per_s=0.0).full == ""


def test_candidate_that_is_idle_and_well_takes_and_keeps_whoever_comes() -> None:
    idle = Load(connections=0, sent_bytes_per_s=0.0, link_bytes_per_s=0.0, cpu_ratio=0.0)
    heard = Heard(1.0, 4.5)
    made = candidate_of("a", UP, idle, FleetTable(), expected_bytes_per_s=7.0, url="http://a", keys=("k",), heard=heard)
    assert (made.appliance, made.url, made.keys, made.expected_bytes_per_s) == ("a", "http://a", ("k",), 7.0)
    assert (made.capacity, made.share, made.kept, made.full) == (CAPACITY_UNKNOWN, 1.0, 1.0, "")
    assert made.liveness == UP
    assert made.heard is heard


@pytest.mark.parametrize(("standing", "takes"), [("up", True), ("draining", False), ("gone", False)])
def test_candidate_takes_viewers_by_its_verdict(standing: Standing, takes: bool) -> None:
    box, _ = make_candidate("a", {}, Liveness(standing, 1.0, "as judged"))
    assert (box.takes_viewers, box.why(0.0)) == (takes, "as judged")
    assert changed(box, liveness=Liveness("up", 1.0, "")).takes_viewers


def test_rejected_source_says_why() -> None:
    assert whys([Rejected("a", "gone")]) == [("a", "gone")]
