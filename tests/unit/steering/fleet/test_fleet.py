from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from oca.common.messages import Contents
from steering.fleet.fleet import Fleet, delivery_url_fault
from steering.fleet.liveness import NEVER_REPORTED, Liveness
from tests.unit.steering.made_up import NOW_NS, make_batch, make_contents, make_progress, make_report, revision


def make_fleet() -> Fleet:
    return Fleet({"metro-a": "metro"}, age_limit_s=4.5)


def test_fleet_knows_nothing_before_first_report() -> None:
    assert make_fleet().liveness("metro-a", 0) == NEVER_REPORTED
    assert make_fleet().liveness("stranger", 0) == NEVER_REPORTED


def test_fleet_judges_by_age_of_last_report() -> None:
    fleet = make_fleet()
    assert fleet.observe(make_report(), 100.0) == "taken"
    assert fleet.liveness("metro-a", 104.4).takes_viewers
    assert not fleet.liveness("metro-a", 104.6).takes_viewers


def test_fleet_ignores_report_that_goes_back() -> None:
    fleet = make_fleet()
    fleet.observe(make_report(sequence=5), 100.0)
    assert fleet.observe(make_report(sequence=5), 103.0) == "stale"
    assert fleet.observe(make_report(sequence=4), 103.0) == "stale"
    assert not fleet.liveness("metro-a", 105.0).takes_viewers
    assert fleet.observe(make_report(sequence=6), 103.0) == "taken"


def test_fleet_takes_new_boot_and_ignores_the_old_one_after() -> None:
    fleet = make_fleet()
    fleet.observe(make_report(sequence=50), 0)
    assert fleet.observe(make_report(boot_id=revision("second"), sequence=0), 1) == "taken"
    assert fleet.observe(make_report(sequence=51), 2) == "rival"
    assert fleet.observe(make_report(boot_id=revision("second"), sequence=1), 2) == "taken"


def test_fleet_takes_the_right_boot_again_once_the_foreign_one_is_silent() -> None:
    fleet = make_fleet()
    fleet.observe(make_report(sequence=50), 0)
    fleet.observe(make_report(boot_id=revision("foreign"), sequence=900), 1)
    assert fleet.observe(make_report(sequence=51), 5.5) == "rival"
    assert fleet.observe(make_report(sequence=52), 5.6) == "taken"
    assert fleet.observe(make_report(boot_id=revision("foreign"), sequence=901), 7) == "rival"
    assert fleet.observe(make_report(sequence=52), 7) == "stale"
    assert fleet.observe(make_report(sequence=53), 7) == "taken"


def test_fleet_counts_rivals_since_the_last_new_boot() -> None:
    fleet = make_fleet()
    for number, boot in enumerate(("first", "second", "first", "first", "third", "second")):
        fleet.observe(make_report(boot_id=revision(boot), sequence=number), 1)
        assert fleet.members["metro-a"].rivals == (0, 0, 1, 2, 0, 1)[number]


def test_fleet_asks_for_contents_until_it_knows_them() -> None:
    fleet = make_fleet()
    contents = make_contents({"harbour/video-240p": revision("x")})
    short = make_report(contents=Contents(digest=contents.digest))
    fleet.observe(short, 0)
    assert fleet.contents_wanted(short)
    fleet.observe(make_report(sequence=2, contents=contents), 1)
    assert not fleet.contents_wanted(short)
    fleet.observe(make_report(sequence=3, contents=Contents(digest=contents.digest)), 2)
    assert fleet.holders.holds("metro-a", "harbour/video-240p") == revision("x")


def test_fleet_knows_who_holds_a_revision() -> None:
    fleet = make_fleet()
    fleet.observe(make_report(contents=make_contents({"a/b": revision("x"), "a/c": revision("x")})), 0)
    fleet.observe(make_report(sequence=2, contents=make_contents({"a/b": revision("y")})), 1)
    assert fleet.holders.names(fleet.holders.of("a/b", revision("y"))) == ["metro-a"]
    assert len(fleet.holders) == 1


