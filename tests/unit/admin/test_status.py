from collections.abc import Callable
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from oca.admin.status import (
    PlayersStatus,
    ServingChange,
    Status,
    asset_page,
    device_statuses,
    link_statuses,
    players_status,
    serving_change,
    steering_status,
    worker_statuses,
)
from oca.report.snapshot import Snapshot, SteeringLink
from oca.store.records import HeldPack

MakeSnapshot = Callable[..., Snapshot]
PACKS = [HeldPack(f"film/{number:03}", "a" * 32, 10, 2, number % 2, 5) for number in range(20)]


def test_status_shows_workers_devices_and_links(make_snapshot: MakeSnapshot) -> None:
    snapshot = make_snapshot()
    assert [(one.pid, one.ready, one.why) for one in worker_statuses(snapshot)] == [
        (10, True, ""),
        (11, False, "ended by SIGKILL"),
    ]
    assert [(one.path, one.fault) for one in device_statuses(snapshot)] == [("/d0", ""), ("/d1", "gone")]
    assert [(one.name, one.up) for one in link_statuses(snapshot)] == [("eth0", True), ("eth1", False)]


@pytest.mark.parametrize(
    ("link", "state"),
    [
        (None, "alone"),
        (SteeringLink("u"), "starting"),
        (SteeringLink("u", connected=True), "connected"),
        (SteeringLink("u", connected=False, why="refused"), "away"),
    ],
)
def test_status_tells_how_it_stands_with_steering(link: SteeringLink | None, state: str) -> None:
    assert steering_status(link).state == state


def test_status_tells_by_what_steering_knows_the_box() -> None:
    assert steering_status(SteeringLink("u", connected=True, known_by="token")).known_by == "token"


def test_status_tells_what_passes_between_players_and_box() -> None:
    counters = {
        "delivery_paced_connections": 3,
        "delivery_listeners:bbr": 2,
        "delivery_listeners:cubic": 0,
        "delivery_quality_reports": 9,
        "delivery_quality_starved": 1,
        "delivery_advised_bytes_per_second": 4000,
    }
    assert players_status(counters, pacing="cmcd") == PlayersStatus(
        pacing="cmcd",
        paced_connections=3,
        congestion=["bbr"],
        quality_reports=9,
        quality_starved=1,
        advised_kbits_per_s=4000,
    )


ALONE, AWAY = steering_status(None), steering_status(SteeringLink("u", connected=False, why="refused"))
MOVES = "steering sends nobody new here, who plays is moved or finishes"


@pytest.mark.parametrize(
    ("changes", "follows"),
    [
        ({}, ""),
        ({"serving": "draining", "drain_left_s": 7200}, f"{MOVES}, within 2 h 0 min at most; 'oca undrain' ends it"),
        (
            {"serving": "draining", "drain_left_s": 30, "steering": AWAY},
            (
                f"steering is away and learns of it when it answers again; then {MOVES}, within 30.0 s at most; "
                "'oca undrain' ends it"
            ),
        ),
        ({"serving": "drained"}, "steering sends nobody here; 'oca undrain' ends it"),
        (
            {"serving": "draining", "drain_left_s": 30, "steering": ALONE},
            "nothing sends viewers here by steering: stop them at your load balancer; 'oca undrain' ends it",
        ),
        (
            {"serving": "drained", "steering": ALONE},
            "nothing sends viewers here by steering: stop them at your load balancer; 'oca undrain' ends it",
        ),
    ],
)
def test_serving_change_says_what_follows(status: Status, changes: dict[str, Any], follows: str) -> None:
    found = msgspec.structs.replace(status, **changes)
    assert serving_change(found, changed=True) == ServingChange(serving=found.serving, changed=True, follows=follows)


@given(st.integers(1, 25))
def test_asset_pages_follow_one_another_to_the_end(limit: int) -> None:
    seen, after = [], ""
    while True:
        page = asset_page(PACKS, ["/d0", "/d1"], after=after, limit=limit)
        assert len(page.assets) <= limit
        seen += page.assets
        if not page.next:
            break
        after = page.next
    assert [each.asset for each in seen] == [pack.asset for pack in PACKS]
    assert [each.device for each in seen[:2]] == ["/d0", "/d1"]


def test_asset_page_of_empty_store_is_last() -> None:
    assert asset_page([], [], after="", limit=1).next == ""


@pytest.mark.parametrize(("left_s", "most"), [(30.0, ", within 30.0 s at most"), (7259.9, ""), (9000.0, "")])
def test_status_answer_to_drain_for_a_time_says_when_it_ends(status: Status, left_s: float, most: str) -> None:
    """And how long those who play may stay, where that ends sooner."""
    ends_ns = 121 * 60 * 10**9
    drained = msgspec.structs.replace(
        status, serving="draining", drain_left_s=left_s, drained_at_ns=1, drained_until_ns=ends_ns
    )
    assert serving_change(drained, changed=True).follows == (
        f"{MOVES}{most}; it serves again at 1970-01-01 02:01:00Z; 'oca undrain' ends it"
    )