def test_fleet_keeps_no_lists_of_reports() -> None:
    fleet = make_fleet()
    fleet.observe(make_report(contents=make_contents({"a/b": revision("x")}), demand=make_batch(a__b=(1, 1))), 0)
    kept = fleet.members["metro-a"].report
    assert kept is not None
    assert (kept.contents.assets, kept.demand) == (None, None)


def test_fleet_remembers_fill() -> None:
    fleet = make_fleet()
    fleet.progress(make_progress())
    assert fleet.members["metro-a"].fill == make_progress()


@pytest.mark.parametrize(
    ("url", "fault"),
    [
        ("http://192.0.2.1:8080", ""),
        ("https://[2001:db8::1]:443/base", ""),
        ("http://box.example", ""),
        ("http://0.0.0.0:8080", "players cannot reach the address 0.0.0.0"),
        ("http://[::]:8080", "players cannot reach the address ::"),
        ("http://:8080", "players cannot reach the address of no host"),
        ("http://box.example:0", "port 0 cannot be reached"),
        ("http://box.example:99999", "Port out of range 0-65535"),
        ("http://[box", "Invalid IPv6 URL"),
    ],
)
def test_delivery_url_is_checked(url: str, fault: str) -> None:
    assert delivery_url_fault(url) == fault


def test_fleet_has_appliance_stay_that_was_away_again() -> None:
    fleet = Fleet({"metro-a": "metro"}, age_limit_s=4.5, return_s=300)
    for sequence, now in enumerate((0.0, 2.0)):
        fleet.observe(make_report(sequence=sequence + 1), now)
    fleet.observe(make_report(sequence=3), 100.0)
    assert fleet.liveness("metro-a", 100.0).standing == "up"
    assert fleet.liveness("metro-a", 105.0).standing == "gone"
    fleet.observe(make_report(sequence=4), 110.0)
    assert fleet.liveness("metro-a", 111.0) == Liveness(
        "returning",
        0.0,
        "was away 2 times within a day: viewers come if it stays for 4 min 59 s more; report 1.0 s old",
    )
    for step in range(150):
        fleet.observe(make_report(sequence=5 + step), 112.0 + 2 * step)
    assert fleet.liveness("metro-a", 411.0).standing == "up"


@given(st.lists(st.integers(1, 20), min_size=1, max_size=40))
def test_fleet_goes_by_newest_report_however_they_come(sequences: list[int]) -> None:
    """Late, replayed and reordered reports of one boot: none takes the place of a newer one, or makes it younger."""
    fleet, newest, heard_at_s = Fleet({"metro-a": "metro"}, age_limit_s=4.5), 0, 0.0
    for now, sequence in enumerate(sequences):
        outcome = fleet.observe(
            make_report(sequence=sequence, delivery_urls=[f"http://{sequence}.example"]), float(now)
        )
        assert outcome == ("taken" if sequence > newest else "stale")
        if sequence > newest:
            newest, heard_at_s = sequence, float(now)
        member = fleet.members["metro-a"]
        assert member.report is not None
        assert member.report.delivery_urls == [f"http://{newest}.example"]
        assert member.received_at_s == heard_at_s


@pytest.mark.parametrize("off_s", [-3600, 3600])
def test_fleet_judges_age_by_its_own_clock(off_s: int) -> None:
    """A box whose clock is an hour off is neither gone nor young for ever; what it dates is told of (views)."""
    fleet = Fleet({"metro-a": "metro"}, age_limit_s=4.5)
    fleet.observe(make_report(sent_at_ns=NOW_NS + off_s * 10**9), 100.0)
    assert fleet.liveness("metro-a", 104.0).standing == "up"
    assert fleet.liveness("metro-a", 105.0).standing == "gone"
